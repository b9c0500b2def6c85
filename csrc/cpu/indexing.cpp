#include "ops/indexing.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/elementwise.h"
#include "cpu/support/row_ahead.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr int64_t COLUMNS = 64;  // of a task, where rows are long
constexpr int64_t PARTS = 16;    // of the rows, where they are short
constexpr double WORK = 0.5;     // nanoseconds an element

/// body(o, first row, row after the last, first column, column after the last) for parts of y; parts that follow each
/// other on one thread come as one, because every part reads the whole index.
template <class F>
INLINE void each_part_of_rows(int64_t outer, int64_t rows, int64_t inner, double work, F&& body) {
  const int64_t columns = ceil_div(inner, COLUMNS), parts = outer * columns < PARTS ? min_of(PARTS, rows) : 1;
  parallel_for(outer * columns * parts, work / double(parts), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    while (begin < end) {
      const int64_t group = begin / parts, from = begin % parts, to = min_of(parts, from + end - begin);
      const int64_t column = group % columns * COLUMNS;
      body(group / columns, rows * from / parts, rows * to / parts, column, min_of(inner, column + COLUMNS));
      begin += to - from;
    }
  });
}

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <class Target>
int64_t find_bad_index(int64_t count, int64_t rows, const int64_t* index) {
  for (int64_t i = 0; i < count; ++i)
    if (uint64_t(index[i]) >= uint64_t(rows)) return i;
  return -1;
}

template <class Target, class T>
void take(int64_t outer, int64_t rows, int64_t count, int64_t inner, const T* x, const int64_t* index, T* y) {
  parallel_for(outer * count, 5 + inner * 0.2, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t later = i + ROWS_AHEAD;
      if (inner > 16 && later < end) prefetch_row(x + (later / count * rows + index[later % count]) * inner, inner);
      const T* const from = x + (i / count * rows + index[i % count]) * inner;
      if (inner == 1)
        y[i] = *from;
      else
        std::memcpy(y + i * inner, from, size_t(inner) * sizeof(T));
    }
  });
}

template <class Target, class T>
void scatter_add(int64_t outer, int64_t rows, int64_t count, int64_t inner, const T* v, const int64_t* index, T* y) {
  const double work = count * (1 + min_of(inner, COLUMNS) * WORK);
  each_part_of_rows(outer, rows, inner, work,
                    [&](int64_t o, int64_t first, int64_t last, int64_t left, int64_t right) INLINE_LAMBDA {
                      const T* const from = v + o * count * inner;
                      T* const to = y + o * rows * inner;
                      if (inner == 1) {
                        for (int64_t i = 0; i < count; ++i)
                          if (index[i] >= first && index[i] < last) to[index[i]] += from[i];
                        return;
                      }
                      for (int64_t i = 0; i < count; ++i) {
                        const int64_t row = index[i];
                        if (row < first || row >= last) continue;
                        T* const sum = to + row * inner + left;
                        const T* const term = from + i * inner + left;
                        each_vector<T>(right - left, [&](int64_t j, auto mask) INLINE_LAMBDA {
                          store(sum + j, load(sum + j, mask) + load(term + j, mask), mask);
                        });
                      }
                    });
}

template <class Target, class T>
void scatter_add_along(int64_t outer, int64_t rows, int64_t count, int64_t inner, const T* v, const int64_t* index,
                       T* y) {
  const double work = count * (1 + min_of(inner, COLUMNS) * 2 * WORK);
  each_part_of_rows(outer, rows, inner, work,
                    [&](int64_t o, int64_t first, int64_t last, int64_t left, int64_t right) INLINE_LAMBDA {
                      T* const to = y + o * rows * inner;
                      for (int64_t i = 0; i < count; ++i) {
                        const int64_t at = (o * count + i) * inner;
                        for (int64_t j = left; j < right; ++j) {
                          const int64_t row = index[at + j];
                          if (row >= first && row < last) to[row * inner + j] += v[at + j];
                        }
                      }
                    });
}

template int64_t find_bad_index<Target>(int64_t, int64_t, const int64_t*);
template void take<Target>(int64_t, int64_t, int64_t, int64_t, const float*, const int64_t*, float*);
DOUBLE template void take<Target>(int64_t, int64_t, int64_t, int64_t, const double*, const int64_t*, double*);
template void scatter_add<Target>(int64_t, int64_t, int64_t, int64_t, const float*, const int64_t*, float*);
DOUBLE template void scatter_add<Target>(int64_t, int64_t, int64_t, int64_t, const double*, const int64_t*, double*);
template void scatter_add_along<Target>(int64_t, int64_t, int64_t, int64_t, const float*, const int64_t*, float*);
DOUBLE template void scatter_add_along<Target>(int64_t, int64_t, int64_t, int64_t, const double*, const int64_t*,
                                               double*);

}  // namespace lamina
