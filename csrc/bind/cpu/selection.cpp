#include "ops/selection.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::selection_op {

static void run(const py::array& condition, const py::array& a, const py::array& b, const py::array& y) {
  const auto with = [&](const py::array& operand) {
    const Broadcast s("where", int(operand.ndim()), operand.shape(), int(condition.ndim()), condition.shape());
    if (s.elements != condition.size()) throw py::value_error("where: the condition must have the result's shape");
    return s;
  };
  const Broadcast a_shape = with(a), b_shape = with(b);
  launch(y, [&]<class Target, class T>(Target, T) {
    where<Target>(a_shape, b_shape, in<uint8_t>(condition, a_shape.elements), in<T>(a, a.size()), in<T>(b, b.size()),
                  out<T>(y, a_shape.elements));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("where", &run, py::arg("condition"), py::arg("a"), py::arg("b"), py::arg("y"));
});

}  // namespace lamina::bind::selection_op
