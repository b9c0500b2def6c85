#include "ops/running.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::running_op {

template <Running OPERATION>
static void run(const In& x, bool reversed, const Out& y, uintptr_t stream) {
  if (x.ndim() != 3) throw nb::value_error("running: x must have shape (outer, length, inner)");
  const auto outer = int64_t(x.shape(0)), length = int64_t(x.shape(1)), inner = int64_t(x.shape(2));
  launch(x, [&]<class T>(T) {
    cuda::running(OPERATION, reversed, outer, length, inner, in<T>(x, x.size()), out<T>(y, x.size()),
                  stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("running_sum", &run<Running::sum>, array("x"), nb::arg("reversed"), array("y"), nb::arg("stream"));
  m.def("running_product", &run<Running::product>, array("x"), nb::arg("reversed"), array("y"), nb::arg("stream"));
});

}  // namespace lamina::bind::running_op
