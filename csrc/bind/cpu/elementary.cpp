// <name>_forward(x, y) and <name>_backward(saved, dy, dx) for the elementary and the transcendental functions.
#include "ops/elementary.h"

#include "bind/cpu/bind.h"
#include "bind/names.h"
#include "ops/transcendental.h"

namespace lamina::bind::elementary_op {

template <class Forward, class Backward>
static void define(py::module_& m, const std::string& name, Forward forward, Backward backward) {
  m.def((name + "_forward").c_str(),
        [forward](const py::array& x, const py::array& y) {
          const int64_t n = x.size();
          launch(x, [&]<class Target, class T>(Target target, T) { forward(target, n, in<T>(x, n), out<T>(y, n)); });
        },
        py::arg("x"), py::arg("y"));
  m.def((name + "_backward").c_str(),
        [backward](const py::array& saved, const py::array& dy, const py::array& dx) {
          const int64_t n = saved.size();
          launch(saved, [&]<class Target, class T>(Target target, T) {
            backward(target, n, in<T>(saved, n), in<T>(dy, n), out<T>(dx, n));
          });
        },
        py::arg("saved"), py::arg("dy"), py::arg("dx"));
}

static void elementary(py::module_& m, const char* name, ElementaryFunction f) {
  define(
      m, name, [f]<class T>(auto t, int64_t n, const T* x, T* y) { elementary_forward<decltype(t)>(f, n, x, y); },
      [f]<class T>(auto t, int64_t n, const T* saved, const T* dy, T* dx) {
        elementary_backward<decltype(t)>(f, n, saved, dy, dx);
      });
}

static void transcendental(py::module_& m, const char* name, TranscendentalFunction f) {
  define(
      m, name, [f]<class T>(auto t, int64_t n, const T* x, T* y) { transcendental_forward<decltype(t)>(f, n, x, y); },
      [f]<class T>(auto t, int64_t n, const T* x, const T* dy, T* dx) {
        transcendental_backward<decltype(t)>(f, n, x, dy, dx);
      });
}

static void pair(TranscendentalPair f, const py::array& a, const py::array& b, const py::array& y) {
  const Broadcast s("transcendental", int(a.ndim()), a.shape(), int(b.ndim()), b.shape());
  launch(y, [&]<class Target, class T>(Target, T) {
    transcendental_pair<Target>(f, s, in<T>(a, a.size()), in<T>(b, b.size()), out<T>(y, s.elements));
  });
}

static const Registration registration([](py::module_& m) {
  for (const auto& [name, kind] : ELEMENTARY_FUNCTIONS) elementary(m, name, kind);
  for (const auto& [name, kind] : TRANSCENDENTAL_FUNCTIONS) transcendental(m, name, kind);
  for (const auto& [name, kind] : TRANSCENDENTAL_PAIRS)
    m.def(
        name, [kind = kind](const py::array& a, const py::array& b, const py::array& y) { pair(kind, a, b, y); },
        py::arg("a"), py::arg("b"), py::arg("y"));
});

}  // namespace lamina::bind::elementary_op
