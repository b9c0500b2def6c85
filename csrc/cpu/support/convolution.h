// What the choosers of convolution algorithms share.
#pragma once
#include "cpu/support/activation.h"
#include "cpu/support/elementwise.h"
#include "cpu/support/gather.h"

namespace lamina::LAMINA_ISA {

INLINE bool unpadded(const Axis& a) { return a.before == 0 && a.after == 0; }
/// The window only ever sees one place.
INLINE bool is_point(const Axis& a) { return a.kernel == 1 && a.stride == 1 && unpadded(a); }
/// The window sees the whole axis at once.
INLINE bool is_whole(const Axis& a) { return a.kernel == a.input && a.dilation == 1 && unpadded(a); }

/// The activations that the convolutions themselves leave to their caller.
template <class T>
void activate_rest(int64_t size, Activation activation, T* y) {
  if (activation != Activation::sigmoid && activation != Activation::tanh) return;
  each_part(size, 1,
            [&](int64_t first, int64_t count) INLINE_LAMBDA { apply_activation(y + first, count, activation); });
}

}  // namespace lamina::LAMINA_ISA
