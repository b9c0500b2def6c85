// Sums of logarithms for ops/ctc_loss.h, for the CPU and a GPU. Include cpu/support/simd.h or cuda/support/lane.cuh
// first.
#pragma once
#include "support/math.h"

namespace lamina::LAMINA_ISA {

template <class T>
constexpr T NONE = -T(__builtin_inf());

/// 0 where there is no largest: a difference of infinities would be NaN.
template <class T>
INLINE T finite_or_zero(T largest) {
  return largest == NONE<T> ? T(0) : largest;
}

/// log(e^a + e^b + e^c).
template <class T>
INLINE V<T> log_of_sum(V<T> a, V<T> b, V<T> c) {
  V<T> most = max(max(a, b), c);
  most = select(equal(most, set(NONE<T>)), zero<T>(), most);
  return most + log(exp(a - most) + exp(b - most) + exp(c - most));
}

}  // namespace lamina::LAMINA_ISA
