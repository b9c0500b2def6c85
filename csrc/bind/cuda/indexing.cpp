#include "ops/indexing.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::indexing_op {

/// Of an array (outer, rows, inner) and one of (outer, count, inner).
struct Sizes {
  int64_t outer, rows, count, inner;
  template <class A, class B>
  Sizes(const A& whole, const B& part) {
    if (whole.ndim() != 3 || part.ndim() != 3 || whole.shape(0) != part.shape(0) || whole.shape(2) != part.shape(2))
      throw nb::value_error("indexing: expected arrays of shapes (outer, rows, inner) and (outer, count, inner)");
    outer = int64_t(whole.shape(0)), rows = int64_t(whole.shape(1));
    count = int64_t(part.shape(1)), inner = int64_t(whole.shape(2));
  }
};

static void take_rows(const In& x, const In& index, const Out& y, uintptr_t stream) {
  const Sizes s(x, y);
  launch_any(x, [&]<class T>(T) {
    cuda::take(s.outer, s.rows, s.count, s.inner, in<T>(x, x.size()), in<int64_t>(index, size_t(s.count)),
               out<T>(y, y.size()), stream_of(stream));
  });
}

static void add_rows(const In& v, const In& index, const Out& y, uintptr_t stream) {
  const Sizes s(y, v);
  launch_any(v, [&]<class S>(S) {
    cuda::scatter_add(s.outer, s.rows, s.count, s.inner, in<S>(v, v.size()), in<int64_t>(index, size_t(s.count)),
                      out<Computed<S>>(y, y.size()), stream_of(stream));
  });
}

static void add_along(const In& v, const In& index, const Out& y, uintptr_t stream) {
  const Sizes s(y, v);
  launch_any(v, [&]<class S>(S) {
    cuda::scatter_add_along(s.outer, s.rows, s.count, s.inner, in<S>(v, v.size()), in<int64_t>(index, v.size()),
                            out<Computed<S>>(y, y.size()), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("take", &take_rows, array("x"), array("index"), array("y"), nb::arg("stream"));
  m.def("scatter_add", &add_rows, array("v"), array("index"), array("y"), nb::arg("stream"));
  m.def("scatter_add_along", &add_along, array("v"), array("index"), array("y"), nb::arg("stream"));
  takes_sixteen_bits({"take"});
  takes_sixteen_bits({"scatter_add", "scatter_add_along"}, {"y"});
});

}  // namespace lamina::bind::indexing_op
