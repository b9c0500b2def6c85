#include "ops/row_norm.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::row_norm_op {

static RowNormKind kind_of(int number) {
  if (number < 0 || number > int(RowNormKind::unit)) throw py::value_error("row_norm: unknown kind");
  return RowNormKind(number);
}

static void forward(const py::array& x, const py::object& gamma, const py::object& beta, const py::object& mean,
                    const py::array& inverse, const py::array& y, int kind, double epsilon) {
  const int64_t rows = size_of(x, 0, "row_norm"), n = size_of(x, 1, "row_norm");
  const RowNormKind which = kind_of(kind);
  if ((which == RowNormKind::layer) == mean.is_none()) throw py::value_error("row_norm: a mean goes with layer");
  launch(x, [&]<class Target, class T>(Target, T) {
    const RowNorm<T> s{which, rows, n, in<T>(x, product(rows, n)), in<T>(gamma, n), epsilon};
    row_norm_forward<Target>(s, in<T>(beta, n), out<T>(mean, rows), out<T>(inverse, rows), out<T>(y, x.size()));
  });
}

static void backward(const py::array& x, const py::object& gamma, const py::object& mean, const py::array& inverse,
                     const py::array& dy, const py::object& dx, const py::object& dgamma, const py::object& dbeta,
                     int kind, double epsilon) {
  const int64_t rows = size_of(x, 0, "row_norm"), n = size_of(x, 1, "row_norm");
  const RowNormKind which = kind_of(kind);
  if ((which == RowNormKind::layer) == mean.is_none()) throw py::value_error("row_norm: a mean goes with layer");
  launch(x, [&]<class Target, class T>(Target, T) {
    const RowNorm<T> s{which, rows, n, in<T>(x, product(rows, n)), in<T>(gamma, n), epsilon};
    row_norm_backward<Target>(s, in<T>(mean, rows), in<T>(inverse, rows), in<T>(dy, x.size()), out<T>(dx, x.size()),
                              out<T>(dgamma, n), out<T>(dbeta, n));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("row_norm_forward", &forward, py::arg("x"), py::arg("gamma"), py::arg("beta"), py::arg("mean"),
        py::arg("inverse"), py::arg("y"), py::arg("kind"), py::arg("epsilon"));
  m.def("row_norm_backward", &backward, py::arg("x"), py::arg("gamma"), py::arg("mean"), py::arg("inverse"),
        py::arg("dy"), py::arg("dx"), py::arg("dgamma"), py::arg("dbeta"), py::arg("kind"), py::arg("epsilon"));
});

}  // namespace lamina::bind::row_norm_op
