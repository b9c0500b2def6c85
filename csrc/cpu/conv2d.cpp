// conv2d: which algorithm computes it. The choice follows from the shape without N, and from the mode.
#include "ops/conv2d.h"

#include "cpu/support/convolution.h"
#include "ops/gemm.h"

namespace lamina {
namespace LAMINA_ISA {

/// A window that only ever sees one pixel, or the whole image: the convolution is a product of matrices.
struct Product {
  bool holds;
  int64_t rows, channels;  // of x
};

INLINE Product product_of(const Conv2D& s) {
  if (s.groups != 1) return {false, 0, 0};
  if (is_whole(s.h) && is_whole(s.w)) return {true, s.batch, s.h.input * s.w.input * s.channels};
  if (is_point(s.h) && is_point(s.w)) return {true, s.batch * s.h.input * s.w.input, s.channels};
  return {false, 0, 0};
}

/// An image one pixel wide, turned: rows of pixels are what the kernels are fast at.
INLINE Conv2D turned(const Conv2D& s) {
  Conv2D t = s;
  if (s.w.input == 1 && s.w.kernel == 1 && unpadded(s.w)) {
    t.h = s.w;
    t.w = s.h;
  }
  return t;
}

/// Groups that leave most lanes of a vector idle in direct convolution.
INLINE bool narrow(const Conv2D& s) {
  if (s.groups == 1) return false;
  const int64_t C = s.channels / s.groups, K = s.filters / s.groups;
  return C == 1 || (C <= 8 && K <= 8);
}

/// 4x4 with strides 2: the side of Winograd's tiles, 0 where it does not pay. Tiles of 3x3 take four ninths of the
/// products and what the edge wastes, of 5x5 nine 25ths; but these round more: only where they save a quarter.
INLINE int phased_tile(const Conv2D& s) {
  const auto fits = [](const Axis& a) { return a.kernel == 4 && a.stride == 2 && a.dilation == 1; };
  if (s.groups != 1 || !fits(s.h) || !fits(s.w) || min_of(s.channels, s.filters) < 32) return 0;
  const int64_t h = output_of(s.h), w = output_of(s.w);
  const auto products = [&](int64_t side) {
    return (side + 1) * (side + 1) * ceil_div(h + 1, side) * ceil_div(w + 1, side);
  };
  const int side = 4 * products(5) <= 3 * products(3) ? 5 : 3;
  return 3 * products(side) <= 2 * 4 * h * w ? side : 0;
}

/// The side of Winograd's output tile (see winograd_forward), or 0 where direct convolution is the faster or the wanted
/// one.
INLINE int winograd_tile(const Conv2D& s, ConvolutionMode mode) {
  const auto fits = [](const Axis& a) {
    return a.kernel == 3 && a.stride == 1 && a.before <= 2 * a.dilation && a.after <= 2 * a.dilation;
  };
  if (const int side = mode == ConvolutionMode::fast ? phased_tile(s) : 0) return side;
  if (mode == ConvolutionMode::direct || !fits(s.h) || !fits(s.w)) return 0;
  const int side = mode == ConvolutionMode::fast ? 4 : 2;
  // Measured: below, direct is as fast or faster.
  if (min_of(s.channels, s.filters) / s.groups < (side == 4 && s.groups == 1 ? 16 : 32)) return 0;
  if (s.h.dilation > 1 || s.w.dilation > 1) {  // a tile's pixels are far apart: at the edge many fall outside
    const auto tiled = [side](int64_t size, int64_t dilation) {
      return dilation * ceil_div(ceil_div(size, dilation), side) * (side + 2);
    };
    const int64_t h = output_of(s.h), w = output_of(s.w);
    if (2 * 9 * h * w < 3 * tiled(h, s.h.dilation) * tiled(w, s.w.dilation)) return 0;
  }
  return side;
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void conv2d_forward(const Conv2D& shape, ConvolutionMode mode, const T* x, const T* w, const T* bias,
                    Activation activation, T* y) {
  const Conv2D s = turned(shape);
  if (const Product p = product_of(s); p.holds)
    return gemm<Target>(Gemm<T>{p.rows, s.filters, p.channels, x, p.channels, false, w, s.filters, false, y, s.filters,
                                bias, activation});
  if (const int tile = winograd_tile(s, mode)) return winograd_forward<Target>(s, tile, x, w, bias, activation, y);
  if (narrow(s))
    narrow_forward<Target>(s, x, w, bias, activation, y);
  else
    direct_forward<Target>(s, x, w, bias, activation, y);
  activate_rest(s.batch * output_of(s.h) * output_of(s.w) * s.filters, activation, y);
}

template <class Target, class T>
void conv2d_backward_input(const Conv2D& shape, ConvolutionMode mode, const T* dy, const T* w, const T* bias,
                           Activation activation, T* dx) {
  const Conv2D s = turned(shape);
  // A bias has one value a channel, a product over whole images one a pixel and channel.
  if (const Product p = product_of(s); p.holds && (!bias || p.channels == s.channels))
    return gemm<Target>(Gemm<T>{p.rows, p.channels, s.filters, dy, s.filters, false, w, s.filters, true, dx, p.channels,
                                bias, activation});
  if (const int tile = winograd_tile(s, mode))
    return winograd_backward_input<Target>(s, tile, dy, w, bias, activation, dx);
  if (narrow(s))
    narrow_backward_input<Target>(s, dy, w, bias, activation, dx);
  else
    direct_backward_input<Target>(s, dy, w, bias, activation, dx);
  activate_rest(s.batch * s.h.input * s.w.input * s.channels, activation, dx);
}

template <class Target, class T>
void conv2d_backward_kernel(const Conv2D& shape, ConvolutionMode mode, const T* x, const T* dy, T* dw) {
  const Conv2D s = turned(shape);
  if (const Product p = product_of(s); p.holds)
    return gemm<Target>(
        Gemm<T>{p.channels, s.filters, p.rows, x, p.channels, true, dy, s.filters, false, dw, s.filters});
  if (const int tile = winograd_tile(s, mode)) return winograd_backward_kernel<Target>(s, tile, x, dy, dw);
  if (narrow(s)) return narrow_backward_kernel<Target>(s, x, dy, dw);
  direct_backward_kernel<Target>(s, x, dy, dw);
}

template void conv2d_forward<Target>(const Conv2D&, ConvolutionMode, const float*, const float*, const float*,
                                     Activation, float*);
template void conv2d_backward_input<Target>(const Conv2D&, ConvolutionMode, const float*, const float*, const float*,
                                            Activation, float*);
template void conv2d_backward_kernel<Target>(const Conv2D&, ConvolutionMode, const float*, const float*, float*);
DOUBLE template void conv2d_forward<Target>(const Conv2D&, ConvolutionMode, const double*, const double*, const double*,
                                            Activation, double*);
DOUBLE template void conv2d_backward_input<Target>(const Conv2D&, ConvolutionMode, const double*, const double*,
                                                   const double*, Activation, double*);
DOUBLE template void conv2d_backward_kernel<Target>(const Conv2D&, ConvolutionMode, const double*, const double*,
                                                    double*);

}  // namespace lamina
