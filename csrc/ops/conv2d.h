// conv2d: y[n, oh, ow, k] = activation(bias[k] + sum over kh, kw, c of
//           x[n, oh * stride + kh * dilation - before, ow * ..., g * C/G + c] * w[kh, kw, c, k]),  g = k / (K/G)
//
// x (N, H, W, C), w (KH, KW, C/G, K), y (N, OH, OW, K); NHWC and HWIO, as Keras writes them.
//
// Numerics: every output is a fixed sum: chains of fused multiply-adds over (kh, kw, c), at most CHAIN (gemm.h) long,
// cut at places that depend on the shape alone, and added in order. Weight gradients cut the sum over pixels at places
// that depend on the shape alone too. Which algorithm runs depends on the shape without N.
// Padding, and in the gradient to the input whatever lies outside dy, enters as zeros that are multiplied: against an
// infinity (a weight, or dy in the gradient to the kernel) they give NaN, wherever the tiles lie. Winograd mixes the
// values of a tile: one that is not finite spoils the tile's outputs.
#pragma once
#include <cstdint>

#include "ops/activation.h"
#include "support/shape.h"
#include "support/stream.h"

namespace lamina {

struct Conv2D {
  int64_t batch, channels, filters;  // N, C, K
  Axis h, w;                         // spatial geometry: input, kernel, stride, dilation, padding before and after
  int64_t groups = 1;                // G: C and K are multiples of it
  Axis d = {1, 1};                   // conv3d's third axis, outermost (ops/conv3d.h); conv2d's kernels leave it alone
};

/// fast: Winograd F(4x4, 3x3) for 3x3 stride 1 where it pays (rms error about 2.5 times direct), F(3x3, 2x2) for 4x4
/// with strides 2 (1.2 times), or F(5x5, 2x2) where that takes a quarter of the products less (7 times); accurate:
/// F(2x2, 3x3), more exact than direct; direct: the plain sum everywhere.
enum class ConvolutionMode : int { fast = 0, accurate = 1, direct = 2 };

template <class Target, class T>
void conv2d_forward(const Conv2D& s, ConvolutionMode mode, const T* x, const T* w, const T* bias, Activation activation,
                    T* y);
/// dx = activation(bias + gradient); bias (C values, or null) and activation make it a transposed convolution's
/// forward.
template <class Target, class T>
void conv2d_backward_input(const Conv2D& s, ConvolutionMode mode, const T* dy, const T* w, const T* bias,
                           Activation activation, T* dx);
template <class Target, class T>
void conv2d_backward_kernel(const Conv2D& s, ConvolutionMode mode, const T* x, const T* dy, T* dw);

// Algorithms that conv2d.cpp chooses among.

/// 3x3, stride 1, any dilation and groups, padding up to the kernel's reach, any C and K: tile is 2 or 4, the side of
/// the output tile. A dilated convolution is d * d undilated ones of every d-th pixel. Sums are fixed here too: for
/// each position of the transformed tile, chains over C (at most CHAIN long, added in order); in the gradient of the
/// kernel chains of 56 tiles, counted through the batch. An output's bits depend on its tile alone. An infinity or NaN
/// spoils all outputs of the tiles that see it. tile 3, 5: 4x4, strides 2, groups 1, dilation 1, any padding: four 2x2
/// kernels on every second pixel, by F(3x3, 2x2) or F(5x5, 2x2). Reference: Lavin & Gray 2016, arXiv:1509.09308; points
/// 0, 1, -1, 1/2, -2 for F(4x4) and F(5x5).
template <class Target, class T>
void winograd_forward(const Conv2D& s, int tile, const T* x, const T* w, const T* bias, Activation activation, T* y);
template <class Target, class T>
void winograd_backward_input(const Conv2D& s, int tile, const T* dy, const T* w, const T* bias, Activation activation,
                             T* dx);
template <class Target, class T>
void winograd_backward_kernel(const Conv2D& s, int tile, const T* x, const T* dy, T* dw);

/// Any shape: kernel, stride, dilation, groups and padding, two or three axes. These leave sigmoid and tanh to the
/// caller, as do those below.
template <class Target, class T>
void direct_forward(const Conv2D& s, const T* x, const T* w, const T* bias, Activation activation, T* y);
template <class Target, class T>
void direct_backward_input(const Conv2D& s, const T* dy, const T* w, const T* bias, Activation activation, T* dx);
template <class Target, class T>
void direct_backward_kernel(const Conv2D& s, const T* x, const T* dy, T* dw);

/// Depthwise convolution of many usual shapes, faster than narrow_* on small images and with the same bits; false: not
/// of this one. backward: the gradient to the input, where source is dy and target dx.
template <class Target, class T>
bool depthwise(const Conv2D& s, bool backward, const T* source, const T* w, const T* bias, bool relu, T* target);

/// Narrow groups (depthwise: one channel a group), several in one vector: C/G and K/G small, else it is slow.
template <class Target, class T>
void narrow_forward(const Conv2D& s, const T* x, const T* w, const T* bias, Activation activation, T* y);
template <class Target, class T>
void narrow_backward_input(const Conv2D& s, const T* dy, const T* w, const T* bias, Activation activation, T* dx);
template <class Target, class T>
void narrow_backward_kernel(const Conv2D& s, const T* x, const T* dy, T* dw);

// The same over device memory, of two or three axes, with the bits of ConvolutionMode::direct. Float16 and BFloat16
// too, with sums in float (see gemm.h) and one rounding of each output.
namespace cuda {

template <class T>
void conv2d_forward(const Conv2D& s, const T* x, const T* w, const T* bias, Activation activation, T* y, Stream stream);
template <class T>
void conv2d_backward_input(const Conv2D& s, const T* dy, const T* w, const T* bias, Activation activation, T* dx,
                           Stream stream);
template <class T>
void conv2d_backward_kernel(const Conv2D& s, const T* x, const T* dy, T* dw, Stream stream);

/// Narrow groups: a thread an output, no tile to fill.
template <class T>
void narrow_forward(const Conv2D& s, const T* x, const T* w, const T* bias, Activation activation, T* y, Stream stream);
template <class T>
void narrow_backward_input(const Conv2D& s, const T* dy, const T* w, const T* bias, Activation activation, T* dx,
                           Stream stream);
template <class T>
void narrow_backward_kernel(const Conv2D& s, const T* x, const T* dy, T* dw, Stream stream);

}  // namespace cuda
}  // namespace lamina
