// Sums down the columns of a matrix: chains along the rows, vectors across the columns.
#pragma once
#include "cpu/support/parallel.h"

namespace lamina::LAMINA_ISA {

/// Rows that make one part of a sum: a part is one chain, and the parts are added in order.
constexpr int64_t PART_ROWS = 512;

/// SUMS sums a column over rows [0, rows), in order, from 0: add(row, column, mask, sums of that column's vector).
/// Sum i of column c goes to totals[i * stride + c].
template <int SUMS, class T, class F>
INLINE void sum_columns(int64_t rows, int64_t columns, T* totals, int64_t stride, F&& add) {
  constexpr int64_t NEAR = 32 << 10;  // this many bytes of rows at a time stay in L1 while the columns go by
  const int64_t step = max_of(8, NEAR / (columns * int64_t(sizeof(T))));
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t end = min_of(begin + step, rows);
    const auto strip = [&](auto vectors, int64_t c, auto mask) INLINE_LAMBDA {
      V<T> sums[vectors][SUMS];
      unroll<vectors>([&](auto v) INLINE_LAMBDA {
        unroll<SUMS>([&](auto i) INLINE_LAMBDA {
          sums[v][i] = begin == 0 ? zero<T>() : load(totals + i * stride + c + v * lanes<T>, mask);
        });
      });
      for (int64_t row = begin; row < end; ++row)
        unroll<vectors>([&](auto v) INLINE_LAMBDA { add(row, c + v * lanes<T>, mask, sums[v]); });
      unroll<vectors>([&](auto v) INLINE_LAMBDA {
        unroll<SUMS>([&](auto i) INLINE_LAMBDA { store(totals + i * stride + c + v * lanes<T>, sums[v][i], mask); });
      });
    };
    int64_t c = 0;
    for (; c + 4 * lanes<T> <= columns; c += 4 * lanes<T>) strip(Int<4>{}, c, All{});
    for (; c + lanes<T> <= columns; c += lanes<T>) strip(Int<1>{}, c, All{});
    if (c < columns) strip(Int<1>{}, c, first<T>(columns - c));
  }
}

/// body(part, first row, rows, first column, columns) for every part of `rows` rows, shared out among the threads; by
/// groups of columns too where there are few parts. work: nanoseconds an element.
template <class F>
INLINE void each_column_part(int64_t rows, int64_t columns, double work, F&& body) {
  const int64_t parts = ceil_div(rows, PART_ROWS), width = parts >= 16 ? columns : 256;
  const int64_t groups = ceil_div(columns, width);
  const double task = work * double(min_of(rows, PART_ROWS) * min_of(columns, width));
  parallel_for(parts * groups, task, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t part = t / groups, row = part * PART_ROWS, column = t % groups * width;
      body(part, row, min_of(PART_ROWS, rows - row), column, min_of(width, columns - column));
    }
  });
}

/// body(row, column, mask) for every vector of a matrix: from the last row to the first in every thread, because what
/// was read last is still in the cache.
template <class T, class F>
INLINE void each_row_backwards(int64_t rows, int64_t columns, F body) {
  parallel_for(rows, 0.15 * double(max_of(columns, 8)), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    constexpr int64_t CHUNK = 16 << 10;  // forwards in small steps: prefetchers like it
    const F own = body;                  // stores could change what a reference refers to, for all the compiler knows
    const int64_t step = max_of(1, CHUNK / columns);
    for (int64_t to = end; to > begin; to -= step)
      for (int64_t row = max_of(begin, to - step); row < to; ++row)
        each_vector<T>(columns, [&](int64_t c, auto mask) INLINE_LAMBDA { own(row, c, mask); });
    stream_fence();
  });
}

}  // namespace lamina::LAMINA_ISA
