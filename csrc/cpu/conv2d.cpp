// conv2d: which algorithm computes it. The choice follows from the shape without N, and from the mode.
#include "ops/conv2d.h"

#include "cpu/support/activation.h"
#include "cpu/support/elementwise.h"
#include "cpu/support/gather.h"
#include "ops/gemm.h"

namespace lamina {
namespace LAMINA_ISA {

/// A window that only ever sees one pixel, or the whole image: the convolution is a product of matrices.
struct Product {
  bool holds;
  int64_t rows, channels;  // of x
};

INLINE bool unpadded(const Axis& a) { return a.before == 0 && a.after == 0; }
INLINE Product product_of(const Conv2D& s) {
  const auto point = [](const Axis& a) { return a.kernel == 1 && a.stride == 1 && unpadded(a); };
  const auto whole = [](const Axis& a) { return a.kernel == a.input && a.dilation == 1 && unpadded(a); };
  if (s.groups != 1) return {false, 0, 0};
  if (whole(s.h) && whole(s.w)) return {true, s.batch, s.h.input * s.w.input * s.channels};
  if (point(s.h) && point(s.w)) return {true, s.batch * s.h.input * s.w.input, s.channels};
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

INLINE bool depthwise(const Conv2D& s) { return s.groups == s.channels && s.groups > 1; }

/// The side of Winograd's output tile, or 0 where direct convolution is the faster or the wanted one.
INLINE int winograd_tile(const Conv2D& s, ConvolutionMode mode) {
  const auto fits = [](const Axis& a) {
    return a.kernel == 3 && a.stride == 1 && a.dilation == 1 && a.before <= 2 && a.after <= 2;
  };
  if (mode == ConvolutionMode::direct || s.groups != 1 || !fits(s.h) || !fits(s.w)) return 0;
  if (min_of(s.channels, s.filters) < 16) return 0;
  return mode == ConvolutionMode::fast ? 4 : 2;
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
  if (depthwise(s))
    depthwise_forward<Target>(s, x, w, bias, activation, y);
  else
    direct_forward<Target>(s, x, w, bias, activation, y);
  if (activation != Activation::sigmoid && activation != Activation::tanh) return;
  const int64_t size = s.batch * output_of(s.h) * output_of(s.w) * s.filters;
  each_part(size, 1,
            [&](int64_t first, int64_t count) INLINE_LAMBDA { apply_activation(y + first, count, activation); });
}

template <class Target, class T>
void conv2d_backward_input(const Conv2D& shape, ConvolutionMode mode, const T* dy, const T* w, T* dx) {
  const Conv2D s = turned(shape);
  if (const Product p = product_of(s); p.holds)
    return gemm<Target>(
        Gemm<T>{p.rows, p.channels, s.filters, dy, s.filters, false, w, s.filters, true, dx, p.channels});
  if (const int tile = winograd_tile(s, mode)) return winograd_backward_input<Target>(s, tile, dy, w, dx);
  if (depthwise(s)) return depthwise_backward_input<Target>(s, dy, w, dx);
  direct_backward_input<Target>(s, dy, w, dx);
}

template <class Target, class T>
void conv2d_backward_kernel(const Conv2D& shape, ConvolutionMode mode, const T* x, const T* dy, T* dw) {
  const Conv2D s = turned(shape);
  if (const Product p = product_of(s); p.holds)
    return gemm<Target>(
        Gemm<T>{p.channels, s.filters, p.rows, x, p.channels, true, dy, s.filters, false, dw, s.filters});
  if (const int tile = winograd_tile(s, mode)) return winograd_backward_kernel<Target>(s, tile, x, dy, dw);
  if (depthwise(s)) return depthwise_backward_kernel<Target>(s, x, dy, dw);
  direct_backward_kernel<Target>(s, x, dy, dw);
}

template void conv2d_forward<Target>(const Conv2D&, ConvolutionMode, const float*, const float*, const float*,
                                     Activation, float*);
template void conv2d_backward_input<Target>(const Conv2D&, ConvolutionMode, const float*, const float*, float*);
template void conv2d_backward_kernel<Target>(const Conv2D&, ConvolutionMode, const float*, const float*, float*);
template void conv2d_forward<Target>(const Conv2D&, ConvolutionMode, const double*, const double*, const double*,
                                     Activation, double*);
template void conv2d_backward_input<Target>(const Conv2D&, ConvolutionMode, const double*, const double*, double*);
template void conv2d_backward_kernel<Target>(const Conv2D&, ConvolutionMode, const double*, const double*, double*);

}  // namespace lamina
