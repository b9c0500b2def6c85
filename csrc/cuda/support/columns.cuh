// Sums down the columns of matrices with the CPU's bits (cpu/support/columns.h and moments.h): the rows are cut into
// parts of PART_ROWS; a thread has a column of a part, its neighbours the columns beside it; then parts are joined in
// order.
#pragma once
#include "cuda/support/packs.cuh"

namespace lamina::cuda {

constexpr int64_t PART_ROWS = 512, SHIFT_ROWS = 16;

constexpr int64_t parts_of(int64_t rows) { return ceil_div(rows, PART_ROWS); }

/// A thread's column of a part, of `samples` matrices of rows x columns one behind the other.
struct ColumnPart {
  int64_t sample, part, column;
  int64_t first;  // element, and the others `columns` further on
  int64_t count;  // rows

  __device__ ColumnPart(int64_t i, int64_t rows, int64_t columns, int64_t parts) {
    const Split c = split(i, columns), p = split(c.rest, parts);
    sample = p.rest, part = p.at, column = c.at;
    first = (sample * rows + part * PART_ROWS) * columns + column;
    count = min_of(PART_ROWS, rows - part * PART_ROWS);
  }
};

/// use(row, read(row)) for the rows from `row` on, in order, N of which are read before any is used: a column has few
/// threads, which have to keep many bytes on their way, and the compiler moves no load before a store.
template <int N, class Read, class Use>
__device__ __forceinline__ void each_row_ahead(int64_t row, int64_t rows, Read&& read, Use&& use) {
  for (; row + N <= rows; row += N) {
    decltype(read(row)) values[N];
#pragma unroll
    for (int k = 0; k < N; ++k) values[k] = read(row + k);
#pragma unroll
    for (int k = 0; k < N; ++k) use(row + k, values[k]);
  }
  if constexpr (N > 1) each_row_ahead<(N + 3) / 4>(row, rows, read, use);
}

/// For each part the mean of its first rows (the shift), the sum of the differences from it, and of their squares:
/// sums[sample][part][shift, sum, squares][column].
template <class S>
struct Moments {
  using T = Computed<S>;
  int64_t rows, columns, parts;
  const S* x;
  T* sums;
  __device__ void operator()(int64_t i) const {
    const ColumnPart p(i, rows, columns, parts);
    const S* const from = x + p.first;
    const int64_t few = min_of(SHIFT_ROWS, p.count);
    T shift = 0, sum = 0, squares = 0;
    each_row_ahead<SHIFT_ROWS>(
        0, few, [&](int64_t row) { return from[row * columns]; }, [&](int64_t, T x) { shift = shift + x; });
    shift = shift * (T(1) / T(few));
    each_row_ahead<32>(
        0, p.count, [&](int64_t row) { return from[row * columns]; },
        [&](int64_t, T x) {
          const T d = x - shift;
          sum = sum + d;
          squares = fma(d, d, squares);
        });
    T* const to = sums + (i - p.column) * 3 + p.column;
    to[0] = shift;
    to[columns] = sum;
    to[2 * columns] = squares;
  }
};
template <class S, class T>
void moments_of_parts(int64_t samples, int64_t rows, int64_t columns, const S* x, T* sums, Stream stream) {
  const int64_t parts = parts_of(rows);
  each(samples * parts * columns, stream, Moments<S>{rows, columns, parts, x, sums});
}

struct Statistics {
  double mean, variance;
};
/// Joins a column's parts; sums is that of its first part.
template <class T>
__device__ Statistics join_statistics(int64_t rows, int64_t columns, const T* sums) {
  double mean = 0, variance = 0;
#pragma unroll 4
  for (int64_t before = 0; before < rows; before += PART_ROWS) {
    const T* const part = sums + before / PART_ROWS * 3 * columns;
    const double size = double(min_of(PART_ROWS, rows - before)), one_by_size = 1 / size;
    const double share = size / (double(before) + size), weight = double(before) * share;
    const double sum = double(part[columns]), offset = sum * one_by_size;
    const double squares = double(part[2 * columns]) - sum * offset;
    const double delta = double(part[0]) + offset - mean;
    mean = mean + delta * share;
    variance = variance + ((squares < 0 ? 0 : squares) + delta * delta * weight);
  }
  return {mean, variance / double(rows)};
}

/// The sum of values `step` apart, in order, in float64.
template <class T>
__device__ double sum_of_parts(int64_t parts, const T* values, int64_t step) {
  double sum = 0;
#pragma unroll 8
  for (int64_t part = 0; part < parts; ++part) sum = sum + double(values[part * step]);
  return sum;
}

/// gamma * inverse.
template <class T>
__device__ T scaled(const T* gamma, int64_t c, T inverse) {
  return gamma ? gamma[c] * inverse : inverse;
}

}  // namespace lamina::cuda
