// Reductions inside a row, with the CPU's bits: 16 threads have a row, one for each of the 16 virtual lanes over which
// the CPU sums it (cpu/support/row.h), and fold them in the same order.
#pragma once
#include "cuda/support/lane.cuh"

namespace lamina::cuda {

constexpr int ROW_LANES = 16;

/// One of the 16 threads of a row.
struct RowLane {
  int lane;
  uint32_t mask;  // of the 16, in their warp
};

template <class F>
__global__ void row_kernel(int64_t rows, F f) {
  const int64_t thread = int64_t(blockIdx.x) * blockDim.x + threadIdx.x, step = int64_t(gridDim.x) * blockDim.x;
  const RowLane lane{int(threadIdx.x) % ROW_LANES, 0xffffu << (threadIdx.x & 16)};
  for (int64_t row = thread / ROW_LANES; row < rows; row += step / ROW_LANES) f(row, lane);
}

/// f(row, lane) by the 16 threads of each row.
template <class F>
void each_row(int64_t rows, Stream stream, F f) {
  if (rows > 0) launch(row_kernel<F>, blocks_for(rows, BLOCK / ROW_LANES), BLOCK, 0, stream, rows, f);
}

/// The lanes' values in one: i with i + 8, then i + 4, i + 2, i + 1; every thread has the result.
template <class T, class F>
__device__ __forceinline__ T fold(RowLane l, T value, F&& f) {
#pragma unroll
  for (int half = ROW_LANES / 2; half > 0; half /= 2) {
    const T other = __shfl_xor_sync(l.mask, value, half, ROW_LANES);
    value = l.lane & half ? f(other, value) : f(value, other);
  }
  return value;
}

/// A sum over a row of n: f(i, sum) adds term i. Chains of 512 in every lane, the CPU's sum_row.
template <class T, class F>
__device__ __forceinline__ T sum_row(int64_t n, RowLane l, F&& f) {
  constexpr int64_t PART = 512 * ROW_LANES;
  T total = 0;
  for (int64_t begin = 0; begin < n; begin += PART) {
    const int64_t end = min_of(begin + PART, n);
    T sum = 0;
#pragma unroll 4
    for (int64_t i = begin + l.lane; i < end; i += ROW_LANES) f(i, sum);
    sum = fold(l, sum, [](T a, T b) { return a + b; });
    total = begin == 0 ? sum : total + sum;
  }
  return total;
}

/// The largest value of a row; a NaN may be passed over.
template <class S>
__device__ __forceinline__ Computed<S> largest(int64_t n, RowLane l, const S* x) {
  using T = Computed<S>;
  T most = -Elementary<T>::INFINITE;
#pragma unroll 4
  for (int64_t i = l.lane; i < n; i += ROW_LANES) most = max(most, T(x[i]));
  return fold(l, most, [](T a, T b) { return a > b ? a : b; });
}

/// f(i) for this thread's elements of a row.
template <class F>
__device__ __forceinline__ void each_of_row(int64_t n, RowLane l, F&& f) {
  for (int64_t i = l.lane; i < n; i += ROW_LANES) f(i);
}

}  // namespace lamina::cuda
