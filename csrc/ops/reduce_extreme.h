// reduce_extreme: y[o][i] = the largest (or smallest) x[o][r][i] over r, for x of shape (outer, reduced, inner).
//
// NaN where there is one; never -0. The result does not depend on the order, so any may be taken. reduced >= 1.
// Backward: the places that hold the extreme (where it is NaN: the NaNs) share dy evenly, as in PyTorch's amax.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

template <class Target, class T>
void reduce_extreme(bool largest, int64_t outer, int64_t reduced, int64_t inner, const T* x, T* y);

/// dx[o][r][i] = dy[o][i] / (the number of places) where x[o][r][i] is y[o][i], else 0.
template <class Target, class T>
void reduce_extreme_backward(int64_t outer, int64_t reduced, int64_t inner, const T* x, const T* y, const T* dy, T* dx);

namespace cuda {  // the same, and the same bits, over device memory; of float16 and bfloat16 too, with float32 within

template <class T>
void reduce_extreme(bool largest, int64_t outer, int64_t reduced, int64_t inner, const T* x, T* y, Stream stream);

template <class T>
void reduce_extreme_backward(int64_t outer, int64_t reduced, int64_t inner, const T* x, const T* y, const T* dy, T* dx,
                             Stream stream);

}  // namespace cuda
}  // namespace lamina
