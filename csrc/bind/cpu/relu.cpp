#include "ops/relu.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::relu_op {

static void forward(const py::array& x, const py::array& y) {
  launch(x, [&]<class Target, class T>(Target, T) {
    relu_forward<Target>(x.size(), in<T>(x, x.size()), out<T>(y, x.size()));
  });
}

static void backward(const py::array& y, const py::array& dy, const py::array& dx) {
  const int64_t n = y.size();
  launch(y,
         [&]<class Target, class T>(Target, T) { relu_backward<Target>(n, in<T>(y, n), in<T>(dy, n), out<T>(dx, n)); });
}

static const Registration registration([](py::module_& m) {
  m.def("relu_forward", &forward, py::arg("x"), py::arg("y"));
  m.def("relu_backward", &backward, py::arg("y"), py::arg("dy"), py::arg("dx"));
});

}  // namespace lamina::bind::relu_op
