// <name>_forward(x, y) and <name>_backward(saved, dy, dx) for the elementary and the transcendental functions.
#include "ops/elementary.h"

#include "bind/cuda/bind.h"
#include "bind/names.h"
#include "ops/transcendental.h"

namespace lamina::bind::elementary_op {

template <class Start, class Forward, class Backward>
static void define(Start start, nb::module_& m, const std::string& name, Forward forward, Backward backward) {
  const std::string of_forward = name + "_forward", of_backward = name + "_backward";
  if (std::is_same_v<Start, AnyWidth>) takes_sixteen_bits({of_forward.c_str(), of_backward.c_str()});
  m.def(
      of_forward.c_str(),
      [start, forward](const In& x, const Out& y, uintptr_t stream) {
        const size_t n = x.size();
        start(x, [&]<class T>(T) { forward(int64_t(n), in<T>(x, n), out<T>(y, n), stream_of(stream)); });
      },
      array("x"), array("y"), nb::arg("stream"));
  m.def(
      of_backward.c_str(),
      [start, backward](const In& saved, const In& dy, const Out& dx, uintptr_t stream) {
        const size_t n = saved.size();
        start(saved, [&]<class T>(T) {
          backward(int64_t(n), in<T>(saved, n), in<T>(dy, n), out<T>(dx, n), stream_of(stream));
        });
      },
      array("saved"), array("dy"), array("dx"), nb::arg("stream"));
}

static void elementary(nb::module_& m, const char* name, ElementaryFunction f) {
  define(
      AnyWidth{}, m, name,
      [f](int64_t n, const auto* x, auto* y, Stream stream) { cuda::elementary_forward(f, n, x, y, stream); },
      [f](int64_t n, const auto* saved, const auto* dy, auto* dx, Stream stream) {
        cuda::elementary_backward(f, n, saved, dy, dx, stream);
      });
}

static void transcendental(nb::module_& m, const char* name, TranscendentalFunction f) {
  define(
      FullWidth{}, m, name,
      [f](int64_t n, const auto* x, auto* y, Stream stream) { cuda::transcendental_forward(f, n, x, y, stream); },
      [f](int64_t n, const auto* x, const auto* dy, auto* dx, Stream stream) {
        cuda::transcendental_backward(f, n, x, dy, dx, stream);
      });
}

static void pair(TranscendentalPair f, const In& a, const In& b, const Out& y, uintptr_t stream) {
  const Broadcast s("transcendental", int(a.ndim()), a.shape_ptr(), int(b.ndim()), b.shape_ptr());
  launch(y, [&]<class T>(T) {
    cuda::transcendental_pair(f, s, in<T>(a, a.size()), in<T>(b, b.size()), out<T>(y, size_t(s.elements)),
                              stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  for (const auto& [name, kind] : ELEMENTARY_FUNCTIONS) elementary(m, name, kind);
  for (const auto& [name, kind] : TRANSCENDENTAL_FUNCTIONS) transcendental(m, name, kind);
  for (const auto& [name, kind] : TRANSCENDENTAL_PAIRS)
    m.def(
        name, [kind = kind](const In& a, const In& b, const Out& y, uintptr_t stream) { pair(kind, a, b, y, stream); },
        array("a"), array("b"), array("y"), nb::arg("stream"));
});

}  // namespace lamina::bind::elementary_op
