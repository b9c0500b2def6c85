// conv3d: conv2d (ops/conv2d.h) with one axis more.
//   y[n, od, oh, ow, k] = activation(bias[k] + sum over kd, kh, kw, c of
//           x[n, od * ..., oh * ..., ow * ..., g * C/G + c] * w[kd, kh, kw, c, k]),  g = k / (K/G)
//
// x (N, D, H, W, C), w (KD, KH, KW, C/G, K), y (N, OD, OH, OW, K); the first of the three axes is Conv2D::d.
//
// Numerics: as conv2d's; a chain runs over (kd, kh, kw, c), weight gradients go through the slices as through images.
#pragma once
#include "ops/conv2d.h"

namespace lamina {

template <class Target, class T>
void conv3d_forward(const Conv2D& s, ConvolutionMode mode, const T* x, const T* w, const T* bias, Activation activation,
                    T* y);
/// dx = activation(bias + gradient), as conv2d_backward_input.
template <class Target, class T>
void conv3d_backward_input(const Conv2D& s, ConvolutionMode mode, const T* dy, const T* w, const T* bias,
                           Activation activation, T* dx);
template <class Target, class T>
void conv3d_backward_kernel(const Conv2D& s, ConvolutionMode mode, const T* x, const T* dy, T* dw);

}  // namespace lamina
