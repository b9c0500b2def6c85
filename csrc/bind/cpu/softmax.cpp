#include "ops/softmax.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::softmax_op {

/// The array as (rows, length of the last axis).
static int64_t rows_of(const py::array& a, int64_t& n) {
  n = a.ndim() == 0 ? 1 : a.shape(a.ndim() - 1);
  return n == 0 ? 0 : a.size() / n;
}

static void forward(const py::array& x, const py::array& y) {
  int64_t n;
  const int64_t rows = rows_of(x, n);
  launch(x, [&]<class Target, class T>(Target, T) {
    softmax_forward<Target>(rows, n, in<T>(x, x.size()), out<T>(y, x.size()));
  });
}

static void backward(const py::array& y, const py::array& dy, const py::array& dx) {
  int64_t n;
  const int64_t rows = rows_of(y, n), size = y.size();
  launch(y, [&]<class Target, class T>(Target, T) {
    softmax_backward<Target>(rows, n, in<T>(y, size), in<T>(dy, size), out<T>(dx, size));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("softmax_forward", &forward, py::arg("x"), py::arg("y"));
  m.def("softmax_backward", &backward, py::arg("y"), py::arg("dy"), py::arg("dx"));
});

}  // namespace lamina::bind::softmax_op
