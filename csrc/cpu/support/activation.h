// Activations of finished rows, and their derivatives, for the ends of products and convolutions.
#pragma once
#include "cpu/support/simd.h"
#include "ops/activation.h"

namespace lamina::LAMINA_ISA {

/// row[j] = activation(row[j]) for n values.
template <class T>
INLINE void apply_activation(T* row, int64_t n, Activation activation) {
  if (activation == Activation::relu)
    each_vector<T>(n, [&](int64_t j, auto mask) INLINE_LAMBDA {
      store(row + j, max(zero<T>(), load(row + j, mask)), mask);
    });
}

/// dy * activation'(x), from the output y = activation(x).
template <Activation A, class VT>
INLINE VT activation_gradient(VT y, VT dy) {
  if constexpr (A == Activation::relu) return select(less(VT{}, y), dy, VT{});
  if constexpr (A == Activation::sigmoid) return dy * (y * (1.0f - y));
  if constexpr (A == Activation::tanh) return dy * (1.0f - y * y);
  return dy;
}

}  // namespace lamina::LAMINA_ISA
