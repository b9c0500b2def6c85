// The formulas of ops/elementary.h over V<T>, see support/math.h: the same bits on the CPU and on a GPU.
#pragma once
#include "ops/elementary.h"
#include "support/activation.h"

namespace lamina::LAMINA_ISA {

template <ElementaryFunction f, class T>
INLINE V<T> elementary_value(V<T> x) {
  using F = ElementaryFunction;
  if constexpr (f == F::exp) return exp(x);
  if constexpr (f == F::expm1) return expm1(x);
  if constexpr (f == F::log) return log(x);
  if constexpr (f == F::log1p) return log1p(x);
  if constexpr (f == F::sqrt) return sqrt(x);
  if constexpr (f == F::rsqrt) return set(T(1)) / sqrt(x);
  if constexpr (f == F::erf) return erf(x);
  if constexpr (f == F::sigmoid) return sigmoid(x);
  if constexpr (f == F::tanh) return tanh(x);
  if constexpr (f == F::binary_step)
    return select(unordered(x, x), x, select(less(x, zero<T>()), zero<T>(), set(T(1))));
}

/// From the forward's x or y, as the table says, and dy.
template <ElementaryFunction f, class T>
INLINE V<T> elementary_gradient(V<T> saved, V<T> d) {
  using F = ElementaryFunction;
  constexpr T TWO_BY_ROOT_PI = T(0x1.20dd750429b6dp+0);
  if constexpr (f == F::exp) return d * saved;
  if constexpr (f == F::expm1) return d * (saved + set(T(1)));
  if constexpr (f == F::log) return d / saved;
  if constexpr (f == F::log1p) return d / (saved + set(T(1)));
  if constexpr (f == F::sqrt) return d / (saved + saved);
  if constexpr (f == F::rsqrt) return d * (saved * saved * saved * set(T(-0.5)));
  if constexpr (f == F::erf) return d * (exp(-(saved * saved)) * set(TWO_BY_ROOT_PI));
  if constexpr (f == F::sigmoid) return activation_gradient<Activation::sigmoid, T>(saved, d);
  if constexpr (f == F::tanh) return activation_gradient<Activation::tanh, T>(saved, d);
  if constexpr (f == F::binary_step) return zero<T>();
}

}  // namespace lamina::LAMINA_ISA
