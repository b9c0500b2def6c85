#include "ops/elementary.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/activation.h"
#include "cpu/support/elementwise.h"

namespace lamina {
using namespace LAMINA_ISA;

template <class Target, class T>
void elementary_forward(ElementaryFunction f, int64_t n, const T* x, T* y) {
  using F = ElementaryFunction;
  switch (f) {
    case F::exp:
      return map(n, 0.5, [](V<T> v) INLINE_LAMBDA { return exp(v); }, y, x);
    case F::expm1:
      return map(n, 0.5, [](V<T> v) INLINE_LAMBDA { return expm1(v); }, y, x);
    case F::log:
      return map(n, 0.7, [](V<T> v) INLINE_LAMBDA { return log(v); }, y, x);
    case F::log1p:
      return map(n, 0.8, [](V<T> v) INLINE_LAMBDA { return log1p(v); }, y, x);
    case F::sqrt:
      return map(n, 0.4, [](V<T> v) INLINE_LAMBDA { return sqrt(v); }, y, x);
    case F::rsqrt:
      return map(n, 0.5, [](V<T> v) INLINE_LAMBDA { return set(T(1)) / sqrt(v); }, y, x);
    case F::erf:
      return map(n, 0.9, [](V<T> v) INLINE_LAMBDA { return erf(v); }, y, x);
    case F::sigmoid:
      return map(n, 0.6, [](V<T> v) INLINE_LAMBDA { return sigmoid(v); }, y, x);
    case F::tanh:
      return map(n, 0.6, [](V<T> v) INLINE_LAMBDA { return tanh(v); }, y, x);
    case F::binary_step:
      const auto step = [](V<T> v) INLINE_LAMBDA {
        return select(unordered(v, v), v, select(less(v, zero<T>()), zero<T>(), set(T(1))));
      };
      return map(n, 0.2, step, y, x);
  }
}

template <class Target, class T>
void elementary_backward(ElementaryFunction f, int64_t n, const T* saved, const T* dy, T* dx) {
  using F = ElementaryFunction;
  const auto run = [&](double work, auto gradient) INLINE_LAMBDA { map(n, work, gradient, dx, saved, dy); };
  switch (f) {
    case F::exp:
      return run(0.3, [](V<T> y, V<T> d) INLINE_LAMBDA { return d * y; });
    case F::expm1:
      return run(0.3, [](V<T> y, V<T> d) INLINE_LAMBDA { return d * (y + set(T(1))); });
    case F::log:
      return run(0.4, [](V<T> x, V<T> d) INLINE_LAMBDA { return d / x; });
    case F::log1p:
      return run(0.4, [](V<T> x, V<T> d) INLINE_LAMBDA { return d / (x + set(T(1))); });
    case F::sqrt:
      return run(0.4, [](V<T> y, V<T> d) INLINE_LAMBDA { return d / (y + y); });
    case F::rsqrt:
      return run(0.3, [](V<T> y, V<T> d) INLINE_LAMBDA { return d * (y * y * y * set(T(-0.5))); });
    case F::erf: {
      constexpr T TWO_BY_ROOT_PI = T(0x1.20dd750429b6dp+0);
      return run(0.6, [](V<T> x, V<T> d) INLINE_LAMBDA { return d * (exp(-(x * x)) * set(TWO_BY_ROOT_PI)); });
    }
    case F::sigmoid:
      return run(0.3, [](V<T> y, V<T> d) INLINE_LAMBDA { return activation_gradient<Activation::sigmoid, T>(y, d); });
    case F::tanh:
      return run(0.3, [](V<T> y, V<T> d) INLINE_LAMBDA { return activation_gradient<Activation::tanh, T>(y, d); });
    case F::binary_step:
      return run(0.2, [](V<T>, V<T>) INLINE_LAMBDA { return zero<T>(); });
  }
}

template void elementary_forward<Target>(ElementaryFunction, int64_t, const float*, float*);
DOUBLE template void elementary_forward<Target>(ElementaryFunction, int64_t, const double*, double*);
template void elementary_backward<Target>(ElementaryFunction, int64_t, const float*, const float*, float*);
DOUBLE template void elementary_backward<Target>(ElementaryFunction, int64_t, const double*, const double*, double*);

}  // namespace lamina
