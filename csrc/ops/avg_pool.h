// avg_pool: y[n, o..., c] = scale(o) * sum over the window of x[n, start(o) + k..., c], over one, two or three axes
//
// scale is 1 / the number of elements of x in the window (Keras), or 1 / the size of the window, padding counted as
// zeros (PyTorch's default). Numerics: a chain of additions over (kd, kh, kw) in order, cut after every 512 elements,
// the chains added in order, then one multiplication. Backward: dx adds scale * dy of the windows that hold the pixel,
// in order.
#pragma once
#include "ops/pool.h"
#include "support/stream.h"

namespace lamina {

template <class Target, class T>
void avg_pool_forward(const Pool& s, bool count_padding, const T* x, T* y);

template <class Target, class T>
void avg_pool_backward(const Pool& s, bool count_padding, const T* dy, T* dx);

namespace cuda {  // the same, and the same bits, over device memory; of float16 and bfloat16 too, with float32 within

template <class T>
void avg_pool_forward(const Pool& s, bool count_padding, const T* x, T* y, Stream stream);

template <class T>
void avg_pool_backward(const Pool& s, bool count_padding, const T* dy, T* dx, Stream stream);

}  // namespace cuda
}  // namespace lamina
