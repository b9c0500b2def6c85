// From the fragments that mma leaves to rows of C: through shared memory, so that a loop over rows that is compiled
// once does with the sums what has to be done, on whole sectors.
#pragma once
#include "cuda/support/cuda.cuh"

namespace lamina::cuda {

/// N values of a row of `count`, from `column` on: those that there are. packed: N at once, of which count is a
/// multiple.
template <int N, class T>
__device__ __forceinline__ Pack<T, N> load_columns(const T* row, int64_t column, int64_t count, bool packed) {
  Pack<T, N> v{};
  if (packed) {
    if (column < count) v = load_pack<N>(row + column);
  } else {
#pragma unroll
    for (int e = 0; e < N; ++e)
      if (column + e < count) v[e] = row[column + e];
  }
  return v;
}
template <int N, class T>
__device__ __forceinline__ void store_columns(T* row, int64_t column, int64_t count, bool packed, const Pack<T, N>& v) {
  if (packed) {
    if (column < count) store_pack(row + column, v);
  } else {
#pragma unroll
    for (int e = 0; e < N; ++e)
      if (column + e < count) row[column + e] = v[e];
  }
}

/// A warp's sums as rows, ROWS of them at once: eight lanes have a row, and each has four columns of every 32.
template <int M, int N>
struct WarpRows {
  static constexpr int ROWS = 32, QUADS = N / 4;
  static constexpr int PITCH = 8 * N + 8;  // eight words beyond a multiple of 32: four rows of pairs lie in all banks
  static constexpr int SPACE = ROWS * PITCH;
  static_assert(16 * M % ROWS == 0 && N % 4 == 0);

  static __device__ __forceinline__ int column(int quad) { return 32 * quad + again(int(threadIdx.x)) % 8 * 4; }

  /// f(row, quads) for the rows of the warp; space: SPACE floats of its own.
  template <class F>
  static __device__ __forceinline__ void each(const float (&sum)[M][N][4], float* space, F&& f) {
    const int lane = again(int(threadIdx.x)) % 32, own = column(0);
    float* const pairs = space + lane / 4 * PITCH + lane % 4 * 2;
#pragma unroll 1
    for (int first = 0; first < 16 * M; first += ROWS) {
#pragma unroll
      for (int i = 0; i < M; ++i) {
        if (16 * i / ROWS * ROWS != first) continue;
#pragma unroll
        for (int j = 0; j < N; ++j)
#pragma unroll
          for (int half = 0; half < 2; ++half)
            store_pack(pairs + (16 * i % ROWS + 8 * half) * PITCH + 8 * j,
                       Pack<float, 2>{{sum[i][j][2 * half], sum[i][j][2 * half + 1]}});
      }
      __syncwarp();
#pragma unroll 1
      for (int row = lane / 8; row < ROWS; row += 4) {
        Pack<float, 4> quads[QUADS];
#pragma unroll
        for (int q = 0; q < QUADS; ++q) quads[q] = load_pack<4>(space + row * PITCH + own + 32 * q);
        f(first + row, quads);
      }
      __syncwarp();
    }
  }
};

}  // namespace lamina::cuda
