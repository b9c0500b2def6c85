#include "ops/reduce_sum.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::reduce_sum_op {

static void run(const py::array& x, const py::array& y) {
  if (x.ndim() != 3) throw py::value_error("reduce_sum: x must have 3 dimensions");
  const int64_t outer = x.shape(0), reduced = x.shape(1), inner = x.shape(2);
  launch(x, [&]<class Target, class T>(Target, T) {
    reduce_sum<Target>(outer, reduced, inner, in<T>(x, x.size()), out<T>(y, product(outer, inner)));
  });
}

static const Registration registration([](py::module_& m) { m.def("reduce_sum", &run, py::arg("x"), py::arg("y")); });

}  // namespace lamina::bind::reduce_sum_op
