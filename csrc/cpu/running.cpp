#include "ops/running.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/parallel.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr double WORK = 0.5;      // nanoseconds an element
constexpr int64_t COLUMNS = 256;  // of a task

template <Running R, class Value>
INLINE Value combined(Value a, Value b) {
  return R == Running::sum ? a + b : a * b;
}

/// ROWS rows at a time: their results do not wait for each other.
template <Running R, int ROWS, class T>
INLINE void run_rows(int64_t first, int64_t step, int64_t length, const T* x, T* y) {
  T results[ROWS];
  unroll<ROWS>([&](auto k) INLINE_LAMBDA { results[k] = 0; });
  for (int64_t r = 0, at = first; r < length; ++r, at += step)
    unroll<ROWS>([&](auto k) INLINE_LAMBDA {
      results[k] = r == 0 ? x[at + k * length] : combined<R>(results[k], x[at + k * length]);
      y[at + k * length] = results[k];
    });
}

template <Running R, class T>
INLINE void run(bool reversed, int64_t outer, int64_t length, int64_t inner, const T* x, T* y) {
  const int64_t start = reversed ? length - 1 : 0, step = reversed ? -1 : 1;
  if (inner == 1)
    return parallel_for(outer, length * WORK, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      constexpr int ROWS = 8;
      int64_t o = begin;
      for (; o + ROWS <= end; o += ROWS) run_rows<R, ROWS>(start, step, length, x + o * length, y + o * length);
      for (; o < end; ++o) run_rows<R, 1>(start, step, length, x + o * length, y + o * length);
    });
  const int64_t blocks = ceil_div(inner, COLUMNS);
  parallel_for(outer * blocks, length * min_of(inner, COLUMNS) * WORK, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t column = task % blocks * COLUMNS, columns = min_of(COLUMNS, inner - column);
      const int64_t base = task / blocks * length * inner + column;
      for (int64_t r = 0; r < length; ++r) {
        const T* const from = x + base + (start + r * step) * inner;
        T* const to = y + base + (start + r * step) * inner;
        const T* const before = r == 0 ? nullptr : to - step * inner;
        each_vector<T>(columns, [&](int64_t i, auto mask) INLINE_LAMBDA {
          const V<T> v = load(from + i, mask);
          store(to + i, before ? combined<R>(load(before + i, mask), v) : v, mask);
        });
      }
    }
  });
}

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <class Target, class T>
void running(Running operation, bool reversed, int64_t outer, int64_t length, int64_t inner, const T* x, T* y) {
  if (length == 0) return;
  if (operation == Running::sum) return run<Running::sum>(reversed, outer, length, inner, x, y);
  run<Running::product>(reversed, outer, length, inner, x, y);
}

template void running<Target>(Running, bool, int64_t, int64_t, int64_t, const float*, float*);
DOUBLE template void running<Target>(Running, bool, int64_t, int64_t, int64_t, const double*, double*);

}  // namespace lamina
