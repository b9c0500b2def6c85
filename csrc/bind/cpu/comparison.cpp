#include "ops/comparison.h"

#include "bind/cpu/bind.h"
#include "bind/names.h"

namespace lamina::bind::comparison_op {

static void run(Comparison comparison, const py::array& a, const py::array& b, const py::array& y) {
  const Broadcast s("comparison", int(a.ndim()), a.shape(), int(b.ndim()), b.shape());
  const auto with = [&]<class Target, class T>(Target, T) {
    compare<Target>(comparison, s, in<T>(a, a.size()), in<T>(b, b.size()), out<uint8_t>(y, s.elements));
  };
  if (type_of(a) != type_number<uint8_t>()) return launch(a, with);
  py::gil_scoped_release release;
  dispatch([&](auto target) { with(target, uint8_t{}); });
}

static const Registration registration([](py::module_& m) {
  for (const auto& [name, kind] : COMPARISONS)
    m.def(
        name, [kind = kind](const py::array& a, const py::array& b, const py::array& y) { run(kind, a, b, y); },
        py::arg("a"), py::arg("b"), py::arg("y"));
});

}  // namespace lamina::bind::comparison_op
