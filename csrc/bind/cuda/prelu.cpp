#include "ops/prelu.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::prelu_op {

/// The rows of x that the slopes repeat over.
static size_t rows_of(const In& x, const In& slopes) {
  const size_t n = slopes.size();
  if (n == 0 || x.size() % n != 0) throw nb::value_error("prelu: x is no whole number of rows of slopes");
  return x.size() / n;
}

static void forward(const In& x, const In& slopes, const Out& y, uintptr_t stream) {
  const size_t rows = rows_of(x, slopes), n = slopes.size();
  launch_any(x, [&]<class T>(T) {
    cuda::prelu_forward(int64_t(rows), int64_t(n), in<T>(x, rows * n), in<T>(slopes, n), out<T>(y, rows * n),
                        stream_of(stream));
  });
}

static void backward(const In& x, const In& slopes, const In& dy, const OptionalOut& dx, const OptionalOut& terms,
                     uintptr_t stream) {
  const size_t rows = rows_of(x, slopes), n = slopes.size(), size = rows * n;
  launch_any(x, [&]<class T>(T) {
    cuda::prelu_backward(int64_t(rows), int64_t(n), in<T>(x, size), in<T>(slopes, n), in<T>(dy, size), out<T>(dx, size),
                         out<T>(terms, size), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("prelu_forward", &forward, array("x"), array("slopes"), array("y"), nb::arg("stream"));
  m.def("prelu_backward", &backward, array("x"), array("slopes"), array("dy"), array("dx").none(),
        array("terms").none(), nb::arg("stream"));
  takes_sixteen_bits({"prelu_forward", "prelu_backward"});
});

}  // namespace lamina::bind::prelu_op
