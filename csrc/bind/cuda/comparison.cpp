#include "ops/comparison.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::comparison_op {

template <Comparison COMPARISON>
static void run(const In& a, const In& b, const Out& y, uintptr_t stream) {
  const Broadcast s("comparison", int(a.ndim()), a.shape_ptr(), int(b.ndim()), b.shape_ptr());
  const auto with = [&]<class T>(T) {
    cuda::compare(COMPARISON, s, in<T>(a, a.size()), in<T>(b, b.size()), out<uint8_t>(y, size_t(s.elements)),
                  stream_of(stream));
  };
  if (!holds<uint8_t>(a.dtype())) return launch(a, with);
  nb::gil_scoped_release release;
  with(uint8_t{});
}

static const Registration registration([](nb::module_& m) {
  const auto def = [&](const char* name, auto function) {
    m.def(name, function, array("a"), array("b"), array("y"), nb::arg("stream"));
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
