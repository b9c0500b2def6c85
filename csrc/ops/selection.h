// where: y = condition ? a : b, with a and b broadcast to the condition's shape.
//
// Bits are moved, never computed with: any numbers of 4 or 8 bytes may come as float or double.
#pragma once
#include <cstdint>

#include "support/shape.h"
#include "support/stream.h"

namespace lamina {

/// y[i] = condition[i] != 0 ? a[i'] : b[i'']. a_shape, b_shape: those of a and b (first) with that of the condition.
template <class Target, class T>
void where(const Broadcast& a_shape, const Broadcast& b_shape, const uint8_t* condition, const T* a, const T* b, T* y);

namespace cuda {  // the same, and the same bits, over device memory; of float16 and bfloat16 too

template <class T>
void where(const Broadcast& a_shape, const Broadcast& b_shape, const uint8_t* condition, const T* a, const T* b, T* y,
           Stream stream);

}  // namespace cuda
}  // namespace lamina
