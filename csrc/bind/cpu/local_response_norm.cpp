#include "ops/local_response_norm.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::local_response_norm_op {

static LocalResponseNorm norm_of(const py::array& x, int64_t size, double alpha, double beta, double k) {
  const LocalResponseNorm s{
      size_of(x, 0, "local_response_norm"), size_of(x, 1, "local_response_norm"), size, alpha, beta, k};
  if (x.ndim() != 2) throw py::value_error("local_response_norm: x must have 2 dimensions");
  if (size < 1 || size > (int64_t(1) << 20)) throw py::value_error("local_response_norm: size is out of range");
  return s;
}

static void forward(const py::array& x, const py::array& y, int64_t size, double alpha, double beta, double k) {
  const LocalResponseNorm s = norm_of(x, size, alpha, beta, k);
  launch(x, [&]<class Target, class T>(Target, T) {
    local_response_norm_forward<Target>(s, in<T>(x, x.size()), out<T>(y, x.size()));
  });
}

static void backward(const py::array& x, const py::array& dy, const py::array& dx, int64_t size, double alpha,
                     double beta, double k) {
  const LocalResponseNorm s = norm_of(x, size, alpha, beta, k);
  launch(x, [&]<class Target, class T>(Target, T) {
    local_response_norm_backward<Target>(s, in<T>(x, x.size()), in<T>(dy, x.size()), out<T>(dx, x.size()));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("local_response_norm_forward", &forward, py::arg("x"), py::arg("y"), py::arg("size"), py::arg("alpha"),
        py::arg("beta"), py::arg("k"));
  m.def("local_response_norm_backward", &backward, py::arg("x"), py::arg("dy"), py::arg("dx"), py::arg("size"),
        py::arg("alpha"), py::arg("beta"), py::arg("k"));
});

}  // namespace lamina::bind::local_response_norm_op
