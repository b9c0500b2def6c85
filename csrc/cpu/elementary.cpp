#include "ops/elementary.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/elementwise.h"
#include "support/elementary.h"

namespace lamina {
using namespace LAMINA_ISA;

template <class Target, class T>
void elementary_forward(ElementaryFunction f, int64_t n, const T* x, T* y) {
  using F = ElementaryFunction;
  switch (f) {
    case F::exp:
      return map(n, 0.5, [](V<T> v) INLINE_LAMBDA { return elementary_value<F::exp, T>(v); }, y, x);
    case F::expm1:
      return map(n, 0.5, [](V<T> v) INLINE_LAMBDA { return elementary_value<F::expm1, T>(v); }, y, x);
    case F::log:
      return map(n, 0.7, [](V<T> v) INLINE_LAMBDA { return elementary_value<F::log, T>(v); }, y, x);
    case F::log1p:
      return map(n, 0.8, [](V<T> v) INLINE_LAMBDA { return elementary_value<F::log1p, T>(v); }, y, x);
    case F::sqrt:
      return map(n, 0.4, [](V<T> v) INLINE_LAMBDA { return elementary_value<F::sqrt, T>(v); }, y, x);
    case F::rsqrt:
      return map(n, 0.5, [](V<T> v) INLINE_LAMBDA { return elementary_value<F::rsqrt, T>(v); }, y, x);
    case F::erf:
      return map(n, 0.9, [](V<T> v) INLINE_LAMBDA { return elementary_value<F::erf, T>(v); }, y, x);
    case F::sigmoid:
      return map(n, 0.6, [](V<T> v) INLINE_LAMBDA { return elementary_value<F::sigmoid, T>(v); }, y, x);
    case F::tanh:
      return map(n, 0.6, [](V<T> v) INLINE_LAMBDA { return elementary_value<F::tanh, T>(v); }, y, x);
    case F::binary_step:
      return map(n, 0.2, [](V<T> v) INLINE_LAMBDA { return elementary_value<F::binary_step, T>(v); }, y, x);
  }
}

template <class Target, class T>
void elementary_backward(ElementaryFunction f, int64_t n, const T* saved, const T* dy, T* dx) {
  using F = ElementaryFunction;
  const auto run = [&](double work, auto gradient) INLINE_LAMBDA { map(n, work, gradient, dx, saved, dy); };
  switch (f) {
    case F::exp:
      return run(0.3, [](V<T> v, V<T> d) INLINE_LAMBDA { return elementary_gradient<F::exp, T>(v, d); });
    case F::expm1:
      return run(0.3, [](V<T> v, V<T> d) INLINE_LAMBDA { return elementary_gradient<F::expm1, T>(v, d); });
    case F::log:
      return run(0.4, [](V<T> v, V<T> d) INLINE_LAMBDA { return elementary_gradient<F::log, T>(v, d); });
    case F::log1p:
      return run(0.4, [](V<T> v, V<T> d) INLINE_LAMBDA { return elementary_gradient<F::log1p, T>(v, d); });
    case F::sqrt:
      return run(0.4, [](V<T> v, V<T> d) INLINE_LAMBDA { return elementary_gradient<F::sqrt, T>(v, d); });
    case F::rsqrt:
      return run(0.3, [](V<T> v, V<T> d) INLINE_LAMBDA { return elementary_gradient<F::rsqrt, T>(v, d); });
    case F::erf:
      return run(0.6, [](V<T> v, V<T> d) INLINE_LAMBDA { return elementary_gradient<F::erf, T>(v, d); });
    case F::sigmoid:
      return run(0.3, [](V<T> v, V<T> d) INLINE_LAMBDA { return elementary_gradient<F::sigmoid, T>(v, d); });
    case F::tanh:
      return run(0.3, [](V<T> v, V<T> d) INLINE_LAMBDA { return elementary_gradient<F::tanh, T>(v, d); });
    case F::binary_step:
      return run(0.2, [](V<T> v, V<T> d) INLINE_LAMBDA { return elementary_gradient<F::binary_step, T>(v, d); });
  }
}

template void elementary_forward<Target>(ElementaryFunction, int64_t, const float*, float*);
DOUBLE template void elementary_forward<Target>(ElementaryFunction, int64_t, const double*, double*);
template void elementary_backward<Target>(ElementaryFunction, int64_t, const float*, const float*, float*);
DOUBLE template void elementary_backward<Target>(ElementaryFunction, int64_t, const double*, const double*, double*);

}  // namespace lamina
