#include "ops/conv2d.h"

#include <pybind11/stl.h>

#include <array>

#include "bind/cpu/bind.h"

namespace lamina::bind::conv2d_op {

/// Stride, dilation, padding before and after, for rows and columns: what Python passes beside the arrays.
using Window = std::array<int64_t, 8>;

struct Problem {
  Conv2D s;
  int64_t x_size, w_size, y_size;
};

/// The convolution of an x and a w of these shapes whose output has the shape of y; throws where they do not fit.
static Problem problem_of(const py::array& x, const py::array& w, const py::array& y, const Window& window,
                          int64_t groups) {
  if (x.ndim() != 4 || w.ndim() != 4 || y.ndim() != 4) throw py::value_error("conv2d: expected 4 dimensions");
  Conv2D s{};
  s.batch = x.shape(0);
  s.channels = x.shape(3);
  s.filters = w.shape(3);
  s.groups = groups;
  s.h = {x.shape(1), w.shape(0), window[0], window[2], window[4], window[5]};
  s.w = {x.shape(2), w.shape(1), window[1], window[3], window[6], window[7]};
  s.h.check("conv2d");
  s.w.check("conv2d");
  if (groups < 1 || s.channels < 1 || s.filters < 1 || s.channels % groups || s.filters % groups ||
      w.shape(2) != s.channels / groups)
    throw py::value_error("conv2d: channels, filters and groups do not fit");
  const int64_t height = s.h.output(), width = s.w.output();
  if (y.shape(0) != s.batch || y.shape(1) != height || y.shape(2) != width || y.shape(3) != s.filters)
    throw py::value_error("conv2d: the output has the wrong shape");
  product(s.h.input + s.h.before + s.h.after, s.w.input + s.w.before + s.w.after, s.channels + s.filters, 64);
  return {s, x.size(), w.size(), y.size()};
}

static ConvolutionMode mode_of(int mode) {
  if (mode < 0 || mode > int(ConvolutionMode::direct)) throw py::value_error("unknown convolution mode");
  return ConvolutionMode(mode);
}

static void forward(const py::array& x, const py::array& w, const py::object& bias, const py::array& y,
                    const Window& window, int64_t groups, int activation, int mode) {
  const Problem p = problem_of(x, w, y, window, groups);
  launch(x, [&]<class Target, class T>(Target, T) {
    conv2d_forward<Target>(p.s, mode_of(mode), in<T>(x, p.x_size), in<T>(w, p.w_size), in<T>(bias, p.s.filters),
                           activation_of(activation), out<T>(y, p.y_size));
  });
}

static void backward_input(const py::array& dy, const py::array& w, const py::array& dx, const Window& window,
                           int64_t groups, int mode) {
  const Problem p = problem_of(dx, w, dy, window, groups);
  launch(dy, [&]<class Target, class T>(Target, T) {
    conv2d_backward_input<Target>(p.s, mode_of(mode), in<T>(dy, p.y_size), in<T>(w, p.w_size), out<T>(dx, p.x_size));
  });
}

static void backward_kernel(const py::array& x, const py::array& dy, const py::array& dw, const Window& window,
                            int64_t groups, int mode) {
  const Problem p = problem_of(x, dw, dy, window, groups);
  launch(x, [&]<class Target, class T>(Target, T) {
    conv2d_backward_kernel<Target>(p.s, mode_of(mode), in<T>(x, p.x_size), in<T>(dy, p.y_size), out<T>(dw, p.w_size));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("conv2d_forward", &forward, py::arg("x"), py::arg("w"), py::arg("bias"), py::arg("y"), py::arg("window"),
        py::arg("groups"), py::arg("activation"), py::arg("mode"));
  m.def("conv2d_backward_input", &backward_input, py::arg("dy"), py::arg("w"), py::arg("dx"), py::arg("window"),
        py::arg("groups"), py::arg("mode"));
  m.def("conv2d_backward_kernel", &backward_kernel, py::arg("x"), py::arg("dy"), py::arg("dw"), py::arg("window"),
        py::arg("groups"), py::arg("mode"));
});

}  // namespace lamina::bind::conv2d_op
