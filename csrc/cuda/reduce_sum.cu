#include "cuda/support/sums.cuh"
#include "ops/reduce_sum.h"

namespace lamina::cuda {
namespace reduce_sum_op {

constexpr int64_t SHORT = 512;  // a row of so many values is summed by its 16 threads alone

template <class S>
struct ShortRow {
  int64_t n;
  const S* x;
  S* y;
  __device__ void operator()(int64_t row, RowLane lane) const {
    using T = Computed<S>;
    const T sum = sum_row<T>(n, lane, [&](int64_t i, T& total) { total = total + x[row * n + i]; });
    if (lane.lane == 0) y[row] = sum;
  }
};

/// A block for each piece of each row.
template <class S, class Y>
__global__ void piece_kernel(int64_t tasks, int64_t pieces, int64_t n, const S* x, Y* sums) {
  using T = Computed<S>;
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int64_t begin = task % pieces * ROW_PIECE;
    const S* const from = x + task / pieces * n + begin;
    const T sum = sum_by_block<1, T>(
        min_of(ROW_PIECE, n - begin), [&](int64_t i, T(&v)[1]) { v[0] = from[i]; },
        [](T total, T v) { return total + v; });
    if (threadIdx.x == 0) sums[task] = sum;
  }
}

template <class T, class Y>
__global__ void join_kernel(int64_t rows, int64_t pieces, const T* sums, Y* y) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T sum = sum_in_order(pieces, T(0), [&](int64_t p) { return sums[row * pieces + p]; });
    if (threadIdx.x == 0) y[row] = sum;
  }
}

template <class S>
struct Element {
  int64_t rows, columns;
  const S* x;
  __device__ Computed<S> operator()(int64_t o, int64_t row, int64_t column) const {
    return x[(o * rows + row) * columns + column];
  }
};

}  // namespace reduce_sum_op
using namespace reduce_sum_op;

template <class S>
void reduce_sum(int64_t outer, int64_t reduced, int64_t inner, const S* x, S* y, Stream stream) {
  using T = Computed<S>;
  if (inner != 1 || reduced == 0) return sum_columns(outer, reduced, inner, stream, Element<S>{reduced, inner, x}, y);
  if (reduced <= SHORT) return each_row(outer, stream, ShortRow<S>{reduced, x, y});
  const int64_t pieces = ceil_div(reduced, ROW_PIECE), tasks = outer * pieces;
  if (tasks == 0) return;
  const auto blocks = unsigned(min_of(tasks, MOST_BLOCKS));
  if (pieces == 1) return launch(piece_kernel<S, S>, blocks, BLOCK, 0, stream, tasks, pieces, reduced, x, y);
  const Scratch<T> sums(tasks, stream);
  launch(piece_kernel<S, T>, blocks, BLOCK, 0, stream, tasks, pieces, reduced, x, sums.data());
  launch(join_kernel<T, S>, unsigned(min_of(outer, MOST_BLOCKS)), BLOCK, 0, stream, outer, pieces, sums.data(), y);
}

template void reduce_sum(int64_t, int64_t, int64_t, const float*, float*, Stream);
template void reduce_sum(int64_t, int64_t, int64_t, const double*, double*, Stream);
template void reduce_sum(int64_t, int64_t, int64_t, const Float16*, Float16*, Stream);
template void reduce_sum(int64_t, int64_t, int64_t, const BFloat16*, BFloat16*, Stream);

}  // namespace lamina::cuda
