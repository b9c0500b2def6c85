// softmax along an axis: y = e^(x - max x) / sum e^(x - max x), which never overflows, or its logarithm:
// y = x - max x - log(sum e^(x - max x)).
//
// x, y: (outer, n, inner), C-contiguous; n is the axis. All -infinity, or +infinity or NaN among them, gives NaN.
// Sums: along the last axis (inner = 1) over 16 virtual lanes, see cpu/support/row.h; along another in order, in chains
// of 512, the chains added in order. dx may be dy.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

enum class Softmax { plain, logarithm };

template <class Target, class T>
void softmax_forward(Softmax kind, int64_t outer, int64_t n, int64_t inner, const T* x, T* y);

/// plain: dx = y (dy - sum dy y); logarithm: dx = dy - e^y sum dy.
template <class Target, class T>
void softmax_backward(Softmax kind, int64_t outer, int64_t n, int64_t inner, const T* y, const T* dy, T* dx);

namespace cuda {  // the same, and the same bits, over device memory; of float16 and bfloat16 too, with float32 within

template <class T>
void softmax_forward(Softmax kind, int64_t outer, int64_t n, int64_t inner, const T* x, T* y, Stream stream);

template <class T>
void softmax_backward(Softmax kind, int64_t outer, int64_t n, int64_t inner, const T* y, const T* dy, T* dx,
                      Stream stream);

}  // namespace cuda
}  // namespace lamina
