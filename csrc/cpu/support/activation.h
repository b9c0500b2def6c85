// Activations over finished rows: what products and convolutions do after the bias.
#pragma once
#include "cpu/support/simd.h"
#include "support/activation.h"

namespace lamina::LAMINA_ISA {

/// row[i] = activation(row[i]) for i in [0, n).
template <class T>
INLINE void apply_activation(T* row, int64_t n, Activation activation) {
  if (activation == Activation::linear) return;
  with_activation(activation, [&](auto a) INLINE_LAMBDA {
    each_vector<T>(n, [&](int64_t i, auto mask)
                          INLINE_LAMBDA { store(row + i, activate<a.value, T>(load(row + i, mask)), mask); });
  });
}

}  // namespace lamina::LAMINA_ISA
