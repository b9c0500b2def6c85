// <name>_forward(x, y) and <name>_backward(saved, dy, dx) for the elementary and the transcendental functions.
#include "ops/elementary.h"

#include "bind/cuda/bind.h"
#include "ops/transcendental.h"

namespace lamina::bind::elementary_op {

template <class Forward, class Backward>
static void define(nb::module_& m, const std::string& name, Forward forward, Backward backward) {
  m.def((name + "_forward").c_str(),
        [forward](const In& x, const Out& y, uintptr_t stream) {
          const size_t n = x.size();
          launch(x, [&]<class T>(T) { forward(int64_t(n), in<T>(x, n), out<T>(y, n), stream_of(stream)); });
        },
        array("x"), array("y"), nb::arg("stream"));
  m.def((name + "_backward").c_str(),
        [backward](const In& saved, const In& dy, const Out& dx, uintptr_t stream) {
          const size_t n = saved.size();
          launch(saved, [&]<class T>(T) {
            backward(int64_t(n), in<T>(saved, n), in<T>(dy, n), out<T>(dx, n), stream_of(stream));
          });
        },
        array("saved"), array("dy"), array("dx"), nb::arg("stream"));
}

static void elementary(nb::module_& m, const char* name, ElementaryFunction f) {
  define(
      m, name, [f](int64_t n, const auto* x, auto* y, Stream stream) { cuda::elementary_forward(f, n, x, y, stream); },
      [f](int64_t n, const auto* saved, const auto* dy, auto* dx, Stream stream) {
        cuda::elementary_backward(f, n, saved, dy, dx, stream);
      });
}

static void transcendental(nb::module_& m, const char* name, TranscendentalFunction f) {
  define(
      m, name,
      [f](int64_t n, const auto* x, auto* y, Stream stream) { cuda::transcendental_forward(f, n, x, y, stream); },
      [f](int64_t n, const auto* x, const auto* dy, auto* dx, Stream stream) {
        cuda::transcendental_backward(f, n, x, dy, dx, stream);
      });
}

template <TranscendentalPair F>
static void pair(const In& a, const In& b, const Out& y, uintptr_t stream) {
  const Broadcast s("transcendental", int(a.ndim()), a.shape_ptr(), int(b.ndim()), b.shape_ptr());
  launch(y, [&]<class T>(T) {
    cuda::transcendental_pair(F, s, in<T>(a, a.size()), in<T>(b, b.size()), out<T>(y, size_t(s.elements)),
                              stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  using E = ElementaryFunction;
  elementary(m, "exp", E::exp);
  elementary(m, "expm1", E::expm1);
  elementary(m, "log", E::log);
  elementary(m, "log1p", E::log1p);
  elementary(m, "sqrt", E::sqrt);
  elementary(m, "rsqrt", E::rsqrt);
  elementary(m, "erf", E::erf);
  elementary(m, "sigmoid", E::sigmoid);
  elementary(m, "tanh", E::tanh);
  elementary(m, "binary_step", E::binary_step);
  using F = TranscendentalFunction;
  transcendental(m, "sin", F::sin);
  transcendental(m, "cos", F::cos);
  transcendental(m, "tan", F::tan);
  transcendental(m, "arcsin", F::arcsin);
  transcendental(m, "arccos", F::arccos);
  transcendental(m, "arctan", F::arctan);
  transcendental(m, "sinh", F::sinh);
  transcendental(m, "cosh", F::cosh);
  transcendental(m, "arcsinh", F::arcsinh);
  transcendental(m, "arccosh", F::arccosh);
  transcendental(m, "arctanh", F::arctanh);
  transcendental(m, "log2", F::log2);
  transcendental(m, "log10", F::log10);
  const auto def = [&](const char* name, auto function) {
    m.def(name, function, array("a"), array("b"), array("y"), nb::arg("stream"));
  };
  def("arctan2", &pair<TranscendentalPair::arctan2>);
  def("hypot", &pair<TranscendentalPair::hypot>);
  def("logaddexp", &pair<TranscendentalPair::logaddexp>);
  def("power", &pair<TranscendentalPair::power>);
});

}  // namespace lamina::bind::elementary_op
