// Two kernels, each of which computes the scores again: one has rows and goes through the keys (dq), the other has keys
// and goes through the rows (dk and dv). Nothing is added by two blocks.
#include "cuda/support/attention.cuh"

namespace lamina::cuda {
namespace attention_backward_op {

constexpr int BLOCK_KEYS = int(ATTENTION_KEYS_BACK), BLOCK_ROWS = int(ATTENTION_QUERIES_BACK);
constexpr int PITCH = 128 + 16;  // of rows of scores
static_assert(BLOCK_KEYS == 128 && BLOCK_ROWS == 128 && ATTENTION_PIECE % BLOCK_KEYS == 0);

template <class T>
struct Backward {
  Attention<T> s;
  const T *lse, *dy, *delta;
  T *dq, *dk, *dv;
  int64_t tiles;  // of rows, or of keys
  bool packed, packed_values;
};

/// Shared memory: scores and dy . v of a tile's lines with 128 others, what the tile sums up, stages.
template <class T, int EACH>
struct Space {
  static constexpr int LINES = DOWN * EACH;
  static constexpr int64_t SCORES = LINES * PITCH;
  T *p, *ds, *sums;
  Stages<T, EACH> stages;
  __device__ explicit Space(int64_t size)
      : p(dynamic_shared<T>()), ds(p + SCORES), sums(ds + SCORES), stages{sums + round_up(LINES * size, 32)} {}
  static int64_t bytes(int64_t size) {
    return (2 * SCORES + round_up(LINES * size, 32) + Stages<T, EACH>::SIZE) * int64_t(sizeof(T));
  }
};
template <class T>
int64_t bytes_of(int each, int64_t size) {
  return each == 4 ? Space<T, 4>::bytes(size) : each == 2 ? Space<T, 2>::bytes(size) : Space<T, 1>::bytes(size);
}

/// dy . y of a row: what its softmax takes off every dp. By place.
template <class T>
struct Delta {
  Attention<T> s;
  const T *y, *dy;
  T* delta;
  __device__ void operator()(int64_t place, RowLane lane) const {
    const int64_t query = place % s.queries, head = place / s.queries % s.heads, batch = place / s.queries / s.heads;
    const int64_t at = ((batch * s.queries + query) * s.heads + head) * s.value_size;
    const T sum =
        sum_row<T>(s.value_size, lane, [&](int64_t d, T& total) { total = fma(dy[at + d], y[at + d], total); });
    if (lane.lane == 0) delta[place] = sum;
  }
};

/// A score and dy . v become p (as dropout leaves it, without its factor) and ds.
template <class T>
__device__ void gradient(const Head<T>& head, const Keep<T>& keep, T kept, T lse, T delta, int64_t row, int64_t key,
                         T& score, T& product) {
  const T p = exp2_below(head.masked(score, row, key) - lse), dp = keep(key, product * kept);
  score = keep(key, p);
  product = p * (dp - delta);
}

template <int EACH, class T>
__global__ void __launch_bounds__(ATTENTION_THREADS) of_queries(Backward<T> a) {
  constexpr int ROWS = DOWN * EACH;
  const Attention<T>& s = a.s;
  const Space<T, EACH> space(s.size);
  const Head<T> head(s, blockIdx.x / a.tiles);
  const int64_t row0 = (a.tiles - 1 - blockIdx.x % a.tiles) * ROWS;  // causal: the longest first
  const int rows = int(min_of(ROWS, head.rows - row0));
  const int64_t limit = head.limit(row0, rows);
  const T scale = T(s.scale * LOG2_E<double>), factor = T(s.scale), kept = kept_scale(s);
  const auto each_sum = [&](auto&& f) {
    for (int64_t i = threadIdx.x; i < rows * s.size; i += ATTENTION_THREADS)
      f(a.dq[head.row_at(row0 + i / s.size, s.size) + i % s.size], space.sums[i]);
  };
  if (limit <= 0) each_sum([](T& dq, T&) { dq = 0; });
  for (int64_t key = 0; key < limit; key += BLOCK_KEYS) {
    const int keys = int(min_of(BLOCK_KEYS, limit - key));
    scores_of<EACH>(
        space.stages, s.size, a.packed, scale, T(1), keys,
        [&](int i) { return i < rows ? s.q + head.row_at(row0 + i, s.size) : nullptr; },
        [&](int j) { return j < keys ? s.k + head.key_at(key + j, s.size) : nullptr; }, space.p, PITCH);
    scores_of<EACH>(
        space.stages, s.value_size, a.packed_values, T(1), T(1), keys,
        [&](int i) { return i < rows ? a.dy + head.row_at(row0 + i, s.value_size) : nullptr; },
        [&](int j) { return j < keys ? s.v + head.key_at(key + j, s.value_size) : nullptr; }, space.ds, PITCH);
    __syncthreads();
    each_tile_row<ROWS>(rows, [&](int, int i, RowLane lane) {
      const int64_t row = row0 + i, place = head.place(row), seen = head.limit(row, 1) - key;
      const T lse = a.lse[place], delta = a.delta[place];
      const Keep<T> keep(head, row, key + lane.lane);
      for (int j = lane.lane; j < keys; j += ROW_LANES) {
        T &score = space.p[i * PITCH + j], &product = space.ds[i * PITCH + j];
        if (j < seen)
          gradient(head, keep, kept, lse, delta, row, key + j, score, product);
        else
          product = 0;
      }
    });
    __syncthreads();
    weighted_lines<EACH>(
        space.stages, space.ds, PITCH, keys, s.size, a.packed, T(1),
        [&](int64_t j) { return s.k + head.key_at(key + j, s.size); },
        [&](int i, int64_t d, T sum) {
          if (i >= rows) return;
          T& of_piece = space.sums[i * s.size + d];
          of_piece = key % ATTENTION_PIECE ? of_piece + sum : sum;
        });
    __syncthreads();
    if ((key + BLOCK_KEYS) % ATTENTION_PIECE == 0 || key + BLOCK_KEYS >= limit)
      each_sum([&](T& dq, T& of_piece) { dq = (key < ATTENTION_PIECE ? T(0) : dq) + of_piece * factor; });
    __syncthreads();
  }
}

template <int EACH, class T>
__global__ void __launch_bounds__(ATTENTION_THREADS) of_keys(Backward<T> a) {
  constexpr int KEYS = DOWN * EACH;
  const Attention<T>& s = a.s;
  const Space<T, EACH> space(s.size + s.value_size);
  T *const dk = space.sums, *const dv = dk + KEYS * s.size;
  const Head<T> head(s, blockIdx.x / a.tiles);
  const int64_t key0 = blockIdx.x % a.tiles * KEYS;
  const int keys = int(min_of(KEYS, s.keys - key0));
  const T scale = T(s.scale * LOG2_E<double>), kept = kept_scale(s);
  for (int64_t i = threadIdx.x; i < KEYS * (s.size + s.value_size); i += ATTENTION_THREADS) space.sums[i] = 0;
  __syncthreads();
  const int seen_keys = int(max_of(0, min_of(keys, head.keys - key0)));
  for (int64_t row0 = 0; row0 < head.rows; row0 += BLOCK_ROWS) {
    const int rows = int(min_of(BLOCK_ROWS, head.rows - row0));
    if (head.limit(row0, rows) <= key0) continue;
    const auto query = [&](int j) { return j < rows ? s.q + head.row_at(row0 + j, s.size) : nullptr; };
    const auto gradient_of_output = [&](int j) {
      return j < rows ? a.dy + head.row_at(row0 + j, s.value_size) : nullptr;
    };
    scores_of<EACH>(
        space.stages, s.size, a.packed, T(1), scale, rows,
        [&](int i) { return i < seen_keys ? s.k + head.key_at(key0 + i, s.size) : nullptr; }, query, space.p, PITCH);
    scores_of<EACH>(
        space.stages, s.value_size, a.packed_values, T(1), T(1), rows,
        [&](int i) { return i < seen_keys ? s.v + head.key_at(key0 + i, s.value_size) : nullptr; }, gradient_of_output,
        space.ds, PITCH);
    __syncthreads();
    // Keys 16 apart draw from one random number: a thread has them all.
    constexpr int LANES = KEYS < ROW_LANES ? KEYS : ROW_LANES;
    for (int i = int(threadIdx.x); i < rows * LANES; i += ATTENTION_THREADS) {
      const int j = i % rows, first = i / rows;
      const int64_t row = row0 + j, place = head.place(row), seen = head.limit(row, 1) - key0;
      const T lse = a.lse[place], delta = a.delta[place];
      const Keep<T> keep(head, row, key0 + first);
      for (int k = first; k < KEYS; k += LANES) {
        T &score = space.p[k * PITCH + j], &product = space.ds[k * PITCH + j];
        if (k < seen)
          gradient(head, keep, kept, lse, delta, row, key0 + k, score, product);
        else
          score = product = 0;
      }
    }
    __syncthreads();
    weighted_lines<EACH>(
        space.stages, space.p, PITCH, rows, s.value_size, a.packed_values, T(1),
        [&](int64_t j) { return gradient_of_output(int(j)); },
        [&](int i, int64_t d, T sum) { dv[i * s.value_size + d] = dv[i * s.value_size + d] + sum; });
    weighted_lines<EACH>(
        space.stages, space.ds, PITCH, rows, s.size, a.packed, scale, [&](int64_t j) { return query(int(j)); },
        [&](int i, int64_t d, T sum) { dk[i * s.size + d] = dk[i * s.size + d] + sum; });
    __syncthreads();
  }
  const auto write = [&](T* to, int64_t size, const T* from, T factor) {
    for (int64_t i = threadIdx.x; i < keys * size; i += ATTENTION_THREADS)
      to[head.key_at(key0 + i / size, size) + i % size] = from[i] * factor + T(0);
  };
  write(a.dk, s.size, dk, LN_2<T>);  // q carries scale * log2 e
  write(a.dv, s.value_size, dv, kept);
}

}  // namespace attention_backward_op
using namespace attention_backward_op;

template <class T>
void attention_backward(const Attention<T>& s, const T* y, const T* lse, const T* dy, T* dq, T* dk, T* dv,
                        Stream stream) {
  const int64_t heads = s.batch * s.key_heads, rows = s.heads / s.key_heads * s.queries;
  const Scratch<T> delta(heads * rows, stream);
  each_row(heads * rows, stream, Delta<T>{s, y, dy, delta.data()});
  Backward<T> a{s,
                lse,
                dy,
                delta.data(),
                dq,
                dk,
                dv,
                0,
                lines_of_packs(s.k, s.size) && lines_of_packs(s.q, s.size),
                lines_of_packs(s.v, s.value_size) && lines_of_packs(dy, s.value_size)};
  if (heads * rows > 0)
    with_rows(
        rows, [&](int each) { return bytes_of<T>(each, s.size); },
        [&](auto each) {
          constexpr int EACH = decltype(each)();
          a.tiles = ceil_div(rows, DOWN * EACH);
          launch(of_queries<EACH, T>, unsigned(heads * a.tiles), ATTENTION_THREADS, size_t(bytes_of<T>(EACH, s.size)),
                 stream, a);
        });
  const int64_t both = s.size + s.value_size;
  if (heads * s.keys > 0)
    with_rows(
        s.keys, [&](int each) { return bytes_of<T>(each, both); },
        [&](auto each) {
          constexpr int EACH = decltype(each)();
          a.tiles = ceil_div(s.keys, DOWN * EACH);
          launch(of_keys<EACH, T>, unsigned(heads * a.tiles), ATTENTION_THREADS, size_t(bytes_of<T>(EACH, both)),
                 stream, a);
        });
}

template void attention_backward(const Attention<float>&, const float*, const float*, const float*, float*, float*,
                                 float*, Stream);
template void attention_backward(const Attention<double>&, const double*, const double*, const double*, double*,
                                 double*, double*, Stream);

}  // namespace lamina::cuda
