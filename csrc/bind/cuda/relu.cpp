#include "ops/relu.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::relu_op {

static void forward(const In& x, const Out& y, uintptr_t stream) {
  launch_any(x, [&]<class T>(T) {
    cuda::relu_forward(int64_t(x.size()), in<T>(x, x.size()), out<T>(y, x.size()), stream_of(stream));
  });
}

static void backward(const In& y, const In& dy, const Out& dx, uintptr_t stream) {
  const size_t n = y.size();
  launch_any(y, [&]<class T>(T) {
    cuda::relu_backward(int64_t(n), in<T>(y, n), in<T>(dy, n), out<T>(dx, n), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("relu_forward", &forward, array("x"), array("y"), nb::arg("stream"));
  m.def("relu_backward", &backward, array("y"), array("dy"), array("dx"), nb::arg("stream"));
  takes_sixteen_bits({"relu_forward", "relu_backward"});
});

}  // namespace lamina::bind::relu_op
