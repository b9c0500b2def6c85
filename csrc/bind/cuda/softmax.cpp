#include "ops/softmax.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::softmax_op {

/// The array as (outer, n, inner) around an axis.
struct Around {
  int64_t outer = 1, n = 1, inner = 1;
  Around(const In& a, int axis) {
    const int axes = int(a.ndim());
    if (axis < 0) axis += axes;
    if (axis < 0 || axis >= axes) throw nb::value_error("softmax: no such axis");
    for (int i = 0; i < axes; ++i) (i < axis ? outer : i == axis ? n : inner) *= int64_t(a.shape(size_t(i)));
  }
};

static Softmax kind_of(bool logarithm) { return logarithm ? Softmax::logarithm : Softmax::plain; }

static void forward(const In& x, const Out& y, int axis, bool logarithm, uintptr_t stream) {
  const Around s(x, axis);
  launch_any(x, [&]<class T>(T) {
    cuda::softmax_forward(kind_of(logarithm), s.outer, s.n, s.inner, in<T>(x, x.size()), out<T>(y, x.size()),
                          stream_of(stream));
  });
}

static void backward(const In& y, const In& dy, const Out& dx, int axis, bool logarithm, uintptr_t stream) {
  const Around s(y, axis);
  const size_t size = y.size();
  launch_any(y, [&]<class T>(T) {
    cuda::softmax_backward(kind_of(logarithm), s.outer, s.n, s.inner, in<T>(y, size), in<T>(dy, size), out<T>(dx, size),
                           stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("softmax_forward", &forward, array("x"), array("y"), nb::arg("axis") = -1, nb::arg("logarithm") = false,
        nb::arg("stream") = 0);
  m.def("softmax_backward", &backward, array("y"), array("dy"), array("dx"), nb::arg("axis") = -1,
        nb::arg("logarithm") = false, nb::arg("stream") = 0);
  takes_sixteen_bits({"softmax_forward", "softmax_backward"});
});

}  // namespace lamina::bind::softmax_op
