#include "ops/reduce_extreme.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::reduce_extreme_op {

struct Sizes {
  int64_t outer, reduced, inner, kept;
  explicit Sizes(const py::array& x) {
    if (x.ndim() != 3 || (x.shape(1) == 0 && x.shape(0) * x.shape(2) != 0))
      throw py::value_error("reduce_extreme: x must have shape (outer, reduced, inner), reduced at least 1");
    outer = x.shape(0), reduced = x.shape(1), inner = x.shape(2), kept = product(outer, inner);
  }
};

static void forward(const py::array& x, bool largest, const py::array& y) {
  const Sizes s(x);
  launch(x, [&]<class Target, class T>(Target, T) {
    reduce_extreme<Target>(largest, s.outer, s.reduced, s.inner, in<T>(x, x.size()), out<T>(y, s.kept));
  });
}

static void backward(const py::array& x, const py::array& y, const py::array& dy, const py::array& dx) {
  const Sizes s(x);
  launch(x, [&]<class Target, class T>(Target, T) {
    reduce_extreme_backward<Target>(s.outer, s.reduced, s.inner, in<T>(x, x.size()), in<T>(y, s.kept),
                                    in<T>(dy, s.kept), out<T>(dx, x.size()));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("reduce_extreme", &forward, py::arg("x"), py::arg("largest"), py::arg("y"));
  m.def("reduce_extreme_backward", &backward, py::arg("x"), py::arg("y"), py::arg("dy"), py::arg("dx"));
});

}  // namespace lamina::bind::reduce_extreme_op
