// Mean and variance of the columns of a matrix, by parts of rows.
#pragma once
#include "cpu/support/columns.h"

namespace lamina::LAMINA_ISA {

constexpr int64_t SHIFT_ROWS = 16;

/// The sums of one part of `count` rows: per column the mean of its first rows (the shift), the sum of the differences
/// from it, and of their squares. sums[shift, sum, squares][stride]; rows of x are `stride` apart.
template <class T>
INLINE void moments_of_part(int64_t count, int64_t columns, int64_t stride, const T* x, T* sums) {
  const int64_t few = min_of(SHIFT_ROWS, count);
  sum_columns<1>(few, columns, sums, stride, [&](int64_t row, int64_t c, auto mask, V<T>(&sum)[1]) INLINE_LAMBDA {
    sum[0] = sum[0] + load(x + row * stride + c, mask);
  });
  const V<T> one_by_few = set(T(1) / T(few));
  each_vector<T>(columns,
                 [&](int64_t c, auto mask) INLINE_LAMBDA { store(sums + c, load(sums + c, mask) * one_by_few, mask); });
  sum_columns<2>(count, columns, sums + stride, stride,
                 [&](int64_t row, int64_t c, auto mask, V<T>(&sum)[2]) INLINE_LAMBDA {
                   const V<T> d = load(x + row * stride + c, mask) - load(sums + c, mask);
                   sum[0] = sum[0] + d;
                   sum[1] = fma(d, d, sum[1]);
                 });
}

/// Joins the parts' sums to mean and variance: sums[part][shift, sum, sum of squares][channel].
template <class T>
INLINE void join_statistics(int64_t rows, int64_t channels, const T* sums, int64_t c0, int64_t count, double* mean,
                            double* variance) {
  for (int64_t c = 0; c < count; ++c) mean[c] = variance[c] = 0;
  for (int64_t before = 0; before < rows; before += PART_ROWS) {
    const T* part = sums + before / PART_ROWS * 3 * channels + c0;
    const double size = double(min_of(PART_ROWS, rows - before)), one_by_size = 1 / size;
    const double share = size / (double(before) + size), weight = double(before) * share;
    for (int64_t c = 0; c < count; ++c) {
      const double sum = double(part[channels + c]), offset = sum * one_by_size;
      const double squares = double(part[2 * channels + c]) - sum * offset;
      const double delta = double(part[c]) + offset - mean[c];
      mean[c] = mean[c] + delta * share;
      variance[c] = variance[c] + ((squares < 0 ? 0 : squares) + delta * delta * weight);
    }
  }
  for (int64_t c = 0; c < count; ++c) variance[c] = variance[c] / double(rows);
}

}  // namespace lamina::LAMINA_ISA
