// The power in ops/local_response_norm.h, for the CPU and a GPU. Include cpu/support/simd.h or cuda/support/lane.cuh
// first.
#pragma once
#include "support/math.h"

namespace lamina::LAMINA_ISA {

/// s^-beta.
template <class T>
INLINE V<T> power_of(V<T> s, double beta) {
  const V<T> one = set(T(1));
  if (beta == 0.5) return one / sqrt(s);
  if (beta == 0.75) {
    const V<T> root = sqrt(s);
    return one / (root * sqrt(root));
  }
  return exp(set(T(-beta)) * log(s));
}

}  // namespace lamina::LAMINA_ISA
