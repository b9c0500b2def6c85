#include "ops/overlap_loss.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::overlap_loss_op {

/// Each row of x, t: (rows, n) has one sum, or one factor, in `each`.
static int64_t columns(const py::array& x, int64_t rows) {
  if (rows == 0 ? x.size() != 0 : x.size() % rows != 0) throw py::value_error("overlap: x is no whole number of rows");
  return rows == 0 ? 0 : x.size() / rows;
}

static void sums(const py::array& x, const py::array& t, const py::array& each) {
  const int64_t rows = each.size() / 3, n = columns(x, rows);
  launch(x, [&]<class Target, class T>(Target, T) {
    overlap_sums<Target>(rows, n, in<T>(x, rows * n), in<T>(t, rows * n), out<T>(each, rows * 3));
  });
}

static void gradient(const py::array& t, const py::array& a, const py::array& b, const py::array& dx) {
  const int64_t rows = a.size(), n = columns(t, rows);
  launch(t, [&]<class Target, class T>(Target, T) {
    overlap_gradient<Target>(rows, n, in<T>(t, rows * n), in<T>(a, rows), in<T>(b, rows), out<T>(dx, rows * n));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("overlap_sums", &sums, py::arg("x"), py::arg("targets"), py::arg("sums"));
  m.def("overlap_gradient", &gradient, py::arg("targets"), py::arg("a"), py::arg("b"), py::arg("dx"));
});

}  // namespace lamina::bind::overlap_loss_op
