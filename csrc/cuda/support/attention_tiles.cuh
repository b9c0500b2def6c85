// Attention in 16 bits: lines in shared memory and their products on tensor cores.
//
// A block has four warps; a warp has 16 M lines of one operand (rows of q, or keys) and meets tiles of the other, two
// stages of them in shared memory: one is on its way while the other is multiplied. Scores, laid out as mma leaves
// them, become the first operand of the next product without leaving their registers.
#pragma once
#include "cuda/support/attention.cuh"

namespace lamina::cuda {

constexpr int ATTENTION_THREADS_16 = 128, LINE_PACK = 8;

/// ROWS lines of SIZE values, the last of them zeros where heads are smaller, in chunks of 16 bytes. Chunks are
/// exchanged so that the eight rows of a matrix that ldmatrix reads lie in different banks.
template <int ROWS_, int SIZE_>
struct Lines {
  static constexpr int ROWS = ROWS_, SIZE = SIZE_, CHUNKS = SIZE / LINE_PACK, VALUES = ROWS * SIZE;
  static constexpr int AT_ONCE = ATTENTION_THREADS_16 / CHUNKS;  // rows that are copied at once
  static_assert(CHUNKS % 8 == 0 && ATTENTION_THREADS_16 % CHUNKS == 0 && ROWS % AT_ONCE == 0);
  static __device__ __forceinline__ int at(int row, int chunk) { return row * SIZE + (chunk ^ (row & 7)) * LINE_PACK; }

  /// Begins to copy lines of `size` values; from(row): where one lies, or null for zeros.
  template <class T, class F>
  static __device__ __forceinline__ void load(T* tile, int size, bool packed, F&& from) {
    const int first = int(threadIdx.x) / CHUNKS, chunk = int(threadIdx.x) % CHUNKS, value = chunk * LINE_PACK;
    if (packed) {
#pragma unroll
      for (int row = 0; row < ROWS; row += AT_ONCE) {
        const T* const line = from(first + row);
        const bool valid = line && value < size;
        copy_async<16>(tile + at(first + row, chunk), valid ? line + value : nullptr, valid);
      }
    } else {
#pragma unroll 1
      for (int row = first; row < ROWS; row += AT_ONCE) {
        const T* const line = from(row);
#pragma unroll 1
        for (int e = 0; e < LINE_PACK; ++e) {
          T copy;
          copy.bits = 0;
          if (line && value + e < size) copy = line[value + e];
          tile[at(row, chunk) + e] = copy;
        }
      }
    }
  }

  /// The same for lines that are `step` apart, from line `begin` on and before line `end`; the others are zeros.
  template <class T>
  static __device__ __forceinline__ void load(T* tile, int size, bool packed, const T* lines, int step, int begin,
                                              int end) {
    const int thread = again(int(threadIdx.x)), first = thread / CHUNKS, chunk = thread % CHUNKS;
    const int value = chunk * LINE_PACK;
    if (packed) {
      const int left = value < size ? end - begin - first : 0;
      int from = (begin + first) * step + value;
#pragma unroll
      for (int row = 0; row < ROWS; row += AT_ONCE, from += AT_ONCE * step)
        copy_async<16>(tile + at(first + row, chunk), lines + from, row < left);
    } else {
      load(tile, size, false, [&](int row) { return begin + row < end ? lines + (begin + row) * step : nullptr; });
    }
  }

  /// A warp's sums, column 8 * chunk on, as lines from `row` on: value(i, half, sum) is what is kept of one.
  template <class T, int M, int N, class F>
  static __device__ __forceinline__ void put(T* tile, int row, int chunk, const float (&sum)[M][N][4], F&& value) {
    const int lane = int(threadIdx.x) % 32;
#pragma unroll
    for (int i = 0; i < M; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half)
#pragma unroll
        for (int j = 0; j < N; ++j) {
          const uint32_t bits =
              narrow_pair<T>(value(i, half, sum[i][j][2 * half]), value(i, half, sum[i][j][2 * half + 1]));
          Pack<T, 2> pair;
          memcpy(&pair, &bits, sizeof bits);
          store_pack(tile + at(row + 16 * i + 8 * half + lane / 4, chunk + j) + lane % 4 * 2, pair);
        }
  }

  /// A warp writes `count` lines from `row` on, COLUMNS values from chunk `chunk` on; to(row): where a line goes, or
  /// null.
  template <int COLUMNS, class T, class F>
  static __device__ __forceinline__ void write(const T* tile, int row, int count, int chunk, int size, bool packed,
                                               F&& to) {
    constexpr int ACROSS_LINE = COLUMNS / LINE_PACK;
    __syncwarp();
#pragma unroll 1
    for (int p = int(threadIdx.x) % 32; p < count * ACROSS_LINE; p += 32) {
      const int line = row + p / ACROSS_LINE, from = chunk + p % ACROSS_LINE, value = from * LINE_PACK;
      T* const target = to(line);
      if (!target || value >= size) continue;
      const Pack<T, LINE_PACK> pack = load_pack<LINE_PACK>(tile + at(line, from));
      if (packed) {
        store_pack(target + value, pack);
      } else {
#pragma unroll
        for (int e = 0; e < LINE_PACK; ++e)
          if (value + e < size) target[value + e] = pack[e];
      }
    }
    __syncwarp();
  }
};

template <int M, int N>
__device__ __forceinline__ void clear(float (&sum)[M][N][4]) {
#pragma unroll
  for (int i = 0; i < M; ++i)
#pragma unroll
    for (int j = 0; j < N; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) sum[i][j][e] = 0;
}

/// Where a thread finds its row of the matrices that ldmatrix reads from a tile: `row` and `second`, whether it has the
/// second chunk of two, are the thread's own; all else is the same for all, and known to the compiler: an address is
/// one exclusive or away, for each of four places in a line.
template <class L, class T>
struct Matrices {
  static constexpr int LINE = L::SIZE * 2;  // bytes
  const unsigned char* memory;
  int offset;
  __device__ __forceinline__ Matrices(const T* start, const T* tile, int row, int second)
      : memory(reinterpret_cast<const unsigned char*>(start)),
        offset(int(tile - start) * 2 + row * LINE + (second ^ (row & 7)) * 16) {}
  /// The same in the tile that follows, or any number of rows on.
  __device__ __forceinline__ Matrices behind(int rows) const {
    Matrices other = *this;
    other.memory += rows * LINE;
    return other;
  }
  /// `rows` further on, a multiple of 8; chunk: even.
  __device__ __forceinline__ const void* at(int rows, int chunk) const {
    return memory + (offset ^ chunk % 8 * 16) + (chunk / 8 * 128 + rows * LINE);
  }
};
/// As the first operand, lines from `row` on being its rows; as the second, lines being its columns; and as the second,
/// values being its columns.
template <class L, class T>
__device__ __forceinline__ Matrices<L, T> first_operand(const T* start, const T* tile, int row) {
  const int lane = int(threadIdx.x) % 32;
  return {start, tile, row + lane % 16, lane / 16};
}
template <class L, class T>
__device__ __forceinline__ Matrices<L, T> lines_across(const T* start, const T* tile) {
  const int lane = again(int(threadIdx.x)) % 32;
  return {start, tile, lane / 16 * 8 + lane % 8, lane / 8 % 2};
}
template <class L, class T>
__device__ __forceinline__ Matrices<L, T> values_across(const T* start, const T* tile) {
  const int lane = again(int(threadIdx.x)) % 32;
  return {start, tile, lane % 16, lane / 16};
}

/// The first operand of products over a line's values: 16 i lines and two chunks.
template <int M, class L, class T>
__device__ __forceinline__ void read_lines(uint32_t (&x)[M][4], const Matrices<L, T>& a, int chunk) {
#pragma unroll
  for (int i = 0; i < M; ++i) ldmatrix_x4(x[i], a.at(16 * i, chunk));
}

/// sum[i][j] += x times lines 8 j of b, over the same two chunks.
template <class L, class T, int M, int N>
__device__ __forceinline__ void multiply_chunks(float (&sum)[M][N][4], const uint32_t (&x)[M][4],
                                                const Matrices<L, T>& b, int chunk) {
  static_assert(N % 2 == 0);
#pragma unroll
  for (int j = 0; j < N; j += 2) {
    uint32_t y[4];
    ldmatrix_x4(y, b.at(8 * j, chunk));
    const uint32_t first[2] = {y[0], y[1]}, second[2] = {y[2], y[3]};
#pragma unroll
    for (int i = 0; i < M; ++i) {
      mma_m16n8k16<T>(sum[i][j], x[i], first, sum[i][j]);
      mma_m16n8k16<T>(sum[i][j + 1], x[i], second, sum[i][j + 1]);
    }
  }
}

/// sum[i][j] = lines 16 i of a times lines 8 j of b: sums over their values.
template <class A, class B, class T, int M, int N>
__device__ __forceinline__ void multiply_lines(float (&sum)[M][N][4], const Matrices<A, T>& a,
                                               const Matrices<B, T>& b) {
  static_assert(A::SIZE == B::SIZE);
  clear(sum);
#pragma unroll
  for (int chunk = 0; chunk < A::CHUNKS; chunk += 2) {
    uint32_t x[M][4];
    read_lines(x, a, chunk);
    multiply_chunks(sum, x, b, chunk);
  }
}

/// Scores as the first operand of a product over their columns.
template <class T, int M, int N>
__device__ __forceinline__ void narrow_scores(const float (&score)[M][N][4], uint32_t (&to)[M][N / 2][4]) {
#pragma unroll
  for (int i = 0; i < M; ++i)
#pragma unroll
    for (int j = 0; j < N; ++j)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        to[i][j / 2][j % 2 * 2 + half] = narrow_pair<T>(score[i][j][2 * half], score[i][j][2 * half + 1]);
}

/// sum[i][j] += weights times the lines of b: sums over the lines, of values 8 j.
template <class B, class T, int M, int N, int K>
__device__ __forceinline__ void add_lines(float (&sum)[M][N][4], const uint32_t (&weights)[M][K][4],
                                          const Matrices<B, T>& b) {
  static_assert(B::ROWS == 16 * K && N % 2 == 0);
#pragma unroll
  for (int k = 0; k < K; ++k)
#pragma unroll
    for (int j = 0; j < N; j += 2) {
      uint32_t y[4];
      ldmatrix_x4<true>(y, b.at(16 * k, j));
      const uint32_t first[2] = {y[0], y[1]}, second[2] = {y[2], y[3]};
#pragma unroll
      for (int i = 0; i < M; ++i) {
        mma_m16n8k16<T>(sum[i][j], weights[i][k], first, sum[i][j]);
        mma_m16n8k16<T>(sum[i][j + 1], weights[i][k], second, sum[i][j + 1]);
      }
    }
}

}  // namespace lamina::cuda
