// Attention in 16 bits, what is not products: heads and rows in numbers of 32 bits, masks and dropout of scores that
// lie in registers, and the choice of a kernel. Registers are what such a kernel has least of: what it needs once a
// tile lies in shared memory or is computed again.
#pragma once
#include <type_traits>

#include "cuda/support/attention_tiles.cuh"

namespace lamina::cuda {

/// A row of a key head: a query of one of the heads that share it.
struct Query {
  int head, query;
};

/// One key head, in numbers of 32 bits: there are few registers. Its rows are the queries of the heads that share it,
/// one head after the other.
template <class T>
struct TensorHead {
  const Attention<T>& s;
  int batch, head, keys;  // keys: those that the lengths leave
  __device__ __forceinline__ TensorHead(const Attention<T>& a, int index)
      : s(a),
        batch(index / int(a.key_heads)),
        head(index - batch * int(a.key_heads)),
        keys(int(a.lengths ? max_of(0, min_of(a.lengths[batch], a.keys)) : a.keys)) {}
  __device__ __forceinline__ int group() const { return int(s.heads) / int(s.key_heads); }
  __device__ __forceinline__ int rows() const { return group() * int(s.queries); }
  __device__ __forceinline__ Query query_of(int row) const {
    const uint32_t queries = uint32_t(s.queries), h = uint32_t(row) / queries;
    return {head * group() + int(h), int(uint32_t(row) - h * queries)};
  }
  /// Where lines of q, or y, and of k, or v, begin.
  __device__ __forceinline__ int64_t line_of(Query q, int64_t size) const {
    return ((batch * s.queries + q.query) * s.heads + q.head) * size;
  }
  __device__ __forceinline__ int64_t key_line(int key, int64_t size) const {
    return ((batch * s.keys + key) * s.key_heads + head) * size;
  }
  /// A row's place among all: in lse, and for the random numbers.
  __device__ __forceinline__ int64_t place_of(Query q) const {
    return (batch * s.heads + q.head) * s.queries + q.query;
  }
  /// How many keys a row sees at most; how many one of [begin, begin + count) does.
  __device__ __forceinline__ int seen(int row) const {
    const int query = s.causal ? query_of(row).query + 1 : keys;
    return query < keys ? query : keys;
  }
  __device__ __forceinline__ int limit(int begin, int count) const {
    if (!s.causal) return keys;
    const int last = query_of(begin).query + count, queries = int(s.queries), most = last < queries ? last : queries;
    return most < keys ? most : keys;
  }
};

/// A block's rows, of a head's `tiles` of them; the last ones first: where causal they see most.
template <class T, int ROWS>
struct RowTile {
  TensorHead<T> head;
  int row0, rows;
  __device__ __forceinline__ RowTile(const Attention<T>& s, int block, int tiles)
      : head(s, block / tiles),
        row0((tiles - 1 - block % tiles) * ROWS),
        rows(head.rows() - row0 < ROWS ? head.rows() - row0 : ROWS) {}
  /// Where line i of q or y begins; null behind the last.
  template <class U>
  __device__ __forceinline__ U* line(U* from, int i, int64_t size) const {
    return i < rows ? from + head.line_of(head.query_of(row0 + i), size) : nullptr;
  }
};

/// Where a head's keys and values lie. In shared memory: a pass needs all registers, and this once a tile.
template <class T>
struct KeyLines {
  const T *keys, *values;
  int key_step, value_step, count, size, value_size;
  bool packed, packed_values;
  __device__ KeyLines(const TensorHead<T>& head, bool packed_lines, bool packed_lines_of_values)
      : keys(head.s.k + head.key_line(0, head.s.size)),
        values(head.s.v + head.key_line(0, head.s.value_size)),
        key_step(int(head.s.key_heads * head.s.size)),
        value_step(int(head.s.key_heads * head.s.value_size)),
        count(head.keys),
        size(int(head.s.size)),
        value_size(int(head.s.value_size)),
        packed(packed_lines),
        packed_values(packed_lines_of_values) {}
  /// Begins to copy a tile of them, keys and then values.
  template <class L>
  __device__ __forceinline__ void load(T* to, int key) const {
    L::load(to, size, packed, keys, key_step, key, count);
    L::load(to + L::VALUES, value_size, packed_values, values, value_step, key, count);
    commit_copies();
  }
};

/// What a warp keeps of its rows in shared memory: how many keys each sees at most, the least and the most of them.
template <int M>
struct RowLimits {
  int least, most, seen[16 * M];
};
/// For the backward pass.
template <int M>
struct RowSums : RowLimits<M> {
  float lse[16 * M], delta[16 * M];
};

/// What a block keeps there beside its tiles.
template <class T, class Rows>
struct BlockState {
  KeyLines<T> lines;
  Rows warps[ATTENTION_THREADS_16 / 32];
};

/// The lines of both masks that a query has.
template <class T>
struct MaskLines {
  const T* added;
  const uint8_t* seen;
  __device__ __forceinline__ MaskLines(const TensorHead<T>& head, Query q) {
    const auto line = [&](const auto& m) {
      return m.values ? m.values + head.batch * m.batch + q.head * m.head + q.query * m.query : nullptr;
    };
    added = line(head.s.added);
    seen = line(head.s.seen);
  }
  __device__ __forceinline__ float operator()(float score, int key) const {
    if (added) score = fma(float(added[key]), LOG2_E<float>, score);
    return seen && !seen[key] ? -INFINITE<float> : score;
  }
};

/// The rows whose scores a thread has: 16 i + 8 half + lane / 4 of a warp's, columns 8 j + lane % 4 * 2.
template <class T, int M, class Rows>
struct ThreadRows {
  BlockState<T, Rows>& state;
  int row0;  // the block's first
  __device__ ThreadRows(const TensorHead<T>& head, int first_row, BlockState<T, Rows>& block)
      : state(block), row0(first_row) {
    const int first = row0 + int(threadIdx.x) / 32 * 16 * M;
    auto& warp = state.warps[threadIdx.x / 32];
    const int rows = head.rows(), lane = int(threadIdx.x) % 32;
    int least = head.keys, most = 0;
#pragma unroll
    for (int i = lane; i < 16 * M; i += 32) {
      const bool inside = first + i < rows;
      const int keys = inside ? head.seen(first + i) : head.keys;
      warp.seen[i] = keys;
      least = keys < least ? keys : least;
      most = inside && keys > most ? keys : most;
    }
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
      const int low = __shfl_xor_sync(ALL_LANES, least, step), high = __shfl_xor_sync(ALL_LANES, most, step);
      least = low < least ? low : least;
      most = high > most ? high : most;
    }
    if (lane == 0) {
      warp.least = least;
      warp.most = most;
    }
    __syncwarp();
  }
  static __device__ __forceinline__ int thread() { return again(int(threadIdx.x)); }
  static __device__ __forceinline__ int column() { return thread() % 4 * 2; }
  /// In the block's rows.
  static __device__ __forceinline__ int place(int i, int half) {
    return thread() / 32 * 16 * M + 16 * i + 8 * half + thread() % 32 / 4;
  }
  __device__ __forceinline__ const auto& warp() const { return state.warps[thread() / 32]; }

  /// f(i, half, n, row) for each of them: those of its scores from column n of the thread's on are not seen.
  template <class F>
  __device__ __forceinline__ void each(int key, F&& f) const {
    const auto& of_warp = warp();
    const int lane = thread() % 32, first = key + lane % 4 * 2, row = row0 + place(0, 0);
#pragma unroll
    for (int i = 0; i < M; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int at = 16 * i + 8 * half;
        f(i, half, of_warp.seen[at + lane / 4] - first, row + at);
      }
  }
  /// f(i, half, lse, delta)
  template <class F>
  __device__ __forceinline__ void each_state(F&& f) const {
    const auto& of_warp = warp();
    const int lane = thread() % 32;
#pragma unroll
    for (int i = 0; i < M; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int at = 16 * i + 8 * half + lane / 4;
        f(i, half, of_warp.lse[at], of_warp.delta[at]);
      }
  }
  /// Scores of keys from `key` on that are not seen become -infinity.
  template <int N>
  __device__ __forceinline__ void hide(float (&score)[M][N][4], int key) const {
    if (key + 8 * N <= warp().least) return;
    each(key, [&](int i, int half, int n, int) {
#pragma unroll
      for (int j = 0; j < N; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e)
          if (8 * j + e >= n) score[i][j][2 * half + e] = -INFINITE<float>;
    });
  }
  /// The same, after the scale and what masks add.
  template <int N>
  __device__ __forceinline__ void mask(const TensorHead<T>& head, float scale, float (&score)[M][N][4], int key) const {
    const int first_key = key + column(), rows = head.rows();
    each(key, [&](int i, int half, int n, int row) {
      if (row >= rows) return;
      const MaskLines<T> lines(head, head.query_of(row));
#pragma unroll
      for (int j = 0; j < N; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          float& x = score[i][j][2 * half + e];
          x = 8 * j + e < n ? lines(x * scale, first_key + 8 * j + e) : -INFINITE<float>;
        }
    });
  }
  /// drop(i, j, e) for the elements that dropout sets to 0; `key`, the first, is a multiple of 8 N.
  template <int N, class F>
  __device__ __forceinline__ void each_dropped(const TensorHead<T>& head, int key, F&& drop) const {
    static_assert(KEEP_TILE % (8 * N) == 0 && N <= 16);
#pragma unroll
    for (int i = 0; i < M; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int64_t of_row = head.place_of(head.query_of(row0 + place(i, half)));
        uint32_t dropped = 0;
#pragma unroll 1                                   // for the registers
        for (int of_16 = 0; of_16 < 4; ++of_16) {  // keys 0, 1, 8, 9 from the thread's column on, of each 16
          const auto random = random_of(head.s, of_row, key + column() + of_16 / 2 * 8 + of_16 % 2);
#pragma unroll
          for (int j = 0; j < N / 2; ++j)
            dropped |= uint32_t(random_half(random, key % int(KEEP_TILE) / 16 + j) < uint32_t(head.s.dropped))
                       << (of_16 * (N / 2) + j);
        }
#pragma unroll
        for (int j = 0; j < N; ++j)
#pragma unroll
          for (int e = 0; e < 2; ++e)
            if (dropped >> ((j % 2 * 2 + e) * (N / 2) + j / 2) & 1) drop(i, j, 2 * half + e);
      }
  }
};

/// Whether a score needs more than its scale and a limit of keys. (A scale of 0 or less would not keep -infinity.)
template <class T>
bool has_extras(const Attention<T>& s) {
  return s.added.values || s.seen.values || s.dropped > 0 || !(float(s.scale) > 0 && float(s.scale) < INFINITE<float>);
}

/// f(Int<64, 128 or 256>, Int<has_extras>), which says whether it has done the work: heads are as long as the longer
/// of q's and v's, rounded up to those. False too where tensor cores do not take them.
template <class T, class F>
bool with_head_size(const Attention<T>& s, F&& f) {
  constexpr int64_t MOST = int64_t(1) << 31;  // of values of a sample
  const int64_t size = max_of(s.size, s.value_size);
  if (size > 256 || s.batch * s.key_heads >= MOST) return false;
  if ((s.keys + 256) * s.key_heads * size >= MOST || (s.queries + 256) * s.heads * size >= MOST) return false;
  if (std::is_same_v<T, BFloat16> && !multiplies_bfloat16()) return false;
  const auto by_extras = [&](auto head_size) {
    return has_extras(s) ? f(head_size, Int<1>{}) : f(head_size, Int<0>{});
  };
  return size <= 64 ? by_extras(Int<64>{}) : size <= 128 ? by_extras(Int<128>{}) : by_extras(Int<256>{});
}

}  // namespace lamina::cuda
