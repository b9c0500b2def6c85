#include "ops/arithmetic.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::arithmetic_op {

template <Arithmetic OPERATION>
static void run(const In& a, const In& b, const Out& y, uintptr_t stream) {
  const Broadcast s("arithmetic", int(a.ndim()), a.shape_ptr(), int(b.ndim()), b.shape_ptr());
  launch(y, [&]<class T>(T) {
    cuda::arithmetic(OPERATION, s, in<T>(a, a.size()), in<T>(b, b.size()), out<T>(y, size_t(s.elements)),
                     stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  const auto def = [&](const char* name, auto function) {
    m.def(name, function, array("a"), array("b"), array("y"), nb::arg("stream"));
  };
  def("add", &run<Arithmetic::add>);
  def("subtract", &run<Arithmetic::subtract>);
  def("multiply", &run<Arithmetic::multiply>);
  def("divide", &run<Arithmetic::divide>);
  def("maximum", &run<Arithmetic::maximum>);
  def("minimum", &run<Arithmetic::minimum>);
});

}  // namespace lamina::bind::arithmetic_op
