// conv2d and conv3d: the shapes tell which.
#include "ops/conv2d.h"

#include <pybind11/stl.h>

#include <vector>

#include "bind/cpu/bind.h"
#include "ops/conv3d.h"

namespace lamina::bind::conv2d_op {

/// Strides, dilations, then padding before and after for each axis: what Python passes beside the arrays.
using Window = std::vector<int64_t>;

struct Problem {
  Conv2D s;
  bool volumes;  // three axes
  int64_t x_size, w_size, y_size;
};

/// The convolution of an x and a w of these shapes whose output has the shape of y; throws where they do not fit.
static Problem problem_of(const py::array& x, const py::array& w, const py::array& y, const Window& window,
                          int64_t groups) {
  const py::ssize_t rank = x.ndim() - 2;
  if (rank < 2 || rank > 3 || w.ndim() != rank + 2 || y.ndim() != rank + 2)
    throw py::value_error("convolution: expected 4 or 5 dimensions");
  if (int64_t(window.size()) != 4 * rank) throw py::value_error("convolution: the window has the wrong length");
  Conv2D s{};
  s.batch = x.shape(0);
  s.channels = x.shape(rank + 1);
  s.filters = w.shape(rank + 1);
  s.groups = groups;
  Axis axes[3];
  for (size_t i = 0; i < size_t(rank); ++i) {
    const size_t n = size_t(rank), pad = 2 * n + 2 * i;
    axes[i] = {
        x.shape(py::ssize_t(i) + 1), w.shape(py::ssize_t(i)), window[i], window[n + i], window[pad], window[pad + 1]};
    axes[i].check("convolution");
    if (y.shape(py::ssize_t(i) + 1) != axes[i].output())
      throw py::value_error("convolution: the output has the wrong shape");
  }
  s.w = axes[rank - 1];
  s.h = axes[rank - 2];
  s.d = rank == 3 ? axes[0] : Axis{1, 1};
  if (groups < 1 || s.channels < 1 || s.filters < 1 || s.channels % groups || s.filters % groups ||
      w.shape(rank) != s.channels / groups)
    throw py::value_error("convolution: channels, filters and groups do not fit");
  if (y.shape(0) != s.batch || y.shape(rank + 1) != s.filters)
    throw py::value_error("convolution: the output has the wrong shape");
  const auto padded = [](const Axis& a) { return a.input + a.before + a.after; };
  product(padded(s.d), padded(s.h), padded(s.w), s.channels + s.filters, 64);
  return {s, rank == 3, x.size(), w.size(), y.size()};
}

static ConvolutionMode mode_of(int mode) {
  if (mode < 0 || mode > int(ConvolutionMode::direct)) throw py::value_error("unknown convolution mode");
  return ConvolutionMode(mode);
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
