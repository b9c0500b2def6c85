// Long sums by whole blocks, with the CPU's bits: what is read is read by all threads at once into shared memory, and
// added up there by the few that the order leaves.
#pragma once
#include "cuda/support/elementwise.cuh"
#include "cuda/support/row.cuh"
#include "ops/gemm.h"  // CHAIN

namespace lamina::cuda {

constexpr int SUM_TILE = 2048;  // values that a block reads at once

/// A part of a row that is one chain in each of the 16 virtual lanes.
constexpr int64_t ROW_PIECE = CHAIN * ROW_LANES;

/// SUMS sums over n <= ROW_PIECE elements by a block, in the order of sum_row: value(i, v) computes element i's terms,
/// in any thread; add(sum, term). Sum s is what threads [16 s, 16 s + 16) return.
template <int SUMS, class T, class Value, class Add>
__device__ __forceinline__ T sum_by_block(int64_t n, Value&& value, Add&& add) {
  auto& tile = shared<T[SUMS][SUM_TILE]>();
  const auto place = [](int s, int i) { return i ^ (s % 2 * ROW_LANES); };  // two sums of a warp lie in different banks
  const int thread = int(threadIdx.x), which = thread / ROW_LANES;
  const RowLane lane{thread % ROW_LANES, 0xffffu << (threadIdx.x & 16)};
  T sum = 0;
  for (int64_t begin = 0; begin < n; begin += SUM_TILE) {
    const int count = int(min_of(SUM_TILE, n - begin));
#pragma unroll
    for (int k = 0; k < SUM_TILE / BLOCK; ++k) {
      const int i = thread + k * BLOCK;
      if (i >= count) break;
      T v[SUMS];
      value(begin + i, v);
      for (int s = 0; s < SUMS; ++s) tile[s][place(s, i)] = v[s];
    }
    __syncthreads();
    if (which < SUMS) {
#pragma unroll 8
      for (int i = lane.lane; i < count; i += ROW_LANES) sum = add(sum, tile[which][place(which, i)]);
    }
    __syncthreads();
  }
  return which < SUMS ? fold(lane, sum, [](T a, T b) { return a + b; }) : sum;
}

/// value(0) + ... + value(n - 1) in order from `start`, by a block; thread 0 returns it.
template <class T, class Value>
__device__ __forceinline__ T sum_in_order(int64_t n, T start, Value&& value) {
  auto& tile = shared<T[SUM_TILE], struct InOrder>();
  T sum = start;
  for (int64_t begin = 0; begin < n; begin += SUM_TILE) {
    const int count = int(min_of(SUM_TILE, n - begin));
    for (int i = int(threadIdx.x); i < count; i += BLOCK) tile[i] = value(begin + i);
    __syncthreads();
    if (threadIdx.x == 0) {
#pragma unroll 8
      for (int i = 0; i < count; ++i) sum = sum + tile[i];
    }
    __syncthreads();
  }
  return sum;
}

/// The chains of columns of `outer` matrices. Blocks have WIDTH columns of a chain; as many rows at once as fill a
/// tile.
template <int WIDTH, class T, class Y, class Value, class Add>
__global__ void column_chain_kernel(int64_t tasks, int64_t groups, int64_t chains, int64_t rows, int64_t columns,
                                    Value value, Add add, Y* sums) {
  constexpr int ROWS = SUM_TILE / WIDTH, STEP = BLOCK / WIDTH;
  auto& tile = shared<T[ROWS][WIDTH]>();
  const int lane = int(threadIdx.x) % WIDTH, first = int(threadIdx.x) / WIDTH;
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int64_t chain = task / groups, column = task % groups * WIDTH + lane, outer = chain / chains;
    const int64_t begin = chain % chains * CHAIN, end = min_of(begin + CHAIN, rows);
    const bool inside = column < columns;
    T sum = 0;
    for (int64_t row = begin; row < end; row += ROWS) {
      const int count = int(min_of(ROWS, end - row));
#pragma unroll
      for (int r = first; r < ROWS; r += STEP)
        if (inside && r < count) tile[r][lane] = value(outer, row + r, column);
      __syncthreads();
      if (inside && first == 0) {
#pragma unroll 8
        for (int r = 0; r < count; ++r) sum = add(sum, tile[r][lane]);
      }
      __syncthreads();
    }
    if (inside && first == 0) sums[chain * columns + column] = sum;
  }
}

template <class T, class Y, class Value, class Add>
void column_chains(int64_t outer, int64_t rows, int64_t columns, Stream stream, Value value, Add add, Y* sums) {
  const int64_t chains = ceil_div(rows, CHAIN), width = columns <= 8 ? 8 : 32, groups = ceil_div(columns, width);
  const int64_t tasks = outer * chains * groups;
  if (tasks == 0) return;
  const unsigned blocks = unsigned(min_of(tasks, MOST_BLOCKS));
  const auto kernel = width == 8 ? column_chain_kernel<8, T, Y, Value, Add> : column_chain_kernel<32, T, Y, Value, Add>;
  launch(kernel, blocks, BLOCK, 0, stream, tasks, groups, chains, rows, columns, value, add, sums);
}

template <class T, class Y>
struct JoinChains {
  int64_t chains, columns;
  const T* sums;
  Y* y;
  __device__ void operator()(int64_t at) const {
    const T* const first = sums + at / columns * chains * columns + at % columns;
    T total = first[0];
#pragma unroll 8
    for (int64_t c = 1; c < chains; ++c) total = total + first[c * columns];
    y[at] = total;
  }
};

template <class T>
struct PlainSum {
  __device__ T operator()(T sum, T term) const { return sum + term; }
};

/// y[o][c] = the sum over rows of value(o, row, c): chains of CHAIN terms from 0, each in order, the chains in order.
/// value is called once for every place.
template <class Y, class Value>
void sum_columns(int64_t outer, int64_t rows, int64_t columns, Stream stream, Value value, Y* y) {
  using T = Computed<Y>;
  const int64_t chains = ceil_div(rows, CHAIN);
  if (outer * columns == 0) return;
  if (rows == 0) return fill_bytes(y, 0, size_t(outer * columns) * sizeof(Y), stream);
  if (chains == 1) return column_chains<T>(outer, rows, columns, stream, value, PlainSum<T>{}, y);
  const Scratch<T> sums(outer * chains * columns, stream);
  column_chains<T>(outer, rows, columns, stream, value, PlainSum<T>{}, sums.data());
  each(outer * columns, stream, JoinChains<T, Y>{chains, columns, sums.data(), y});
}

}  // namespace lamina::cuda
