// conv3d: which algorithm computes it. Where the third axis is not convolved, its slices are a batch for conv2d.
#include "ops/conv3d.h"

#include "cpu/support/convolution.h"
#include "ops/gemm.h"

namespace lamina {
namespace LAMINA_ISA {

INLINE bool flat(const Conv2D& s) { return is_point(s.d); }
INLINE Conv2D flattened(const Conv2D& s) {
  Conv2D t = s;
  t.batch = s.batch * s.d.input;
  t.d = {1, 1};
  return t;
}
INLINE bool whole(const Conv2D& s) { return s.groups == 1 && is_whole(s.d) && is_whole(s.h) && is_whole(s.w); }
INLINE int64_t volume(const Conv2D& s) { return s.d.input * s.h.input * s.w.input * s.channels; }

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void conv3d_forward(const Conv2D& s, ConvolutionMode mode, const T* x, const T* w, const T* bias, Activation activation,
                    T* y) {
  if (flat(s)) return conv2d_forward<Target>(flattened(s), mode, x, w, bias, activation, y);
  if (whole(s))
    return gemm<Target>(Gemm<T>{s.batch, s.filters, volume(s), x, volume(s), false, w, s.filters, false, y, s.filters,
                                bias, activation});
  direct_forward<Target>(s, x, w, bias, activation, y);
  activate_rest(s.batch * output_of(s.d) * output_of(s.h) * output_of(s.w) * s.filters, activation, y);
}

template <class Target, class T>
void conv3d_backward_input(const Conv2D& s, ConvolutionMode mode, const T* dy, const T* w, const T* bias,
                           Activation activation, T* dx) {
  if (flat(s)) return conv2d_backward_input<Target>(flattened(s), mode, dy, w, bias, activation, dx);
  direct_backward_input<Target>(s, dy, w, bias, activation, dx);
  activate_rest(s.batch * volume(s), activation, dx);
}

template <class Target, class T>
void conv3d_backward_kernel(const Conv2D& s, ConvolutionMode mode, const T* x, const T* dy, T* dw) {
  if (flat(s)) return conv2d_backward_kernel<Target>(flattened(s), mode, x, dy, dw);
  if (whole(s))
    return gemm<Target>(
        Gemm<T>{volume(s), s.filters, s.batch, x, volume(s), true, dy, s.filters, false, dw, s.filters});
  direct_backward_kernel<Target>(s, x, dy, dw);
}

template void conv3d_forward<Target>(const Conv2D&, ConvolutionMode, const float*, const float*, const float*,
                                     Activation, float*);
template void conv3d_backward_input<Target>(const Conv2D&, ConvolutionMode, const float*, const float*, const float*,
                                            Activation, float*);
template void conv3d_backward_kernel<Target>(const Conv2D&, ConvolutionMode, const float*, const float*, float*);
DOUBLE template void conv3d_forward<Target>(const Conv2D&, ConvolutionMode, const double*, const double*, const double*,
                                            Activation, double*);
DOUBLE template void conv3d_backward_input<Target>(const Conv2D&, ConvolutionMode, const double*, const double*,
                                                   const double*, Activation, double*);
DOUBLE template void conv3d_backward_kernel<Target>(const Conv2D&, ConvolutionMode, const double*, const double*,
                                                    double*);

}  // namespace lamina
