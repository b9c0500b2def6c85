#include "ops/overlap_loss.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::overlap_loss_op {

/// Each row of x, t: (rows, n) has one sum, or one factor, in `each`.
static size_t columns(const In& x, size_t rows) {
  if (rows == 0 ? x.size() != 0 : x.size() % rows != 0) throw nb::value_error("overlap: x is no whole number of rows");
  return rows == 0 ? 0 : x.size() / rows;
}

static void sums(const In& x, const In& t, const Out& each, uintptr_t stream) {
  const size_t rows = each.size() / 3, n = columns(x, rows);
  launch(x, [&]<class T>(T) {
    cuda::overlap_sums(int64_t(rows), int64_t(n), in<T>(x, rows * n), in<T>(t, rows * n), out<T>(each, rows * 3),
                       stream_of(stream));
  });
}

static void gradient(const In& t, const In& a, const In& b, const Out& dx, uintptr_t stream) {
  const size_t rows = a.size(), n = columns(t, rows);
  launch(t, [&]<class T>(T) {
    cuda::overlap_gradient(int64_t(rows), int64_t(n), in<T>(t, rows * n), in<T>(a, rows), in<T>(b, rows),
                           out<T>(dx, rows * n), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("overlap_sums", &sums, array("x"), array("targets"), array("sums"), nb::arg("stream"));
  m.def("overlap_gradient", &gradient, array("targets"), array("a"), array("b"), array("dx"), nb::arg("stream"));
});

}  // namespace lamina::bind::overlap_loss_op
