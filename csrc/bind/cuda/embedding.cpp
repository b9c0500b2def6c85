#include "ops/embedding.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::embedding_op {

/// dy (positions, width), order (positions,), first (segments + 1,), rows (segments,) or None,
/// y (rows of the table, or segments, width). Rows that no segment names are left as they are.
static void backward(const In& dy, const In& order, const In& first, const OptionalIn& rows, const Out& y,
                     uintptr_t stream) {
  const int64_t positions = size_of(dy, 0, "embedding_backward"), width = size_of(dy, 1, "embedding_backward");
  const int64_t table = size_of(y, 0, "embedding_backward"), count = int64_t(first.size()) - 1;
  if (dy.ndim() != 2 || y.ndim() != 2 || int64_t(y.shape(1)) != width || count < 0)
    throw nb::value_error("embedding_backward: the arrays do not fit together");
  const Segments s{count, in<int64_t>(first, size_t(count + 1)), in<int64_t>(order, size_t(positions)),
                   in<int64_t>(rows, size_t(count)), positions};
  launch_any(dy, [&]<class S>(S) {
    cuda::embedding_backward(s, width, table, in<S>(dy, dy.size()), out<Computed<S>>(y, y.size()), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("embedding_backward", &backward, array("dy"), array("order"), array("first"), array("rows").none(), array("y"),
        nb::arg("stream"));
  takes_sixteen_bits({"embedding_backward"}, {"y"});
});

}  // namespace lamina::bind::embedding_op
