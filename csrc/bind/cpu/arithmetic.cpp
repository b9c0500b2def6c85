#include "ops/arithmetic.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::arithmetic_op {

template <Arithmetic OPERATION>
static void run(const py::array& a, const py::array& b, const py::array& y) {
  const Broadcast s("arithmetic", int(a.ndim()), a.shape(), int(b.ndim()), b.shape());
  launch(y, [&]<class Target, class T>(Target, T) {
    arithmetic<Target>(OPERATION, s, in<T>(a, a.size()), in<T>(b, b.size()), out<T>(y, s.elements));
  });
}

static const Registration registration([](py::module_& m) {
  const auto def = [&](const char* name, auto function) {
    m.def(name, function, py::arg("a"), py::arg("b"), py::arg("y"));
  };
  def("add", &run<Arithmetic::add>);
  def("subtract", &run<Arithmetic::subtract>);
  def("multiply", &run<Arithmetic::multiply>);
  def("divide", &run<Arithmetic::divide>);
  def("maximum", &run<Arithmetic::maximum>);
  def("minimum", &run<Arithmetic::minimum>);
});

}  // namespace lamina::bind::arithmetic_op
