// A block has some rows of one key head and goes through the keys, ATTENTION_KEYS at a time: their scores in shared
// memory, the running softmax, and the sum of the values.
#include "cuda/support/attention.cuh"

namespace lamina::cuda {
namespace attention_forward_op {

constexpr int SCORE_PITCH = int(ATTENTION_KEYS) + 16;

template <class T>
struct Forward {
  Attention<T> s;
  T *y, *lse;
  int64_t row_tiles;
  bool packed_keys, packed_values;
};

/// Values of shared memory: scores, sums of values, decay, stages.
template <class T, int EACH>
struct Space {
  static constexpr int ROWS = DOWN * EACH;
  static constexpr int64_t SCORES = ROWS * SCORE_PITCH, DECAYS = 32;
  T *scores, *o, *decay;
  Stages<T, EACH> stages;
  __device__ explicit Space(int64_t value_size)
      : scores(dynamic_shared<T>()),
        o(scores + SCORES),
        decay(o + round_up(ROWS * value_size, 32)),
        stages{decay + DECAYS} {}
  static int64_t bytes(int64_t value_size) {
    return (SCORES + round_up(ROWS * value_size, 32) + DECAYS + Stages<T, EACH>::SIZE) * int64_t(sizeof(T));
  }
};

/// The running softmax of a row, as one of its 16 threads has it.
template <class T>
struct Running {
  T sum = 0, top = -INFINITE<T>;
};

/// n scores of a row, from `key` on, become p = 2^(s - top), dropped where chance says so. Returns what to scale the
/// output so far by.
template <class T>
__device__ T softmax_step(const Head<T>& head, int64_t row, int64_t key, int n, RowLane lane, T* scores,
                          Running<T>& running) {
  const int seen = int(max_of(0, min_of(head.limit(row, 1) - key, n)));
  T most = -INFINITE<T>;
  for (int j = lane.lane; j < n; j += ROW_LANES) {
    const T score = j < seen ? head.masked(scores[j], row, key + j) : -INFINITE<T>;
    scores[j] = score;
    most = max(most, score);
  }
  most = fold(lane, most, [](T a, T b) { return a > b ? a : b; });
  const T top = most > running.top || most != most ? most : running.top, base = top == -INFINITE<T> ? T(0) : top;
  const T decay = exp2_below(running.top - base);
  running.top = top;
  T sum = 0;
  for (int tile = 0; tile < n; tile += int(KEEP_TILE)) {
    const Keep<T> keep(head, row, key + tile + lane.lane);
    for (int j = tile + lane.lane; j < min_of(tile + KEEP_TILE, n); j += ROW_LANES) {
      const T p = exp2_below(scores[j] - base);
      sum = sum + p;
      scores[j] = keep(key + j, p);
    }
  }
  running.sum = fma(running.sum, decay, sum);
  return decay;
}

template <int EACH, class T>
__global__ void __launch_bounds__(ATTENTION_THREADS) attend(Forward<T> a) {
  constexpr int ROWS = DOWN * EACH;
  const Attention<T>& s = a.s;
  const Space<T, EACH> space(s.value_size);
  const Head<T> head(s, blockIdx.x / a.row_tiles);
  const int64_t row0 = (a.row_tiles - 1 - blockIdx.x % a.row_tiles) * ROWS;  // causal: the longest first
  const int rows = int(min_of(ROWS, head.rows - row0));
  const int64_t limit = head.limit(row0, rows), pitch = s.value_size;
  const T scale = T(s.scale * LOG2_E<double>);
  Running<T> running[(ROWS + 15) / 16];
  for (int64_t i = threadIdx.x; i < rows * pitch; i += ATTENTION_THREADS) space.o[i] = 0;
  __syncthreads();
  for (int64_t key = 0; key < limit; key += ATTENTION_KEYS) {
    const int seen = int(min_of(ATTENTION_KEYS, limit - key)), n = int(round_up(seen, ROW_LANES));
    scores_of<EACH>(
        space.stages, s.size, a.packed_keys, scale, T(1), seen,
        [&](int i) { return i < rows ? s.q + head.row_at(row0 + i, s.size) : nullptr; },
        [&](int j) { return j < seen ? s.k + head.key_at(key + j, s.size) : nullptr; }, space.scores, SCORE_PITCH);
    __syncthreads();
    each_tile_row<ROWS>(rows, [&](int set, int row, RowLane lane) {
      const T decay = softmax_step(head, row0 + row, key, n, lane, space.scores + row * SCORE_PITCH, running[set]);
      if (lane.lane == 0) space.decay[row] = decay;
    });
    __syncthreads();
    weighted_lines<EACH>(
        space.stages, space.scores, SCORE_PITCH, seen, s.value_size, a.packed_values, T(1),
        [&](int64_t j) { return s.v + head.key_at(key + j, s.value_size); },
        [&](int row, int64_t d, T sum) {
          if (row >= rows) return;
          T& o = space.o[row * pitch + d];
          o = key > 0 ? o * space.decay[row] + sum : sum;
        });
    __syncthreads();
  }
  each_tile_row<ROWS>(rows, [&](int set, int row, RowLane lane) {
    const T sum = fold(lane, running[set].sum, [](T x, T y) { return x + y; });
    const T factor = sum == 0 ? T(0) : kept_scale(s) / sum;  // nothing seen: 0
    T* const to = a.y + head.row_at(row0 + row, s.value_size);
    for (int64_t d = lane.lane; d < s.value_size; d += ROW_LANES) to[d] = space.o[row * pitch + d] * factor + T(0);
    if (a.lse && lane.lane == 0)
      a.lse[head.place(row0 + row)] = sum == 0 ? INFINITE<T> : running[set].top + log(sum) * LOG2_E<T>;
  });
}

}  // namespace attention_forward_op
using namespace attention_forward_op;

template <class T>
void attention_forward(const Attention<T>& s, T* y, T* lse, Stream stream) {
  const int64_t heads = s.batch * s.key_heads, rows = s.heads / s.key_heads * s.queries;
  if (heads == 0 || rows == 0) return;
  const auto bytes = [&](int each) {
    return each == 4   ? Space<T, 4>::bytes(s.value_size)
           : each == 2 ? Space<T, 2>::bytes(s.value_size)
                       : Space<T, 1>::bytes(s.value_size);
  };
  with_rows(rows, bytes, [&](auto each) {
    constexpr int EACH = decltype(each)();
    const int64_t row_tiles = ceil_div(rows, DOWN * EACH);
    launch(attend<EACH, T>, unsigned(heads * row_tiles), ATTENTION_THREADS, size_t(bytes(EACH)), stream,
           Forward<T>{s, y, lse, row_tiles, lines_of_packs(s.k, s.size), lines_of_packs(s.v, s.value_size)});
  });
}

template void attention_forward(const Attention<float>&, float*, float*, Stream);
template void attention_forward(const Attention<double>&, double*, double*, Stream);

}  // namespace lamina::cuda
