// conv2d_pool: a convolution and the max pool behind it, as one.
//
// Forward, a few images at a time go through both while what lies between is in cache: it is never in memory whole, and
// nothing of it is kept.
//
// Backward, over windows of 2 x 2 side by side: the gradient of what the convolution gave is 0 but where a window found
// its largest value, and there dy of that window. So the gradients of kernel and bias are sums over windows:
//   dz = dy * activation'(y)       y, the pool's output, is the activation's at the winners
//   dw[kh, kw, c, k] = sum over windows of dz[k] * x at (winner[k] + tap, c)      db[k] = sum over windows of dz[k]
// A quarter of the products of conv2d_backward_kernel, and nothing as large as the convolution's output is read or
// written.
//
// Numerics: forward has the bits of conv2d_forward and max_pool_forward. The sums over windows are cut like those over
// pixels in conv2d_backward_kernel (support/pixel_chains.h), so in another order than there. A winner's place is taken
// modulo 4: whatever offsets hold, nothing outside is read.
#pragma once
#include "ops/conv2d.h"
#include "ops/pool.h"

namespace lamina {

/// x (N, H, W, C), w (KH, KW, C, K), y and offsets as max_pool_forward gives them (offsets may be null). pool is the
/// geometry of the pool, of windows of at most 256 places, over the images that the convolution gives; groups 1.
template <class Target, class T>
void conv2d_pool_forward(const Conv2D& s, ConvolutionMode mode, const Pool& pool, const T* x, const T* w, const T* bias,
                         Activation activation, T* y, uint8_t* offsets);

/// y, dy and offsets (N, OH / 2, OW / 2, K), where OH and OW are the convolution's output, rounded down; dw (KH, KW, C,
/// K). groups 1, two axes. y may be null for Activation::linear, db where it is not wanted. Meant for few channels:
/// every tap reads x by itself.
template <class Target, class T>
void conv2d_pool_backward_kernel(const Conv2D& s, const T* x, const T* y, const T* dy, const uint8_t* offsets,
                                 Activation activation, T* dw, T* db);

}  // namespace lamina
