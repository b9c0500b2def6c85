// Arithmetic of two arrays with NumPy's broadcasting: y = a + b, a - b, a * b, a / b, max(a, b), min(a, b).
//
// Each element is rounded once, as IEEE 754 says. max and min give NaN if either operand is one.
#pragma once
#include <cstdint>

#include "support/shape.h"
#include "support/stream.h"

namespace lamina {

enum class Arithmetic { add, subtract, multiply, divide, maximum, minimum };

/// y[i] = a[i'] op b[i''] over the broadcast shape s; y may be a or b where that is not broadcast.
template <class Target, class T>
void arithmetic(Arithmetic operation, const Broadcast& s, const T* a, const T* b, T* y);

namespace cuda {  // the same, and the same bits, over device memory; of float16 and bfloat16 too, with float32 within

template <class T>
void arithmetic(Arithmetic operation, const Broadcast& s, const T* a, const T* b, T* y, Stream stream);

}  // namespace cuda
}  // namespace lamina
