#include "ops/elementary.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::elementary_op {

/// name(x, y), for kernel(Target, n, x, y).
template <class Kernel>
static void forward(py::module_& m, const char* name, Kernel kernel) {
  m.def(
      name,
      [kernel](const py::array& x, const py::array& y) {
        const int64_t n = x.size();
        launch(x, [&]<class Target, class T>(Target target, T) { kernel(target, n, in<T>(x, n), out<T>(y, n)); });
      },
      py::arg("x"), py::arg("y"));
}

/// name(saved, dy, dx), for kernel(Target, n, saved, dy, dx); saved is the forward's x or y, as `argument` says.
template <class Kernel>
static void backward(py::module_& m, const char* name, const char* argument, Kernel kernel) {
  m.def(
      name,
      [kernel](const py::array& saved, const py::array& dy, const py::array& dx) {
        const int64_t n = saved.size();
        launch(saved, [&]<class Target, class T>(Target target, T) {
          kernel(target, n, in<T>(saved, n), in<T>(dy, n), out<T>(dx, n));
        });
      },
      py::arg(argument), py::arg("dy"), py::arg("dx"));
}

static const Registration registration([](py::module_& m) {
  forward(m, "exp_forward",
          []<class T>(auto target, int64_t n, const T* x, T* y) { exp_forward<decltype(target)>(n, x, y); });
  forward(m, "expm1_forward",
          []<class T>(auto target, int64_t n, const T* x, T* y) { expm1_forward<decltype(target)>(n, x, y); });
  forward(m, "log_forward",
          []<class T>(auto target, int64_t n, const T* x, T* y) { log_forward<decltype(target)>(n, x, y); });
  forward(m, "log1p_forward",
          []<class T>(auto target, int64_t n, const T* x, T* y) { log1p_forward<decltype(target)>(n, x, y); });
  forward(m, "sqrt_forward",
          []<class T>(auto target, int64_t n, const T* x, T* y) { sqrt_forward<decltype(target)>(n, x, y); });
  forward(m, "erf_forward",
          []<class T>(auto target, int64_t n, const T* x, T* y) { erf_forward<decltype(target)>(n, x, y); });
  forward(m, "sigmoid_forward",
          []<class T>(auto target, int64_t n, const T* x, T* y) { sigmoid_forward<decltype(target)>(n, x, y); });
  forward(m, "tanh_forward",
          []<class T>(auto target, int64_t n, const T* x, T* y) { tanh_forward<decltype(target)>(n, x, y); });
  forward(m, "binary_step_forward",
          []<class T>(auto target, int64_t n, const T* x, T* y) { binary_step_forward<decltype(target)>(n, x, y); });
  backward(m, "exp_backward", "y", []<class T>(auto target, int64_t n, const T* y, const T* dy, T* dx) {
    exp_backward<decltype(target)>(n, y, dy, dx);
  });
  backward(m, "expm1_backward", "y", []<class T>(auto target, int64_t n, const T* y, const T* dy, T* dx) {
    expm1_backward<decltype(target)>(n, y, dy, dx);
  });
  backward(m, "log_backward", "x", []<class T>(auto target, int64_t n, const T* x, const T* dy, T* dx) {
    log_backward<decltype(target)>(n, x, dy, dx);
  });
  backward(m, "log1p_backward", "x", []<class T>(auto target, int64_t n, const T* x, const T* dy, T* dx) {
    log1p_backward<decltype(target)>(n, x, dy, dx);
  });
  backward(m, "sqrt_backward", "y", []<class T>(auto target, int64_t n, const T* y, const T* dy, T* dx) {
    sqrt_backward<decltype(target)>(n, y, dy, dx);
  });
  backward(m, "erf_backward", "x", []<class T>(auto target, int64_t n, const T* x, const T* dy, T* dx) {
    erf_backward<decltype(target)>(n, x, dy, dx);
  });
  backward(m, "sigmoid_backward", "y", []<class T>(auto target, int64_t n, const T* y, const T* dy, T* dx) {
    sigmoid_backward<decltype(target)>(n, y, dy, dx);
  });
  backward(m, "tanh_backward", "y", []<class T>(auto target, int64_t n, const T* y, const T* dy, T* dx) {
    tanh_backward<decltype(target)>(n, y, dy, dx);
  });
});

}  // namespace lamina::bind::elementary_op
