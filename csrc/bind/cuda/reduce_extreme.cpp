#include "ops/reduce_extreme.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::reduce_extreme_op {

struct Sizes {
  int64_t outer, reduced, inner;
  size_t kept;
  explicit Sizes(const In& x) {
    if (x.ndim() != 3 || (x.shape(1) == 0 && x.shape(0) * x.shape(2) != 0))
      throw nb::value_error("reduce_extreme: x must have shape (outer, reduced, inner), reduced at least 1");
    outer = int64_t(x.shape(0)), reduced = int64_t(x.shape(1)), inner = int64_t(x.shape(2));
    kept = size_t(product(outer, inner));
  }
};

static void forward(const In& x, bool largest, const Out& y, uintptr_t stream) {
  const Sizes s(x);
  launch_any(x, [&]<class T>(T) {
    cuda::reduce_extreme(largest, s.outer, s.reduced, s.inner, in<T>(x, x.size()), out<T>(y, s.kept),
                         stream_of(stream));
  });
}

static void backward(const In& x, const In& y, const In& dy, const Out& dx, uintptr_t stream) {
  const Sizes s(x);
  launch_any(x, [&]<class T>(T) {
    cuda::reduce_extreme_backward(s.outer, s.reduced, s.inner, in<T>(x, x.size()), in<T>(y, s.kept), in<T>(dy, s.kept),
                                  out<T>(dx, x.size()), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("reduce_extreme", &forward, array("x"), nb::arg("largest"), array("y"), nb::arg("stream"));
  m.def("reduce_extreme_backward", &backward, array("x"), array("y"), array("dy"), array("dx"), nb::arg("stream"));
  takes_sixteen_bits({"reduce_extreme", "reduce_extreme_backward"});
});

}  // namespace lamina::bind::reduce_extreme_op
