// conv2d and conv3d: the shapes tell which.
#include "ops/conv2d.h"

#include "bind/cpu/convolution.h"
#include "ops/conv3d.h"

namespace lamina::bind::conv2d_op {

struct Problem {
  Conv2D s;
  bool volumes;  // three axes
  int64_t x_size, w_size, y_size;
};

/// The convolution of an x and a w of these shapes whose output has the shape of y; throws where they do not fit.
static Problem problem_of(const py::array& x, const py::array& w, const py::array& y, const Window& window,
                          int64_t groups) {
  const Conv2D s = convolution_of(x, w, window, groups);
  const bool volumes = x.ndim() == 5;
  bool fits = y.ndim() == x.ndim() && y.shape(0) == s.batch && y.shape(y.ndim() - 1) == s.filters;
  fits = fits && y.shape(y.ndim() - 2) == s.w.output() && y.shape(y.ndim() - 3) == s.h.output();
  if (!fits || (volumes && y.shape(1) != s.d.output()))
    throw py::value_error("convolution: the output has the wrong shape");
  return {s, volumes, x.size(), w.size(), y.size()};
}

static void forward(const py::array& x, const py::array& w, const py::object& bias, const py::array& y,
                    const Window& window, int64_t groups, int activation, int mode) {
  const Problem p = problem_of(x, w, y, window, groups);
  launch(x, [&]<class Target, class T>(Target, T) {
    const auto run = p.volumes ? conv3d_forward<Target, T> : conv2d_forward<Target, T>;
    run(p.s, mode_of(mode), in<T>(x, p.x_size), in<T>(w, p.w_size), in<T>(bias, p.s.filters), activation_of(activation),
        out<T>(y, p.y_size));
  });
}

static void backward_input(const py::array& dy, const py::array& w, const py::array& dx, const Window& window,
                           int64_t groups, int mode, const py::object& bias, int activation) {
  const Problem p = problem_of(dx, w, dy, window, groups);
  launch(dy, [&]<class Target, class T>(Target, T) {
    const auto run = p.volumes ? conv3d_backward_input<Target, T> : conv2d_backward_input<Target, T>;
    run(p.s, mode_of(mode), in<T>(dy, p.y_size), in<T>(w, p.w_size), in<T>(bias, p.s.channels),
        activation_of(activation), out<T>(dx, p.x_size));
  });
}

static void backward_kernel(const py::array& x, const py::array& dy, const py::array& dw, const Window& window,
                            int64_t groups, int mode) {
  const Problem p = problem_of(x, dw, dy, window, groups);
  launch(x, [&]<class Target, class T>(Target, T) {
    const auto run = p.volumes ? conv3d_backward_kernel<Target, T> : conv2d_backward_kernel<Target, T>;
    run(p.s, mode_of(mode), in<T>(x, p.x_size), in<T>(dy, p.y_size), out<T>(dw, p.w_size));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("conv2d_forward", &forward, py::arg("x"), py::arg("w"), py::arg("bias"), py::arg("y"), py::arg("window"),
        py::arg("groups"), py::arg("activation"), py::arg("mode"));
  m.def("conv2d_backward_input", &backward_input, py::arg("dy"), py::arg("w"), py::arg("dx"), py::arg("window"),
        py::arg("groups"), py::arg("mode"), py::arg("bias") = py::none(), py::arg("activation") = 0);
  m.def("conv2d_backward_kernel", &backward_kernel, py::arg("x"), py::arg("dy"), py::arg("dw"), py::arg("window"),
        py::arg("groups"), py::arg("mode"));
});

}  // namespace lamina::bind::conv2d_op
