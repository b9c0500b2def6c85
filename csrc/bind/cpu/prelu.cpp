#include "ops/prelu.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::prelu_op {

/// The rows of x that the slopes repeat over.
static int64_t rows_of(const py::array& x, const py::array& slopes) {
  const int64_t n = slopes.size();
  if (n == 0 || x.size() % n != 0) throw py::value_error("prelu: x is no whole number of rows of slopes");
  return x.size() / n;
}

static void forward(const py::array& x, const py::array& slopes, const py::array& y) {
  const int64_t rows = rows_of(x, slopes), n = slopes.size();
  launch(x, [&]<class Target, class T>(Target, T) {
    prelu_forward<Target>(rows, n, in<T>(x, rows * n), in<T>(slopes, n), out<T>(y, rows * n));
  });
}

static void backward(const py::array& x, const py::array& slopes, const py::array& dy, const py::object& dx,
                     const py::object& terms) {
  const int64_t rows = rows_of(x, slopes), n = slopes.size(), size = rows * n;
  launch(x, [&]<class Target, class T>(Target, T) {
    prelu_backward<Target>(rows, n, in<T>(x, size), in<T>(slopes, n), in<T>(dy, size), out<T>(dx, size),
                           out<T>(terms, size));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("prelu_forward", &forward, py::arg("x"), py::arg("slopes"), py::arg("y"));
  m.def("prelu_backward", &backward, py::arg("x"), py::arg("slopes"), py::arg("dy"), py::arg("dx"), py::arg("terms"));
});

}  // namespace lamina::bind::prelu_op
