#include "ops/bias_backward.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::bias_backward_op {

static void run(const OptionalIn& y, const In& dy, int activation, const OptionalOut& dz, const OptionalOut& db,
                uintptr_t stream) {
  if (dy.ndim() < 1) throw nb::value_error("bias_backward: dy must have at least one dimension");
  const Activation a = activation_of(activation);
  if (a != Activation::linear && (!y || !dz))
    throw nb::value_error("bias_backward: y and dz are needed for an activation");
  const size_t n = dy.shape(dy.ndim() - 1), size = dy.size();
  launch_any(dy, [&]<class T>(T) {
    cuda::bias_backward(n ? int64_t(size / n) : 0, int64_t(n), in<T>(y, size), in<T>(dy, size), a, out<T>(dz, size),
                        out<T>(db, n), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("bias_backward", &run, array("y").none(), array("dy"), nb::arg("activation"), array("dz").none(),
        array("db").none(), nb::arg("stream"));
  takes_sixteen_bits({"bias_backward"});
});

}  // namespace lamina::bind::bias_backward_op
