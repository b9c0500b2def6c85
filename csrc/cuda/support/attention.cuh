// What attention's forward and backward share: one head's view of the arrays, masks, products of tiles. The
// constants and the order of every sum are the CPU's (cpu/support/attention.h), and so are the bits.
#pragma once
#include "cuda/support/packs.cuh"
#include "cuda/support/row.cuh"
#include "ops/attention.h"
#include "ops/gemm.h"
#include "support/exp2.h"
#include "support/philox.h"

namespace lamina::cuda {

constexpr int ATTENTION_THREADS = 256, DOWN = 8, ACROSS = 32;  // threads down and across a tile
constexpr int COLUMNS_EACH = 2, COLUMNS = ACROSS * COLUMNS_EACH;
constexpr int64_t KEEP_TILE = 128;

template <class T>
constexpr int PER_PACK = 16 / int(sizeof(T));
template <class T>
constexpr int STAGE = 8 * PER_PACK<T>;  // steps of k that are in shared memory at once
static_assert(CHAIN % STAGE<float> == 0 && CHAIN % STAGE<double> == 0);
template <class T>
constexpr int STAGE_PITCH = STAGE<T> + PER_PACK<T>;  // of rows of STAGE values: neighbours lie in different banks

/// A key head, and the query heads that share it: their queries are rows, one head after the other.
template <class T>
struct Head {
  const Attention<T>& s;
  int64_t batch, head, group, rows, keys;  // head: of the keys; keys: those that the lengths leave
  __device__ Head(const Attention<T>& a, int64_t index)
      : s(a),
        batch(index / a.key_heads),
        head(index % a.key_heads),
        group(a.heads / a.key_heads),
        rows(group * a.queries),
        keys(a.lengths ? max_of(0, min_of(a.lengths[batch], a.keys)) : a.keys) {}

  /// Where a row of q (or y) begins, and one of k (or v).
  __device__ int64_t row_at(int64_t row, int64_t size) const {
    const Split of = split(row, s.queries);
    return ((batch * s.queries + of.at) * s.heads + head * group + of.rest) * size;
  }
  __device__ int64_t key_at(int64_t key, int64_t size) const {
    return ((batch * s.keys + key) * s.key_heads + head) * size;
  }
  /// A row's place among all: in lse, and for the random numbers.
  __device__ int64_t place(int64_t row) const { return (batch * s.heads + head * group) * s.queries + row; }
  /// How many keys the rows [begin, begin + count) see at most.
  __device__ int64_t limit(int64_t begin, int64_t count) const {
    if (!s.causal) return keys;
    const int64_t first = split(begin, s.queries).at;
    return min_of(keys, first + count <= s.queries ? first + count : s.queries);
  }
  /// A score with what masks add to it; -infinity where the key, which is before the row's limit, is not seen.
  __device__ T masked(T score, int64_t row, int64_t key) const {
    const auto place_in = [&](const auto& m) {
      const Split of = split(row, s.queries);
      return batch * m.batch + (head * group + of.rest) * m.head + of.at * m.query + key;
    };
    if (s.added.values) score = fma(s.added.values[place_in(s.added)], LOG2_E<T>, score);
    if (s.seen.values && !s.seen.values[place_in(s.seen)]) return -INFINITE<T>;
    return score;
  }
};

/// The random number for the elements of a row of scores (by its place) in lane `key % 16` of a tile of 128 keys; and
/// one of its eight halves, that of the lane's element in an eighth of the tile.
template <class T>
__device__ Philox<uint64_t> random_of(const Attention<T>& s, int64_t place, int64_t key) {
  const uint64_t tile = uint64_t(place) * uint64_t(ceil_div(s.keys, KEEP_TILE)) + uint64_t(key / KEEP_TILE);
  const uint64_t number = tile * 16 + uint64_t(key % 16);
  return philox<uint64_t>(number, number >> 32, s.stream, s.seed);
}
__device__ __forceinline__ uint32_t random_half(const Philox<uint64_t>& random, int eighth) {
  const uint32_t w0 = uint32_t(random.word[0]), w1 = uint32_t(random.word[1]);
  const uint32_t w2 = uint32_t(random.word[2]), w3 = uint32_t(random.word[3]);
  const uint32_t low = eighth & 2 ? w1 : w0, high = eighth & 2 ? w3 : w2, word = eighth & 4 ? high : low;
  return word >> (eighth % 2 * 16) & 0xffff;
}

/// Whether dropout keeps elements of a row of scores.
template <class T>
struct Keep {
  Philox<uint64_t> random;
  uint32_t dropped;
  __device__ Keep(const Head<T>& head, int64_t row, int64_t key) : dropped(uint32_t(head.s.dropped)) {
    if (dropped != 0) random = random_of(head.s, head.place(row), key);
  }
  __device__ T operator()(int64_t key, T p) const {
    return dropped == 0 || random_half(random, int(key % KEEP_TILE) / 16) >= dropped ? p : T(0);
  }
};

/// What a kept value is multiplied by.
template <class T, class Sum = T>
__host__ __device__ Sum kept_scale(const Attention<T>& s) {
  return s.dropped < 65536 ? Sum(65536) / Sum(65536 - s.dropped) : Sum(0);
}

/// Begins to copy lines of n values to shared memory, `pitch` apart there; from(line): where one lies, or null.
template <class T, class F>
__device__ void copy_lines(T* to, int pitch, int lines, int n, bool packed, F&& from) {
  const int each = packed ? PER_PACK<T> : 1, packs = (n + each - 1) / each;
  for (int i = int(threadIdx.x); i < lines * packs; i += ATTENTION_THREADS) {
    const int line = int(unsigned(i) / unsigned(packs)), at = (i - line * packs) * each;
    const T* const source = from(line);
    if (!source) continue;
    if (packed)
      copy_async<16>(to + line * pitch + at, source + at);
    else
      copy_async<int(sizeof(T))>(to + line * pitch + at, source + at);
  }
}
/// The same at once, times a factor.
template <class T, class F>
__device__ void scale_lines(T* to, int pitch, int lines, int n, T factor, F&& from) {
  for (int i = int(threadIdx.x); i < lines * n; i += ATTENTION_THREADS) {
    const int line = int(unsigned(i) / unsigned(n)), at = i - line * n;
    const T* const source = from(line);
    if (source) to[line * pitch + at] = source[at] * factor;
  }
}

/// A thread's part of a product of (DOWN * EACH) x COLUMNS: rows down + DOWN * i, columns across + ACROSS * j.
struct Spot {
  int down, across;
  __device__ Spot() : down(int(threadIdx.x) / ACROSS), across(int(threadIdx.x) % ACROSS) {}
};

/// Chains over `depth` steps, added in order. stage(at, k0, n) begins to bring steps [k0, k0 + n) to stage `at`;
/// a(at, k0, k, row) is a pack of steps of a row, from k0 + k on; b(at, k, steps, column, values) those of a column.
template <int EACH, class T, class Stage, class A, class B>
__device__ void tile_chains(int64_t depth, Stage&& stage, A&& a, B&& b, T (&total)[EACH][COLUMNS_EACH]) {
  constexpr int N = PER_PACK<T>;
  const Spot spot;
  T sum[EACH][COLUMNS_EACH];
#pragma unroll
  for (int i = 0; i < EACH; ++i)
#pragma unroll
    for (int j = 0; j < COLUMNS_EACH; ++j) total[i][j] = sum[i][j] = 0;
  const auto begin = [&](int at, int64_t k0) {
    stage(at, k0, int(min_of(depth - k0, STAGE<T>)));
    commit_copies();
  };
  if (depth > 0) begin(0, 0);
  int at = 0;
  for (int64_t k0 = 0; k0 < depth; k0 += STAGE<T>, at ^= 1) {
    if (k0 + STAGE<T> < depth) {
      begin(at ^ 1, k0 + STAGE<T>);
      wait_for_copies<1>();
    } else {
      wait_for_copies<0>();
    }
    __syncthreads();
    const int n = int(min_of(depth - k0, STAGE<T>));
#pragma unroll 2
    for (int k = 0; k < n; k += N) {
      Pack<T, N> x[EACH];
      T y[COLUMNS_EACH][N];
#pragma unroll
      for (int i = 0; i < EACH; ++i) x[i] = a(at, k0, k, spot.down + DOWN * i);
#pragma unroll
      for (int j = 0; j < COLUMNS_EACH; ++j) b(at, k, spot.across + ACROSS * j, y[j]);
#pragma unroll
      for (int e = 0; e < N; ++e) {
        if (k + e >= n) break;
#pragma unroll
        for (int i = 0; i < EACH; ++i)
#pragma unroll
          for (int j = 0; j < COLUMNS_EACH; ++j) sum[i][j] = fma(x[i][e], y[j][e], sum[i][j]);
      }
    }
    if ((k0 + STAGE<T>) % CHAIN == 0 || k0 + STAGE<T> >= depth)
#pragma unroll
      for (int i = 0; i < EACH; ++i)
#pragma unroll
        for (int j = 0; j < COLUMNS_EACH; ++j) {
          total[i][j] = k0 < CHAIN ? sum[i][j] : total[i][j] + sum[i][j];
          sum[i][j] = 0;
        }
    __syncthreads();
  }
}

/// Two stages of both operands in shared memory.
template <class T, int EACH>
struct Stages {
  static constexpr int64_t A = DOWN * EACH * STAGE_PITCH<T>, B = COLUMNS * STAGE_PITCH<T>, SIZE = 2 * (A + B);
  T* at;
  __device__ T* a(int stage) const { return at + stage * A; }
  __device__ T* b(int stage) const { return at + 2 * A + stage * B; }
};

/// to[row][column] = the product of lines row(i) (times `factor`, if it is not 1) and column(j), all of `size` values.
template <int EACH, class T, class Row, class Column>
__device__ void scores_of(const Stages<T, EACH>& stages, int64_t size, bool packed, T factor, T column_factor,
                          int columns, Row&& row, Column&& column, T* to, int to_pitch) {
  constexpr int PITCH = STAGE_PITCH<T>, N = PER_PACK<T>;
  const Spot spot;
  const auto lines = [&](T* stage, int count, int n, T scale, auto&& from) {
    if (scale == 1)
      copy_lines(stage, PITCH, count, n, packed, from);
    else
      scale_lines(stage, PITCH, count, n, scale, from);
  };
  for (int first = 0; first < columns; first += COLUMNS) {
    T total[EACH][COLUMNS_EACH];
    tile_chains<EACH>(
        size,
        [&](int at, int64_t k0, int n) {
          const auto moved = [&](const T* p) { return p ? p + k0 : p; };
          lines(stages.a(at), DOWN * EACH, n, factor, [&](int i) { return moved(row(i)); });
          lines(stages.b(at), COLUMNS, n, column_factor, [&](int j) { return moved(column(first + j)); });
        },
        [&](int at, int64_t, int k, int i) { return load_pack<N>(stages.a(at) + i * PITCH + k); },
        [&](int at, int k, int j, T(&y)[N]) {
          const auto pack = load_pack<N>(stages.b(at) + j * PITCH + k);
#pragma unroll
          for (int e = 0; e < N; ++e) y[e] = pack[e];
        },
        total);
#pragma unroll
    for (int i = 0; i < EACH; ++i)
#pragma unroll
      for (int j = 0; j < COLUMNS_EACH; ++j) {
        const int at = first + spot.across + ACROSS * j;
        if (at < columns) to[(spot.down + DOWN * i) * to_pitch + at] = total[i][j];
      }
  }
}

/// f(row, column, sum) for the product of rows of weights in shared memory (`pitch` apart) and lines line(k) of `size`
/// values: a sum over the lines.
template <int EACH, class T, class Line, class F>
__device__ void weighted_lines(const Stages<T, EACH>& stages, const T* weights, int pitch, int64_t depth, int64_t size,
                               bool packed, T factor, Line&& line, F&& f) {
  constexpr int N = PER_PACK<T>;
  const Spot spot;
  for (int64_t first = 0; first < size; first += COLUMNS) {
    const int columns = int(min_of(size - first, COLUMNS));
    T total[EACH][COLUMNS_EACH];
    tile_chains<EACH>(
        depth,
        [&](int at, int64_t k0, int n) {
          const auto from = [&](int k) { return line(k0 + k) + first; };
          if (factor == 1)
            copy_lines(stages.b(at), COLUMNS, n, columns, packed, from);
          else
            scale_lines(stages.b(at), COLUMNS, n, columns, factor, from);
        },
        [&](int, int64_t k0, int k, int i) { return load_pack<N>(weights + i * pitch + k0 + k); },
        [&](int at, int k, int j, T(&y)[N]) {
#pragma unroll
          for (int e = 0; e < N; ++e) y[e] = stages.b(at)[(k + e) * COLUMNS + j];
        },
        total);
#pragma unroll
    for (int i = 0; i < EACH; ++i)
#pragma unroll
      for (int j = 0; j < COLUMNS_EACH; ++j)
        if (spot.across + ACROSS * j < columns) f(spot.down + DOWN * i, first + spot.across + ACROSS * j, total[i][j]);
  }
}

/// f(set, row) by the 16 threads of each row of a tile; set: 0, 1, ... of this thread's rows.
template <int ROWS, class F>
__device__ void each_tile_row(int rows, F&& f) {
  constexpr int AT_ONCE = ATTENTION_THREADS / ROW_LANES;
  const RowLane lane{int(threadIdx.x) % ROW_LANES, 0xffffu << (threadIdx.x & 16)};
#pragma unroll
  for (int set = 0; set < (ROWS + AT_ONCE - 1) / AT_ONCE; ++set) {
    const int row = int(threadIdx.x) / ROW_LANES + set * AT_ONCE;
    if (row < rows) f(set, row, lane);
  }
}

/// Whether lines of q, k or v, `size` values each, may be copied 16 bytes at a time.
template <class T>
bool lines_of_packs(const T* p, int64_t size) {
  return is_packed<PER_PACK<T>>(p) && size % PER_PACK<T> == 0;
}

/// f(Int<rows a thread>): 4 where a tile has use of them and shared memory is there (bytes(rows a thread)), else 1;
/// float64 is for checks.
template <class T, class Bytes, class F>
void with_rows(int64_t rows, Bytes&& bytes, F&& f) {
  if constexpr (sizeof(T) == 4)
    if (rows > DOWN && size_t(bytes(4)) <= most_shared_bytes()) return f(Int<4>{});
  f(Int<1>{});
}

}  // namespace lamina::cuda
