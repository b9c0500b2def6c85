#include "ops/running.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::running_op {

template <Running OPERATION>
static void run(const py::array& x, bool reversed, const py::array& y) {
  if (x.ndim() != 3) throw py::value_error("running: x must have shape (outer, length, inner)");
  const int64_t outer = x.shape(0), length = x.shape(1), inner = x.shape(2);
  launch(x, [&]<class Target, class T>(Target, T) {
    running<Target>(OPERATION, reversed, outer, length, inner, in<T>(x, x.size()), out<T>(y, x.size()));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("running_sum", &run<Running::sum>, py::arg("x"), py::arg("reversed"), py::arg("y"));
  m.def("running_product", &run<Running::product>, py::arg("x"), py::arg("reversed"), py::arg("y"));
});

}  // namespace lamina::bind::running_op
