// The formulas of ops/transcendental.h over V<T>, see support/math.h: the same bits on the CPU and on a GPU.
#pragma once
#include "ops/transcendental.h"
#include "support/float_trigonometry.h"
#include "support/power.h"

namespace lamina::LAMINA_ISA {

/// Whether a function has an implementation in float arithmetic; the others go through double precision.
constexpr bool has_float_form(TranscendentalFunction f) {
  using F = TranscendentalFunction;
  return f == F::sin || f == F::cos || f == F::tan || f == F::sinh || f == F::cosh || f == F::log2 || f == F::log10;
}

/// For T double, and float where there is one.
template <TranscendentalFunction f, class T>
INLINE V<T> transcendental_value(V<T> x) {
  using F = TranscendentalFunction;
  if constexpr (f == F::sin) return sine_of(x, typename Elementary<T>::Int(0));
  if constexpr (f == F::cos) return sine_of(x, typename Elementary<T>::Int(1));
  if constexpr (f == F::tan) return tangent(x);
  if constexpr (f == F::arcsin) return arcsine(x);
  if constexpr (f == F::arccos) return arccosine(x);
  if constexpr (f == F::arctan) return arctangent(x);
  if constexpr (f == F::sinh) return hyperbolic_sine(x);
  if constexpr (f == F::cosh) return hyperbolic_cosine(x);
  if constexpr (f == F::arcsinh) return inverse_hyperbolic_sine(x);
  if constexpr (f == F::arccosh) return inverse_hyperbolic_cosine(x);
  if constexpr (f == F::arctanh) return inverse_hyperbolic_tangent(x);
  if constexpr (f == F::log2) return log2_of(x);
  if constexpr (f == F::log10) return log10_of(x);
}

/// Of those functions whose derivatives are not among them.
template <TranscendentalFunction f, class T>
INLINE V<T> transcendental_derivative(V<T> x) {
  using F = TranscendentalFunction;
  const V<T> one = set(T(1));
  if constexpr (f == F::tan) {
    const V<T> t = tangent(x);
    return fma(t, t, one);
  }
  if constexpr (f == F::arcsin) return one / opposite(x);
  if constexpr (f == F::arccos) return -one / opposite(x);
  if constexpr (f == F::arctan) return one / fma(x, x, one);
  if constexpr (f == F::arcsinh) return one / sqrt(fma(x, x, one));
  if constexpr (f == F::arccosh) return one / sqrt((x - one) * (x + one));
  if constexpr (f == F::arctanh) return one / ((one - x) * (one + x));
  if constexpr (f == F::log2) return set(T(0x1.71547652b82fep+0)) / x;
  if constexpr (f == F::log10) return set(T(0x1.bcb7b1526e50ep-2)) / x;
}

/// FLOATS: both came from floats, and the result becomes one.
template <TranscendentalPair f, bool FLOATS>
INLINE V<double> transcendental_pair_value(V<double> a, V<double> b) {
  using Pair = TranscendentalPair;
  if constexpr (f == Pair::arctan2) return arctangent_of(a, b);
  if constexpr (f == Pair::hypot) return hypotenuse(a, b);
  if constexpr (f == Pair::logaddexp) return log_add_exp(a, b);
  if constexpr (f == Pair::power && FLOATS) return power_of_floats(a, b);
  if constexpr (f == Pair::power && !FLOATS) return power_of(a, b);
}

}  // namespace lamina::LAMINA_ISA
