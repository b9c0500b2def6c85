#include "ops/selection.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::selection_op {

static void run(const In& condition, const In& a, const In& b, const Out& y, uintptr_t stream) {
  const auto with = [&](const In& operand) {
    const Broadcast s("where", int(operand.ndim()), operand.shape_ptr(), int(condition.ndim()), condition.shape_ptr());
    if (s.elements != int64_t(condition.size()))
      throw nb::value_error("where: the condition must have the result's shape");
    return s;
  };
  const Broadcast a_shape = with(a), b_shape = with(b);
  const auto n = size_t(a_shape.elements);
  launch_any(y, [&]<class T>(T) {
    cuda::where(a_shape, b_shape, in<uint8_t>(condition, n), in<T>(a, a.size()), in<T>(b, b.size()), out<T>(y, n),
                stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("where", &run, array("condition"), array("a"), array("b"), array("y"), nb::arg("stream"));
  takes_sixteen_bits({"where"});
});

}  // namespace lamina::bind::selection_op
