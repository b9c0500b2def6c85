// Winograd convolution by itself, for tests: conv2d chooses among algorithms, these do not. Kernels are 3x3, strides 1;
// padding is (top, bottom, left, right), tile 2 or 4.
#include "bind/cpu/bind.h"
#include "ops/conv2d.h"

namespace lamina::bind::winograd_op {

static Conv2D shape_of(const py::array& x, const py::array& w, const py::tuple& padding, int tile) {
  if (padding.size() != 4) throw py::value_error("winograd: padding must be (top, bottom, left, right)");
  int64_t pad[4];
  for (size_t i = 0; i < 4; ++i) {
    pad[i] = padding[i].cast<int64_t>();
    if (pad[i] < 0 || pad[i] > 2) throw py::value_error("winograd: padding must be 0, 1 or 2");
  }
  const Axis h{size_of(x, 1, "x"), size_of(w, 0, "w"), 1, 1, pad[0], pad[1]};
  const Axis across{size_of(x, 2, "x"), size_of(w, 1, "w"), 1, 1, pad[2], pad[3]};
  h.check("winograd");
  across.check("winograd");
  if (h.kernel != 3 || across.kernel != 3) throw py::value_error("winograd: w must have shape (3, 3, C, K)");
  if (tile != 2 && tile != 4) throw py::value_error("winograd: tile must be 2 or 4");
  return {size_of(x, 0, "x"), size_of(x, 3, "x"), size_of(w, 3, "w"), h, across};
}
static int64_t inputs(const Conv2D& s) { return product(s.batch, s.h.input, s.w.input, s.channels); }
static int64_t weights(const Conv2D& s) { return product(int64_t(9), s.channels, s.filters); }
static int64_t outputs(const Conv2D& s) { return product(s.batch, s.h.output(), s.w.output(), s.filters); }

static void forward(const py::array& x, const py::array& w, const py::object& bias, int activation,
                    const py::tuple& padding, int tile, const py::array& y) {
  const Conv2D s = shape_of(x, w, padding, tile);
  launch(x, [&]<class Target, class T>(Target, T) {
    winograd_forward<Target>(s, tile, in<T>(x, inputs(s)), in<T>(w, weights(s)), in<T>(bias, s.filters),
                             activation_of(activation), out<T>(y, outputs(s)));
  });
}

static void backward_input(const py::array& dy, const py::array& w, const py::tuple& padding, int tile,
                           const py::array& dx) {
  const Conv2D s = shape_of(dx, w, padding, tile);
  launch(dy, [&]<class Target, class T>(Target, T) {
    winograd_backward_input<Target>(s, tile, in<T>(dy, outputs(s)), in<T>(w, weights(s)),
                                    static_cast<const T*>(nullptr), Activation::linear, out<T>(dx, inputs(s)));
  });
}

static void backward_kernel(const py::array& x, const py::array& dy, const py::tuple& padding, int tile,
                            const py::array& dw) {
  const Conv2D s = shape_of(x, dw, padding, tile);
  launch(x, [&]<class Target, class T>(Target, T) {
    winograd_backward_kernel<Target>(s, tile, in<T>(x, inputs(s)), in<T>(dy, outputs(s)), out<T>(dw, weights(s)));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("winograd_forward", &forward, py::arg("x"), py::arg("w"), py::arg("bias"), py::arg("activation"),
        py::arg("padding"), py::arg("tile"), py::arg("y"));
  m.def("winograd_backward_input", &backward_input, py::arg("dy"), py::arg("w"), py::arg("padding"), py::arg("tile"),
        py::arg("dx"));
  m.def("winograd_backward_kernel", &backward_kernel, py::arg("x"), py::arg("dy"), py::arg("padding"), py::arg("tile"),
        py::arg("dw"));
});

}  // namespace lamina::bind::winograd_op
