#include "ops/max_pool.h"

#include "bind/cuda/pool.h"

namespace lamina::bind::max_pool_op {

/// f(Offset*) with the type of offset that windows of this size have.
template <class F>
static void with_offset_type(const Pool& s, F&& f) {
  if (s.places() <= MAX_POOL_BYTE_PLACES)
    f(static_cast<uint8_t*>(nullptr));
  else
    f(static_cast<int32_t*>(nullptr));
}

static void forward(const In& x, const Out& y, const OptionalOut& offsets, const std::vector<int64_t>& window,
                    uintptr_t stream) {
  const Pool s = pool_of(x, window);
  const size_t size = size_t(outputs(s));
  with_offset_type(s, [&]<class Offset>(Offset*) {
    Offset* const places = out<Offset>(offsets, size);
    launch_any(x, [&]<class T>(T) {
      cuda::max_pool_forward(s, in<T>(x, x.size()), out<T>(y, size), places, stream_of(stream));
    });
  });
}

static void backward(const In& dy, const In& offsets, const Out& dx, const std::vector<int64_t>& window,
                     uintptr_t stream) {
  const Pool s = pool_of(dx, window);
  const size_t size = size_t(outputs(s));
  with_offset_type(s, [&]<class Offset>(Offset*) {
    const Offset* const places = in<Offset>(offsets, size);
    launch_any(dx, [&]<class T>(T) {
      cuda::max_pool_backward(s, in<T>(dy, size), places, out<T>(dx, dx.size()), stream_of(stream));
    });
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("max_pool_forward", &forward, array("x"), array("y"), array("offsets").none(), nb::arg("window"),
        nb::arg("stream"));
  m.def("max_pool_backward", &backward, array("dy"), array("offsets"), array("dx"), nb::arg("window"),
        nb::arg("stream"));
  takes_sixteen_bits({"max_pool_forward", "max_pool_backward"});
});

}  // namespace lamina::bind::max_pool_op
