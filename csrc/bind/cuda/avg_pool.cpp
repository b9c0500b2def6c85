#include "ops/avg_pool.h"

#include "bind/cuda/pool.h"

namespace lamina::bind::avg_pool_op {

static void forward(const In& x, const Out& y, bool count_padding, const std::vector<int64_t>& window,
                    uintptr_t stream) {
  const Pool s = pool_of(x, window);
  const size_t size = size_t(outputs(s));
  launch_any(x, [&]<class T>(T) {
    cuda::avg_pool_forward(s, count_padding, in<T>(x, x.size()), out<T>(y, size), stream_of(stream));
  });
}

static void backward(const In& dy, const Out& dx, bool count_padding, const std::vector<int64_t>& window,
                     uintptr_t stream) {
  const Pool s = pool_of(dx, window);
  const size_t size = size_t(outputs(s));
  launch_any(dx, [&]<class T>(T) {
    cuda::avg_pool_backward(s, count_padding, in<T>(dy, size), out<T>(dx, dx.size()), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("avg_pool_forward", &forward, array("x"), array("y"), nb::arg("count_padding"), nb::arg("window"),
        nb::arg("stream"));
  m.def("avg_pool_backward", &backward, array("dy"), array("dx"), nb::arg("count_padding"), nb::arg("window"),
        nb::arg("stream"));
  takes_sixteen_bits({"avg_pool_forward", "avg_pool_backward"});
});

}  // namespace lamina::bind::avg_pool_op
