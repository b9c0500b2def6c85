#include "ops/arithmetic.h"

#include "bind/cpu/bind.h"
#include "bind/names.h"

namespace lamina::bind::arithmetic_op {

static void run(Arithmetic operation, const py::array& a, const py::array& b, const py::array& y) {
  const Broadcast s("arithmetic", int(a.ndim()), a.shape(), int(b.ndim()), b.shape());
  launch(y, [&]<class Target, class T>(Target, T) {
    arithmetic<Target>(operation, s, in<T>(a, a.size()), in<T>(b, b.size()), out<T>(y, s.elements));
  });
}

static const Registration registration([](py::module_& m) {
  for (const auto& [name, kind] : ARITHMETIC)
    m.def(
        name, [kind = kind](const py::array& a, const py::array& b, const py::array& y) { run(kind, a, b, y); },
        py::arg("a"), py::arg("b"), py::arg("y"));
});

}  // namespace lamina::bind::arithmetic_op
