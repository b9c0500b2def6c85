#include "cuda/support/elementwise.cuh"
#include "ops/running.h"

namespace lamina::cuda {
namespace running_op {

template <Running R, class T>
__device__ __forceinline__ T combined(T a, T b) {
  return R == Running::sum ? a + b : a * b;
}

/// A thread has a column, its neighbours the columns beside it; eight values are read before any is written.
template <Running R, class T>
struct Columns {
  bool reversed;
  int64_t length, inner;
  const T* x;
  T* y;
  __device__ void operator()(int64_t column) const {
    constexpr int AHEAD = 8;
    const int64_t step = reversed ? -inner : inner;
    int64_t at = column / inner * length * inner + column % inner + (reversed ? (length - 1) * inner : 0);
    T result = 0;
    for (int64_t r = 0; r < length; r += AHEAD) {
      T v[AHEAD];
#pragma unroll
      for (int k = 0; k < AHEAD; ++k)
        if (r + k < length) v[k] = x[at + k * step];
#pragma unroll
      for (int k = 0; k < AHEAD; ++k)
        if (r + k < length) {
          result = r + k == 0 ? v[k] : combined<R>(result, v[k]);
          y[at + k * step] = result;
        }
      at += AHEAD * step;
    }
  }
};

constexpr int TILE = 32;

/// 32 rows by a block, 32 values of each at once: read along the rows, run through by a thread a row.
template <Running R, class T>
__global__ void rows_kernel(bool reversed, int64_t rows, int64_t length, const T* x, T* y) {
  auto& tile = shared<T[TILE][TILE + 1]>();
  const int lane = int(threadIdx.x) % TILE, warp = int(threadIdx.x) / TILE;
  for (int64_t first = int64_t(blockIdx.x) * TILE; first < rows; first += int64_t(gridDim.x) * TILE) {
    T result = 0;
    for (int64_t begin = 0; begin < length; begin += TILE) {
      const int64_t place = reversed ? length - 1 - begin - lane : begin + lane;
      const bool inside = begin + lane < length;
      for (int row = warp; row < TILE; row += BLOCK / TILE)
        if (inside && first + row < rows) tile[row][lane] = x[(first + row) * length + place];
      __syncthreads();
      if (warp == 0 && first + lane < rows) {
        const int count = int(min_of(TILE, length - begin));
        for (int i = 0; i < count; ++i) {
          result = begin + i == 0 ? tile[lane][i] : combined<R>(result, tile[lane][i]);
          tile[lane][i] = result;
        }
      }
      __syncthreads();
      for (int row = warp; row < TILE; row += BLOCK / TILE)
        if (inside && first + row < rows) y[(first + row) * length + place] = tile[row][lane];
    }
    __syncthreads();
  }
}

template <Running R, class T>
void run(bool reversed, int64_t outer, int64_t length, int64_t inner, const T* x, T* y, Stream stream) {
  if (inner != 1) return each(outer * inner, stream, Columns<R, T>{reversed, length, inner, x, y});
  if (outer == 0) return;
  const auto blocks = unsigned(min_of(ceil_div(outer, TILE), MOST_BLOCKS));
  launch(rows_kernel<R, T>, blocks, BLOCK, 0, stream, reversed, outer, length, x, y);
}

}  // namespace running_op

template <class T>
void running(Running operation, bool reversed, int64_t outer, int64_t length, int64_t inner, const T* x, T* y,
             Stream stream) {
  if (length == 0) return;
  if (operation == Running::sum)
    running_op::run<Running::sum>(reversed, outer, length, inner, x, y, stream);
  else
    running_op::run<Running::product>(reversed, outer, length, inner, x, y, stream);
}

template void running(Running, bool, int64_t, int64_t, int64_t, const float*, float*, Stream);
template void running(Running, bool, int64_t, int64_t, int64_t, const double*, double*, Stream);

}  // namespace lamina::cuda
