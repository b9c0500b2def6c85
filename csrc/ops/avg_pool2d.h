// avg_pool2d: y[n, oh, ow, c] = scale(oh, ow) * sum over kh, kw of x[n, oh * stride - before + kh, ..., c]
//
// scale is 1 / the number of elements of x in the window (Keras), or 1 / (KH * KW), padding counted as zeros (PyTorch's
// default). Numerics: a chain of additions over (kh, kw) in order, cut after every 512 elements, the chains added in
// order, then one multiplication. Backward: dx adds scale * dy of the windows that hold the pixel, in order.
#pragma once
#include "ops/pool2d.h"

namespace lamina {

template <class Target, class T>
void avg_pool2d_forward(const Pool2D& s, bool count_padding, const T* x, T* y);

template <class Target, class T>
void avg_pool2d_backward(const Pool2D& s, bool count_padding, const T* dy, T* dx);

}  // namespace lamina
