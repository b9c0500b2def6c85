#include "ops/reduce_sum.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::reduce_sum_op {

static void run(const In& x, const Out& y, uintptr_t stream) {
  if (x.ndim() != 3) throw nb::value_error("reduce_sum: x must have 3 dimensions");
  const auto outer = int64_t(x.shape(0)), reduced = int64_t(x.shape(1)), inner = int64_t(x.shape(2));
  launch_any(x, [&]<class T>(T) {
    cuda::reduce_sum(outer, reduced, inner, in<T>(x, x.size()), out<T>(y, size_t(product(outer, inner))),
                     stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("reduce_sum", &run, array("x"), array("y"), nb::arg("stream"));
  takes_sixteen_bits({"reduce_sum"});
});

}  // namespace lamina::bind::reduce_sum_op
