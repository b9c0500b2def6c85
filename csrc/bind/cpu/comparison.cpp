#include "ops/comparison.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::comparison_op {

template <Comparison COMPARISON>
static void run(const py::array& a, const py::array& b, const py::array& y) {
  const Broadcast s("comparison", int(a.ndim()), a.shape(), int(b.ndim()), b.shape());
  const auto with = [&]<class Target, class T>(Target, T) {
    compare<Target>(COMPARISON, s, in<T>(a, a.size()), in<T>(b, b.size()), out<uint8_t>(y, s.elements));
  };
  if (type_of(a) != type_number<uint8_t>()) return launch(a, with);
  py::gil_scoped_release release;
  dispatch([&](auto target) { with(target, uint8_t{}); });
}

static const Registration registration([](py::module_& m) {
  const auto def = [&](const char* name, auto function) {
    m.def(name, function, py::arg("a"), py::arg("b"), py::arg("y"));
  };
  def("equal", &run<Comparison::equal>);
  def("not_equal", &run<Comparison::not_equal>);
  def("less", &run<Comparison::less>);
  def("less_equal", &run<Comparison::less_equal>);
  def("magnitude_equal", &run<Comparison::magnitude_equal>);
  def("magnitude_less", &run<Comparison::magnitude_less>);
  def("logical_and", &run<Comparison::logical_and>);
  def("logical_or", &run<Comparison::logical_or>);
  def("logical_xor", &run<Comparison::logical_xor>);
});

}  // namespace lamina::bind::comparison_op
