#include "ops/bias_backward.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::bias_backward_op {

static void run(const py::object& y, const py::array& dy, int activation, const py::object& dz, const py::object& db) {
  if (dy.ndim() < 1) throw py::value_error("bias_backward: dy must have at least one dimension");
  const int64_t n = dy.shape(dy.ndim() - 1), size = dy.size();
  launch(dy, [&]<class Target, class T>(Target, T) {
    const Activation a = activation_of(activation);
    if (a != Activation::linear && (y.is_none() || dz.is_none()))
      throw py::value_error("bias_backward: y and dz are needed for an activation");
    bias_backward<Target>(n ? size / n : 0, n, in<T>(y, size), in<T>(dy, size), a, out<T>(dz, size), out<T>(db, n));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("bias_backward", &run, py::arg("y"), py::arg("dy"), py::arg("activation"), py::arg("dz"), py::arg("db"));
});

}  // namespace lamina::bind::bias_backward_op
