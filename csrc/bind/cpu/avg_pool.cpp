#include "ops/avg_pool.h"

#include "bind/cpu/pool.h"

namespace lamina::bind::avg_pool_op {

static void forward(const py::array& x, const py::array& y, bool count_padding, const py::tuple& window) {
  const Pool s = pool_of(x, window);
  launch(x, [&]<class Target, class T>(Target, T) {
    avg_pool_forward<Target>(s, count_padding, in<T>(x, x.size()), out<T>(y, outputs(s)));
  });
}

static void backward(const py::array& dy, const py::array& dx, bool count_padding, const py::tuple& window) {
  const Pool s = pool_of(dx, window);
  launch(dx, [&]<class Target, class T>(Target, T) {
    avg_pool_backward<Target>(s, count_padding, in<T>(dy, outputs(s)), out<T>(dx, dx.size()));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("avg_pool_forward", &forward, py::arg("x"), py::arg("y"), py::arg("count_padding"), py::arg("window"));
  m.def("avg_pool_backward", &backward, py::arg("dy"), py::arg("dx"), py::arg("count_padding"), py::arg("window"));
});

}  // namespace lamina::bind::avg_pool_op
