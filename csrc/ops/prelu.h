// prelu: y = x where x > 0, else slope x, with a slope that is learned.
//
// x: (rows, n), slopes: (n,). The gradient of the slopes is a sum, which reduce_sum takes: here only its terms are
// made.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

template <class Target, class T>
void prelu_forward(int64_t rows, int64_t n, const T* x, const T* slopes, T* y);

/// dx = x > 0 ? dy : slope dy, and terms = x > 0 ? 0 : x dy, for the slopes; either may be null. dx may be dy.
template <class Target, class T>
void prelu_backward(int64_t rows, int64_t n, const T* x, const T* slopes, const T* dy, T* dx, T* terms);

namespace cuda {  // the same, and the same bits, over device memory; of float16 and bfloat16 too, with float32 within

template <class T>
void prelu_forward(int64_t rows, int64_t n, const T* x, const T* slopes, T* y, Stream stream);

template <class T>
void prelu_backward(int64_t rows, int64_t n, const T* x, const T* slopes, const T* dy, T* dx, T* terms, Stream stream);

}  // namespace cuda
}  // namespace lamina
