// conv2d and conv3d: the shapes tell which.
#include "ops/conv2d.h"

#include <nanobind/stl/vector.h>

#include <vector>

#include "bind/cuda/bind.h"

namespace lamina::bind::conv2d_op {

/// Strides, dilations, then padding before and after for each axis: what Python passes beside the arrays.
using Window = std::vector<int64_t>;

struct Problem {
  Conv2D s;
  size_t x_size, w_size, y_size;
};

/// The convolution of an x and a w of these shapes whose output has the shape of y; throws where they do not fit.
template <class X, class W, class Y>
static Problem problem_of(const X& x, const W& w, const Y& y, const Window& window, int64_t groups) {
  const int64_t rank = int64_t(x.ndim()) - 2;
  const auto size = [](const auto& array, int64_t i) { return int64_t(array.shape(size_t(i))); };
  if (rank < 2 || rank > 3 || w.ndim() != x.ndim() || y.ndim() != x.ndim())
    throw nb::value_error("convolution: expected 4 or 5 dimensions");
  if (int64_t(window.size()) != 4 * rank) throw nb::value_error("convolution: the window has the wrong length");
  Conv2D s{};
  s.batch = size(x, 0);
  s.channels = size(x, rank + 1);
  s.filters = size(w, rank + 1);
  s.groups = groups;
  Axis axes[3];
  for (size_t i = 0; i < size_t(rank); ++i) {
    const size_t n = size_t(rank), pad = 2 * n + 2 * i;
    axes[i] = {size(x, int64_t(i) + 1), size(w, int64_t(i)), window[i], window[n + i], window[pad], window[pad + 1]};
    axes[i].check("convolution");
    if (size(y, int64_t(i) + 1) != axes[i].output())
      throw nb::value_error("convolution: the output has the wrong shape");
  }
  s.w = axes[rank - 1];
  s.h = axes[rank - 2];
  s.d = rank == 3 ? axes[0] : Axis{1, 1};
  if (groups < 1 || s.channels < 1 || s.filters < 1 || s.channels % groups || s.filters % groups ||
      size(w, rank) != s.channels / groups)
    throw nb::value_error("convolution: channels, filters and groups do not fit");
  if (size(y, 0) != s.batch || size(y, rank + 1) != s.filters)
    throw nb::value_error("convolution: the output has the wrong shape");
  const auto padded = [](const Axis& a) { return a.input + a.before + a.after; };
  product(padded(s.d), padded(s.h), padded(s.w), s.channels + s.filters, 64);
  return {s, x.size(), w.size(), y.size()};
}

/// The mode says which of the CPU's algorithms to take; here there is one.
static void check_mode(int mode) {
  if (mode < 0 || mode > int(ConvolutionMode::direct)) throw nb::value_error("unknown convolution mode");
}

static void forward(const In& x, const In& w, const OptionalIn& bias, const Out& y, const Window& window,
                    int64_t groups, int activation, int mode, uintptr_t stream) {
  const Problem p = problem_of(x, w, y, window, groups);
  check_mode(mode);
  launch_any(x, [&]<class T>(T) {
    cuda::conv2d_forward(p.s, in<T>(x, p.x_size), in<T>(w, p.w_size), in<T>(bias, size_t(p.s.filters)),
                         activation_of(activation), out<T>(y, p.y_size), stream_of(stream));
  });
}

static void backward_input(const In& dy, const In& w, const Out& dx, const Window& window, int64_t groups, int mode,
                           const OptionalIn& bias, int activation, uintptr_t stream) {
  const Problem p = problem_of(dx, w, dy, window, groups);
  check_mode(mode);
  launch_any(dy, [&]<class T>(T) {
    cuda::conv2d_backward_input(p.s, in<T>(dy, p.y_size), in<T>(w, p.w_size), in<T>(bias, size_t(p.s.channels)),
                                activation_of(activation), out<T>(dx, p.x_size), stream_of(stream));
  });
}

static void backward_kernel(const In& x, const In& dy, const Out& dw, const Window& window, int64_t groups, int mode,
                            uintptr_t stream) {
  const Problem p = problem_of(x, dw, dy, window, groups);
  check_mode(mode);
  launch_any(x, [&]<class T>(T) {
    cuda::conv2d_backward_kernel(p.s, in<T>(x, p.x_size), in<T>(dy, p.y_size), out<T>(dw, p.w_size), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("conv2d_forward", &forward, array("x"), array("w"), array("bias").none(), array("y"), nb::arg("window"),
        nb::arg("groups"), nb::arg("activation"), nb::arg("mode"), nb::arg("stream"));
  m.def("conv2d_backward_input", &backward_input, array("dy"), array("w"), array("dx"), nb::arg("window"),
        nb::arg("groups"), nb::arg("mode"), array("bias") = nb::none(), nb::arg("activation") = 0,
        nb::arg("stream") = 0);
  m.def("conv2d_backward_kernel", &backward_kernel, array("x"), array("dy"), array("dw"), nb::arg("window"),
        nb::arg("groups"), nb::arg("mode"), nb::arg("stream"));
  takes_sixteen_bits({"conv2d_forward", "conv2d_backward_input", "conv2d_backward_kernel"});
});

}  // namespace lamina::bind::conv2d_op
