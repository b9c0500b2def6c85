#include "cuda/support/sums.cuh"
#include "ops/reduce_sum.h"

namespace lamina::cuda {
namespace reduce_sum_op {

constexpr int64_t SHORT = 512;  // a row of so many values is summed by its 16 threads alone

template <class T>
struct ShortRow {
  int64_t n;
  const T* x;
  T* y;
  __device__ void operator()(int64_t row, RowLane lane) const {
    const T sum = sum_row<T>(n, lane, [&](int64_t i, T& total) { total = total + x[row * n + i]; });
    if (lane.lane == 0) y[row] = sum;
  }
};

/// A block for each piece of each row.
template <class T>
__global__ void piece_kernel(int64_t tasks, int64_t pieces, int64_t n, const T* x, T* sums) {
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int64_t begin = task % pieces * ROW_PIECE;
    const T* const from = x + task / pieces * n + begin;
    const T sum = sum_by_block<1, T>(
        min_of(ROW_PIECE, n - begin), [&](int64_t i, T(&v)[1]) { v[0] = from[i]; },
        [](T total, T v) { return total + v; });
    if (threadIdx.x == 0) sums[task] = sum;
  }
}

template <class T>
__global__ void join_kernel(int64_t rows, int64_t pieces, const T* sums, T* y) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T sum = sum_in_order(pieces, T(0), [&](int64_t p) { return sums[row * pieces + p]; });
    if (threadIdx.x == 0) y[row] = sum;
  }
}

template <class T>
struct Element {
  int64_t rows, columns;
  const T* x;
  __device__ T operator()(int64_t o, int64_t row, int64_t column) const {
    return x[(o * rows + row) * columns + column];
  }
};

}  // namespace reduce_sum_op
using namespace reduce_sum_op;

template <class T>
void reduce_sum(int64_t outer, int64_t reduced, int64_t inner, const T* x, T* y, Stream stream) {
  if (inner != 1 || reduced == 0) return sum_columns(outer, reduced, inner, stream, Element<T>{reduced, inner, x}, y);
  if (reduced <= SHORT) return each_row(outer, stream, ShortRow<T>{reduced, x, y});
  const int64_t pieces = ceil_div(reduced, ROW_PIECE), tasks = outer * pieces;
  if (tasks == 0) return;
  const Scratch<T> sums(pieces > 1 ? tasks : 0, stream);
  launch(piece_kernel<T>, unsigned(min_of(tasks, MOST_BLOCKS)), BLOCK, 0, stream, tasks, pieces, reduced, x,
         pieces > 1 ? sums.data() : y);
  if (pieces > 1)
    launch(join_kernel<T>, unsigned(min_of(outer, MOST_BLOCKS)), BLOCK, 0, stream, outer, pieces, sums.data(), y);
}

template void reduce_sum(int64_t, int64_t, int64_t, const float*, float*, Stream);
template void reduce_sum(int64_t, int64_t, int64_t, const double*, double*, Stream);

}  // namespace lamina::cuda
