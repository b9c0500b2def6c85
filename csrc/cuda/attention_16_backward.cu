// Attention backward in float16 and bfloat16 on tensor cores. Two kernels, each of which computes the scores again from
// their logarithms' sums: one has rows (queries) and goes through the keys (dq), the other has keys and goes through
// the rows (dk and dv). Nothing is added by two blocks, and scores never leave the registers.
#include "cuda/support/attention_16.cuh"
#include "cuda/support/attention_widened.cuh"

namespace lamina::cuda {
namespace attention_16_backward_op {

template <class T>
struct Backward {
  Attention<T> s;
  const float *lse, *delta;
  const T* dy;
  T *dq, *dk, *dv;
  int tiles;          // of rows, or of keys
  float scale, kept;  // of scores, which are in units of log 2; of what dropout keeps
  bool packed, packed_values;
};

/// dy . y of a row: what its softmax takes off every dp. By place.
template <class T>
struct Delta {
  Attention<T> s;
  const T *y, *dy;
  float* delta;
  bool packed;
  __device__ void operator()(int64_t place, RowLane lane) const {
    const int64_t query = place % s.queries, rest = place / s.queries, head = rest % s.heads, batch = rest / s.heads;
    const int64_t at = ((batch * s.queries + query) * s.heads + head) * s.value_size;
    float sum = 0;
    for (int64_t d = lane.lane * LINE_PACK; d < s.value_size; d += ROW_LANES * LINE_PACK) {
      Pack<T, LINE_PACK> a, b;
      if (packed) {
        a = load_pack<LINE_PACK>(dy + at + d);
        b = load_pack<LINE_PACK>(y + at + d);
      } else {
        for (int e = 0; e < LINE_PACK; ++e) {
          const bool inside = d + e < s.value_size;
          a[e] = inside ? dy[at + d + e] : T(0.0f);
          b[e] = inside ? y[at + d + e] : T(0.0f);
        }
      }
#pragma unroll
      for (int e = 0; e < LINE_PACK; ++e) sum = fma(float(a[e]), float(b[e]), sum);
    }
    sum = fold(lane, sum, [](float u, float v) { return u + v; });
    if (lane.lane == 0) delta[place] = sum;
  }
};

// dq

template <int SIZE_, bool EXTRAS_>
struct QueryShape {
  static constexpr bool EXTRAS = EXTRAS_;
  static constexpr int SIZE = SIZE_, M = SIZE <= 128 ? 2 : 1, KEYS = SIZE > 128 ? 16 : EXTRAS || SIZE > 64 ? 32 : 64;
  using Rows = Lines<64 * M, SIZE>;
  using Keys = Lines<KEYS, SIZE>;
  static constexpr int STAGE = 2 * Keys::VALUES;  // keys, and their values
  static constexpr int64_t BYTES = 2 * (2 * Rows::VALUES + 2 * STAGE) + sizeof(BlockState<Float16, RowSums<M>>);
};

template <class S, class T>
__global__ void __launch_bounds__(ATTENTION_THREADS_16, 2) of_queries_16(const Backward<T> a) {
  if (!has_products_of<T>()) return;
  using Rows = typename S::Rows;
  using Keys = typename S::Keys;
  constexpr bool EXTRAS = S::EXTRAS;
  constexpr int M = S::M, KEYS = S::KEYS, N = KEYS / 8;
  const Attention<T>& s = a.s;
  const RowTile<T, Rows::ROWS> tile(s, int(blockIdx.x), a.tiles);
  const TensorHead<T>& head = tile.head;
  const int limit = head.limit(tile.row0, tile.rows), size = int(s.size), value_size = int(s.value_size);
  const int warp_row = int(threadIdx.x) / 32 * 16 * M;
  T *const q = dynamic_shared<T>(), *const dy = q + Rows::VALUES, *const stages = dy + Rows::VALUES;

  auto& state = *reinterpret_cast<BlockState<T, RowSums<M>>*>(stages + 2 * S::STAGE);
  const KeyLines<T> lines(head, a.packed, a.packed_values);
  if (threadIdx.x == 0) state.lines = lines;
  if (limit > 0) {
    Rows::load(q, size, a.packed, [&](int i) { return tile.line(s.q, i, s.size); });
    Rows::load(dy, value_size, a.packed_values, [&](int i) { return tile.line(a.dy, i, s.value_size); });
    lines.template load<Keys>(stages, 0);
  }

  const ThreadRows<T, M, RowSums<M>> thread(head, tile.row0, state);
  const float scale = a.scale, factor = EXTRAS ? 1.0f : scale, kept = a.kept;
  auto& warp = state.warps[threadIdx.x / 32];
#pragma unroll
  for (int i = int(threadIdx.x) % 32; i < 16 * M; i += 32) {
    const int row = tile.row0 + warp_row + i;
    const bool inside = row < tile.row0 + tile.rows;
    const int64_t place = inside ? head.place_of(head.query_of(row)) : 0;
    warp.lse[i] = inside ? a.lse[place] : INFINITE<float>;
    warp.delta[i] = inside ? a.delta[place] : 0.0f;
  }
  __syncwarp();
  const auto own = first_operand<Rows>(q, q, warp_row);
  float dq[M][S::SIZE / 8][4];
  clear(dq);
  for (int key = 0; key < limit; key += KEYS) {
    const int stage = key / KEYS % 2;
    wait_for_copies<0>();
    __syncthreads();
    if (key + KEYS < limit) state.lines.template load<Keys>(stages + (stage ^ 1) * S::STAGE, key + KEYS);
    if (key >= thread.warp().most) continue;  // nothing of it is seen by the warp's rows
    const T* const staged = stages + stage * S::STAGE;
    uint32_t weights[M][N / 2][4];
    {
      float p[M][N][4], ds[M][N][4];
      const auto across = lines_across<Keys>(q, staged);
      multiply_lines(p, own, across);
      multiply_lines(ds, own.behind(Rows::ROWS), across.behind(Keys::ROWS));
      if constexpr (EXTRAS) {
        thread.mask(head, scale, p, key);
        if (s.dropped > 0) {
#pragma unroll
          for (int i = 0; i < M; ++i)
#pragma unroll
            for (int j = 0; j < N; ++j)
#pragma unroll
              for (int e = 0; e < 4; ++e) ds[i][j][e] = ds[i][j][e] * kept;
          thread.template each_dropped<N>(head, key, [&](int i, int j, int e) { ds[i][j][e] = 0; });
        }
      } else {
        thread.hide(p, key);
      }
      thread.each_state([&](int i, int half, float lse, float delta) {
#pragma unroll
        for (int j = 0; j < N; ++j)
#pragma unroll
          for (int e = 2 * half; e < 2 * half + 2; ++e)
            ds[i][j][e] = exp2_fast(fma(p[i][j][e], factor, -lse)) * (ds[i][j][e] - delta);
      });
      narrow_scores<T>(ds, weights);
    }
    add_lines(dq, weights, values_across<Keys>(q, staged));
  }

  const float of_score = float(s.scale);
  const int end_row = again(int(threadIdx.x)) / 32 * 16 * M;
  Rows::put(q, end_row, 0, dq, [&](int, int, float sum) { return sum * of_score; });  // over its own rows
  const RowTile<T, Rows::ROWS> end(s, again(int(blockIdx.x)), a.tiles);
  Rows::template write<S::SIZE>(q, end_row, 16 * M, 0, size, a.packed,
                                [&](int row) { return end.line(a.dq, row, s.size); });
}

// dk and dv

/// Heads of 256 are two blocks, each with half of the columns: the sums of all would not fit in registers.
template <int SIZE_, bool EXTRAS_>
struct KeyShape {
  static constexpr bool EXTRAS = EXTRAS_;
  static constexpr int SIZE = SIZE_, M = SIZE <= 64 ? 2 : 1;
  static constexpr int QUERIES = SIZE > 128 ? 16 : SIZE > 64 ? (EXTRAS ? 32 : 48) : EXTRAS ? 16 : 32;
  static constexpr int COLUMNS = SIZE <= 128 ? SIZE : 128, PARTS = SIZE / COLUMNS;
  using Keys = Lines<64 * M, SIZE>;
  using Queries = Lines<QUERIES, SIZE>;
  static constexpr int STAGE = 2 * Queries::VALUES;  // queries, and dy
  struct Line {
    float lse[QUERIES], delta[QUERIES];
  };
  static constexpr int64_t BYTES = 2 * (2 * Keys::VALUES + 2 * STAGE) + 2 * sizeof(Line) + 16 * QUERIES;
};

template <class S, class T>
__global__ void __launch_bounds__(ATTENTION_THREADS_16, 2) of_keys_16(const Backward<T> a) {
  if (!has_products_of<T>()) return;
  using Keys = typename S::Keys;
  using Queries = typename S::Queries;
  using Line = typename S::Line;
  constexpr bool EXTRAS = S::EXTRAS;
  constexpr int M = S::M, QUERIES = S::QUERIES, N = QUERIES / 8, PART = S::COLUMNS;
  const Attention<T>& s = a.s;
  const int part = int(blockIdx.x % unsigned(S::PARTS)), index = int(blockIdx.x / unsigned(S::PARTS));
  const TensorHead<T> head(s, index / a.tiles);
  const int key0 = index % a.tiles * Keys::ROWS, keys = head.keys, queries = int(s.queries);
  const int size = int(s.size), value_size = int(s.value_size);
  T *const k = dynamic_shared<T>(), *const v = k + Keys::VALUES, *const stages = v + Keys::VALUES;
  Line* const lines = reinterpret_cast<Line*>(stages + 2 * S::STAGE);
  uint8_t* const kept_bits = reinterpret_cast<uint8_t*>(lines + 2);  // by query and key % 16: a bit for each 16 keys

  // Tiles of queries: those of the first query head, then those of the next one that shares the keys.
  const int first = s.causal ? key0 / QUERIES * QUERIES : 0;
  const bool any = key0 < keys && first < queries;
  struct Tile {
    int head, query;
  };
  const auto next = [&](Tile t) {
    t.query += QUERIES;
    return t.query < queries ? t : Tile{t.head + 1, first};
  };
  const auto place = [&](Tile t) { return head.place_of({t.head, t.query}); };
  const int end = any ? (head.head + 1) * head.group() : 0;
  const auto load_queries = [&](Tile t, int stage) {
    T* const to = stages + stage * S::STAGE;
    const T* const q = s.q + head.line_of({t.head, t.query}, s.size);
    const T* const dy = a.dy + head.line_of({t.head, t.query}, s.value_size);
    const int left = queries - t.query;
    Queries::load(to, size, a.packed, q, int(s.heads) * size, 0, left);
    Queries::load(to + Queries::VALUES, value_size, a.packed_values, dy, int(s.heads) * value_size, 0, left);
    if (int(threadIdx.x) < QUERIES) {
      const int i = int(threadIdx.x);
      const int64_t at = i < left ? place(t) + i : 0;
      copy_async<4>(&lines[stage].lse[i], a.lse + at, i < left);
      copy_async<4>(&lines[stage].delta[i], a.delta + at, i < left);
    }
    commit_copies();
  };
  Tile tile{any ? head.head * head.group() : 0, first};
  if (any) {
    Keys::load(k, size, a.packed, s.k + head.key_line(0, s.size), int(s.key_heads) * size, key0, keys);
    Keys::load(v, value_size, a.packed_values, s.v + head.key_line(0, s.value_size), int(s.key_heads) * value_size,
               key0, keys);
    load_queries(tile, 0);
  }

  const float scale = a.scale, factor = EXTRAS ? 1.0f : scale, kept = a.kept;
  float dk[M][S::COLUMNS / 8][4], dv[M][S::COLUMNS / 8][4];
  clear(dk);
  clear(dv);
  for (int stage = 0; tile.head < end; stage ^= 1) {
    const int lane = again(int(threadIdx.x)) % 32, column = lane % 4 * 2;
    const int warp_row = again(int(threadIdx.x)) / 32 * 16 * M;
    const Tile now = tile;
    tile = next(tile);
    wait_for_copies<0>();
    __syncthreads();
    if (tile.head < end) load_queries(tile, stage ^ 1);
    if (EXTRAS && s.dropped > 0) {
      for (int i = int(threadIdx.x); i < 16 * QUERIES; i += ATTENTION_THREADS_16) {
        const auto random = random_of(s, place(now) + i / 16, key0 + i % 16);
        uint32_t bits = 0;
#pragma unroll
        for (int e = 0; e < Keys::ROWS / 16; ++e)
          bits |= uint32_t(random_half(random, key0 % int(KEEP_TILE) / 16 + e) >= uint32_t(s.dropped)) << e;
        kept_bits[i] = uint8_t(bits);
      }
      __syncthreads();
    }
    if (s.causal && key0 + warp_row > now.query + QUERIES - 1) continue;  // all of it comes before the warp's keys
    const T* const all = stages + stage * S::STAGE;
    uint32_t weights[M][N / 2][4], of_scores[M][N / 2][4];
    {
      float p[M][N][4], ds[M][N][4];
      const auto own = first_operand<Keys>(k, k, warp_row);
      const auto across = lines_across<Queries>(k, all);
      multiply_lines(p, own, across);
      multiply_lines(ds, own.behind(Keys::ROWS), across.behind(Queries::ROWS));
      const int row = warp_row + lane / 4, key = key0 + row;  // of the first score
      if constexpr (EXTRAS) {
#pragma unroll
        for (int j = 0; j < N; ++j)
#pragma unroll
          for (int c = 0; c < 2; ++c) {
            const int query = now.query + 8 * j + column + c;
            const MaskLines<T> masks(head, Query{now.head, query < queries ? query : 0});
            const int seen = query >= queries ? 0 : s.causal && query + 1 < keys ? query + 1 : keys;
#pragma unroll
            for (int i = 0; i < M; ++i)
#pragma unroll
              for (int half = 0; half < 2; ++half) {
                float& x = p[i][j][2 * half + c];
                const int at = key + 16 * i + 8 * half;
                x = at < seen ? masks(x * scale, at) : -INFINITE<float>;
              }
          }
      } else if (s.causal && now.query < key0 + warp_row + 16 * M - 1) {
#pragma unroll
        for (int i = 0; i < M; ++i)
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            const int n = key + 16 * i + e / 2 * 8 - now.query - column - e % 2;  // queries that come before the key
#pragma unroll
            for (int j = 0; j < N; ++j)
              if (8 * j < n) p[i][j][e] = -INFINITE<float>;
          }
      }
#pragma unroll
      for (int j = 0; j < N; ++j) {
        const auto lse = load_pack<2>(&lines[stage].lse[8 * j + column]);
        const auto delta = load_pack<2>(&lines[stage].delta[8 * j + column]);
#pragma unroll
        for (int i = 0; i < M; ++i)
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            float &score = p[i][j][e], &product = ds[i][j][e];
            score = exp2_fast(fma(score, factor, -lse[e % 2]));
            bool keep = true;
            if (EXTRAS && s.dropped > 0) {
              keep = kept_bits[16 * (8 * j + column + e % 2) + lane / 4 + e / 2 * 8] >> (warp_row / 16 + i) & 1;
              product = keep ? product * kept : 0.0f;
            }
            product = score * (product - delta[e % 2]);
            if (!keep) score = 0;
          }
      }
      narrow_scores<T>(p, weights);
      narrow_scores<T>(ds, of_scores);
    }
    add_lines(dv, weights, values_across<Queries>(k, all + Queries::VALUES + part * PART));
    add_lines(dk, of_scores, values_across<Queries>(k, all + part * PART));
  }

  const int lane = again(int(threadIdx.x)) % 32, warp_row = again(int(threadIdx.x)) / 32 * 16 * M;
  const auto write = [&](T* tile_of, const float (&sum)[M][S::COLUMNS / 8][4], float times, T* to, int n, bool packed) {
    constexpr int CHUNKS = S::COLUMNS / LINE_PACK;
    Keys::put(tile_of, warp_row, part * CHUNKS, sum, [&](int i, int half, float value) {
      return key0 + warp_row + 16 * i + 8 * half + lane / 4 < keys ? value * times : 0.0f;
    });
    Keys::template write<S::COLUMNS>(tile_of, warp_row, 16 * M, part * CHUNKS, n, packed, [&](int row) {
      return key0 + row < int(s.keys) ? to + head.key_line(key0 + row, n) : nullptr;
    });
  };
  write(k, dk, float(s.scale), a.dk, size, a.packed);
  write(v, dv, kept, a.dv, value_size, a.packed_values);
}

}  // namespace attention_16_backward_op
using namespace attention_16_backward_op;

template <class T>
void attention_backward_16(const Attention<T>& s, const T* y, const float* lse, const T* dy, T* dq, T* dk, T* dv,
                           Stream stream) {
  const int64_t heads = s.batch * s.key_heads, rows = s.heads / s.key_heads * s.queries;
  const bool done = with_head_size(s, [&](auto head_size, auto extras) {
    constexpr int SIZE = decltype(head_size)();
    constexpr bool EXTRAS = decltype(extras)();
    using Q = QueryShape<SIZE, EXTRAS>;
    using K = KeyShape<SIZE, EXTRAS>;
    if (size_t(max_of(Q::BYTES, K::BYTES)) > most_shared_bytes()) return false;
    const Scratch<float> delta(heads * rows, stream);
    const bool packed_values =
        lines_of_packs(s.v, s.value_size) && lines_of_packs(dy, s.value_size) && is_packed<LINE_PACK>(y);
    each_row(heads * rows, stream, Delta<T>{s, y, dy, delta.data(), packed_values});
    Backward<T> a{};
    a.s = s;
    a.lse = lse;
    a.delta = delta.data();
    a.dy = dy;
    a.dq = dq;
    a.dk = dk;
    a.dv = dv;
    a.scale = float(s.scale * LOG2_E<double>);
    a.kept = kept_scale<T, float>(s);
    a.packed_values = packed_values && is_packed<LINE_PACK>(dv);
    a.packed = lines_of_packs(s.k, s.size) && lines_of_packs(s.q, s.size) && is_packed<LINE_PACK>(dq) &&
               is_packed<LINE_PACK>(dk);
    if (heads * rows > 0) {
      a.tiles = int(ceil_div(rows, Q::Rows::ROWS));
      launch(of_queries_16<Q, T>, unsigned(heads * a.tiles), ATTENTION_THREADS_16, size_t(Q::BYTES), stream, a);
    }
    if (heads * s.keys > 0) {
      a.tiles = int(ceil_div(s.keys, K::Keys::ROWS));
      launch(of_keys_16<K, T>, unsigned(heads * a.tiles * K::PARTS), ATTENTION_THREADS_16, size_t(K::BYTES), stream, a);
    }
    return true;
  });
  if (done) return;
  const WideAttention<T> wide(s, stream);
  const int64_t outputs = heads * rows * s.value_size;
  const WideArray wide_y(y, outputs, stream), wide_dy(dy, outputs, stream);
  const WideArray wide_dq(wide.q.count, stream), wide_dk(wide.k.count, stream), wide_dv(wide.v.count, stream);
  attention_backward(wide.s, wide_y.values.data(), lse, wide_dy.values.data(), wide_dq.values.data(),
                     wide_dk.values.data(), wide_dv.values.data(), stream);
  wide_dq.narrow(dq);
  wide_dk.narrow(dk);
  wide_dv.narrow(dv);
}

template void attention_backward_16(const Attention<Float16>&, const Float16*, const float*, const Float16*, Float16*,
                                    Float16*, Float16*, Stream);
template void attention_backward_16(const Attention<BFloat16>&, const BFloat16*, const float*, const BFloat16*,
                                    BFloat16*, BFloat16*, BFloat16*, Stream);

}  // namespace lamina::cuda
