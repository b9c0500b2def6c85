#include "ops/softmax.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::softmax_op {

/// The array as (outer, n, inner) around an axis.
struct Around {
  int64_t outer = 1, n = 1, inner = 1;
  Around(const py::array& a, int axis) {
    const int axes = int(a.ndim());
    if (axis < 0) axis += axes;
    if (axis < 0 || axis >= axes) throw py::value_error("softmax: no such axis");
    for (int i = 0; i < axes; ++i) (i < axis ? outer : i == axis ? n : inner) *= a.shape(i);
  }
};

static Softmax kind_of(bool logarithm) { return logarithm ? Softmax::logarithm : Softmax::plain; }

static void forward(const py::array& x, const py::array& y, int axis, bool logarithm) {
  const Around s(x, axis);
  launch(x, [&]<class Target, class T>(Target, T) {
    softmax_forward<Target>(kind_of(logarithm), s.outer, s.n, s.inner, in<T>(x, x.size()), out<T>(y, x.size()));
  });
}

static void backward(const py::array& y, const py::array& dy, const py::array& dx, int axis, bool logarithm) {
  const Around s(y, axis);
  const int64_t size = y.size();
  launch(y, [&]<class Target, class T>(Target, T) {
    softmax_backward<Target>(kind_of(logarithm), s.outer, s.n, s.inner, in<T>(y, size), in<T>(dy, size),
                             out<T>(dx, size));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("softmax_forward", &forward, py::arg("x"), py::arg("y"), py::arg("axis") = -1, py::arg("logarithm") = false);
  m.def("softmax_backward", &backward, py::arg("y"), py::arg("dy"), py::arg("dx"), py::arg("axis") = -1,
        py::arg("logarithm") = false);
});

}  // namespace lamina::bind::softmax_op
