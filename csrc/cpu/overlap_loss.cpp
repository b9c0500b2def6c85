#include "ops/overlap_loss.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"

namespace lamina {
using namespace LAMINA_ISA;

namespace LAMINA_ISA {

constexpr int64_t PART = 8192;

/// f(row, part, begin, end) for all parts of all rows.
template <class F>
INLINE void each_part_of_rows(int64_t rows, int64_t n, double work, F&& f) {
  const int64_t parts = ceil_div(n, PART);
  parallel_for(rows * parts, work * double(min_of(n, PART)), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t r = task / parts, part = task % parts;
      f(r, part, part * PART, min_of((part + 1) * PART, n));
    }
  });
}

}  // namespace LAMINA_ISA

template <class Target, class T>
void overlap_sums(int64_t rows, int64_t n, const T* x, const T* t, T* sums) {
  const int64_t parts = ceil_div(n, PART);
  T* const of_parts = scratch_for<T>(Slot::caller, rows * parts * 3);
  each_part_of_rows(rows, n, 0.4, [&](int64_t r, int64_t part, int64_t begin, int64_t end) INLINE_LAMBDA {
    const T *const row = x + r * n + begin, *const target = t + r * n + begin;
    T* const to = of_parts + (r * parts + part) * 3;
    const auto sum = [&](auto&& add) INLINE_LAMBDA { return sum_row<T>(end - begin, add); };
    to[0] = sum([&](int64_t i, auto mask, V<T>& total)
                    INLINE_LAMBDA { total = fma(load(row + i, mask), load(target + i, mask), total); });
    to[1] = sum([&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA { total = total + load(row + i, mask); });
    to[2] = sum([&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA { total = total + load(target + i, mask); });
  });
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t k = 0; k < 3; ++k) {
      T total = 0;
      for (int64_t part = 0; part < parts; ++part) total += of_parts[(r * parts + part) * 3 + k];
      sums[r * 3 + k] = total;
    }
}

template <class Target, class T>
void overlap_gradient(int64_t rows, int64_t n, const T* t, const T* a, const T* b, T* dx) {
  const bool past_caches = stream_rows(dx, rows, n);
  each_part_of_rows(rows, n, 0.2, [&](int64_t r, int64_t, int64_t begin, int64_t end) INLINE_LAMBDA {
    const V<T> slope = set(a[r]), level = set(b[r]);
    const T* const target = t + r * n + begin;
    write_row(end - begin, dx + r * n + begin, past_caches,
              [&](int64_t i, auto mask) INLINE_LAMBDA { return fma(load(target + i, mask), slope, level); });
    if (past_caches) stream_fence();
  });
}

template void overlap_sums<Target>(int64_t, int64_t, const float*, const float*, float*);
DOUBLE template void overlap_sums<Target>(int64_t, int64_t, const double*, const double*, double*);
template void overlap_gradient<Target>(int64_t, int64_t, const float*, const float*, const float*, float*);
DOUBLE template void overlap_gradient<Target>(int64_t, int64_t, const double*, const double*, const double*, double*);

}  // namespace lamina
