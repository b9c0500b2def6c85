#include "ops/prelu.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/elementwise.h"

namespace lamina {
namespace LAMINA_ISA {

/// body(where in x, where in the slopes, mask) for all elements: in pieces of rows, or, where one slope serves all, of
/// everything.
template <class T, class Body>
INLINE void each_place(int64_t rows, int64_t n, double work, Body&& body) {
  if (n == 1) {
    each_part(rows, work, [&](int64_t begin, int64_t count) INLINE_LAMBDA {
      each_vector<T>(count, [&](int64_t i, auto mask) INLINE_LAMBDA { body(begin + i, 0, mask); });
    });
    return;
  }
  parallel_for(rows, work * double(max_of(n, 8)), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t r = begin; r < end; ++r)
      each_vector<T>(n, [&](int64_t i, auto mask) INLINE_LAMBDA { body(r * n + i, i, mask); });
  });
}

template <class T, class M>
INLINE V<T> slopes_at(const T* slopes, int64_t i, bool single, M mask) {
  return single ? set(slopes[0]) : load(slopes + i, mask);
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void prelu_forward(int64_t rows, int64_t n, const T* x, const T* slopes, T* y) {
  each_place<T>(rows, n, 0.3, [&](int64_t at, int64_t i, auto mask) INLINE_LAMBDA {
    const V<T> v = load(x + at, mask);
    store(y + at, select(less(zero<T>(), v), v, v * slopes_at(slopes, i, n == 1, mask)), mask);
  });
}

template <class Target, class T>
void prelu_backward(int64_t rows, int64_t n, const T* x, const T* slopes, const T* dy, T* dx, T* terms) {
  each_place<T>(rows, n, 0.5, [&](int64_t at, int64_t i, auto mask) INLINE_LAMBDA {
    const V<T> v = load(x + at, mask), d = load(dy + at, mask);
    const Mask<T> above = less(zero<T>(), v);
    if (dx) store(dx + at, select(above, d, d * slopes_at(slopes, i, n == 1, mask)), mask);
    if (terms) store(terms + at, select(above, zero<T>(), v * d), mask);
  });
}

template void prelu_forward<Target>(int64_t, int64_t, const float*, const float*, float*);
DOUBLE template void prelu_forward<Target>(int64_t, int64_t, const double*, const double*, double*);
template void prelu_backward<Target>(int64_t, int64_t, const float*, const float*, const float*, float*, float*);
DOUBLE template void prelu_backward<Target>(int64_t, int64_t, const double*, const double*, const double*, double*,
                                            double*);

}  // namespace lamina
