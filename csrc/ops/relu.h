// relu: y = max(0, x), element by element; NaN stays NaN.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

/// y[i] = max(0, x[i]) for n elements; y may be x.
template <class Target, class T>
void relu_forward(int64_t n, const T* x, T* y);

/// dx[i] = y[i] > 0 ? dy[i] : 0; dx may be dy.
template <class Target, class T>
void relu_backward(int64_t n, const T* y, const T* dy, T* dx);

namespace cuda {  // the same over device memory, queued on the stream; of float16 and bfloat16 too

template <class T>
void relu_forward(int64_t n, const T* x, T* y, Stream stream);

template <class T>
void relu_backward(int64_t n, const T* y, const T* dy, T* dx, Stream stream);

}  // namespace cuda
}  // namespace lamina
