#include "ops/local_response_norm.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::local_response_norm_op {

static LocalResponseNorm norm_of(const In& x, int64_t size, double alpha, double beta, double k) {
  const LocalResponseNorm s{
      size_of(x, 0, "local_response_norm"), size_of(x, 1, "local_response_norm"), size, alpha, beta, k};
  if (x.ndim() != 2) throw nb::value_error("local_response_norm: x must have 2 dimensions");
  if (size < 1 || size > (int64_t(1) << 20)) throw nb::value_error("local_response_norm: size is out of range");
  return s;
}

static void forward(const In& x, const Out& y, int64_t size, double alpha, double beta, double k, uintptr_t stream) {
  const LocalResponseNorm s = norm_of(x, size, alpha, beta, k);
  launch(x, [&]<class T>(T) {
    cuda::local_response_norm_forward(s, in<T>(x, x.size()), out<T>(y, x.size()), stream_of(stream));
  });
}

static void backward(const In& x, const In& dy, const Out& dx, int64_t size, double alpha, double beta, double k,
                     uintptr_t stream) {
  const LocalResponseNorm s = norm_of(x, size, alpha, beta, k);
  launch(x, [&]<class T>(T) {
    cuda::local_response_norm_backward(s, in<T>(x, x.size()), in<T>(dy, x.size()), out<T>(dx, x.size()),
                                       stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("local_response_norm_forward", &forward, array("x"), array("y"), nb::arg("size"), nb::arg("alpha"),
        nb::arg("beta"), nb::arg("k"), nb::arg("stream"));
  m.def("local_response_norm_backward", &backward, array("x"), array("dy"), array("dx"), nb::arg("size"),
        nb::arg("alpha"), nb::arg("beta"), nb::arg("k"), nb::arg("stream"));
});

}  // namespace lamina::bind::local_response_norm_op
