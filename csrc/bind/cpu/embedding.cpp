#include "ops/embedding.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::embedding_op {

/// dy (positions, width), order (positions,), first (segments + 1,), rows (segments,) or None,
/// y (rows of the table, or segments, width). Rows that no segment names are left as they are.
static void backward(const py::array& dy, const py::array& order, const py::array& first, const py::object& rows,
                     const py::array& y) {
  const int64_t positions = size_of(dy, 0, "embedding_backward"), width = size_of(dy, 1, "embedding_backward");
  const int64_t table = size_of(y, 0, "embedding_backward"), count = first.size() - 1;
  if (dy.ndim() != 2 || y.ndim() != 2 || y.shape(1) != width || count < 0)
    throw py::value_error("embedding_backward: the arrays do not fit together");
  const Segments s{count, in<int64_t>(first, count + 1), in<int64_t>(order, positions), in<int64_t>(rows, count),
                   positions};
  bool good = s.first[0] == 0 && s.first[count] == positions && (s.rows || count <= table);
  for (int64_t u = 0; u < count && good; ++u) {
    good = s.first[u] < s.first[u + 1];
    if (s.rows) good = good && s.rows[u] < table && s.rows[u] > (u ? s.rows[u - 1] : -1);
  }
  for (int64_t i = 0; i < positions && good; ++i) good = s.order[i] >= 0 && s.order[i] < positions;
  if (!good) throw std::out_of_range("embedding_backward: the segments are not in order, or out of range");
  launch(dy, [&]<class Target, class T>(Target, T) {
    embedding_backward<Target>(s, width, in<T>(dy, positions * width), out<T>(y, table * width));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("embedding_backward", &backward, py::arg("dy"), py::arg("order"), py::arg("first"), py::arg("rows"),
        py::arg("y"));
});

}  // namespace lamina::bind::embedding_op
