// What focal losses multiply cross entropies with. Include cpu/support/simd.h or cuda/support/lane.cuh first.
#pragma once
#include "support/math.h"

namespace lamina::LAMINA_ISA {

/// q^gamma and its derivative gamma q^(gamma - 1), for q from 0 to 1.
template <class T>
struct FocalPower {
  V<T> value, derivative;
};
template <class T>
INLINE FocalPower<T> focal_power(V<T> q, T gamma) {
  if (gamma == 2) return {q * q, q + q};
  if (gamma == 1) return {q, set(T(1))};
  if (gamma == 0) return {set(T(1)), zero<T>()};
  const V<T> safe = max(set(T(1e-30)), q);  // no logarithm of 0; NaN passes
  const V<T> lower = exp(set(gamma - T(1)) * log(safe));
  return {lower * safe, set(gamma) * lower};
}

}  // namespace lamina::LAMINA_ISA
