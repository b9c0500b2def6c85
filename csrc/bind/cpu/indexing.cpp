#include "ops/indexing.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::indexing_op {

/// Of an array (outer, rows, inner) and one of (outer, count, inner).
struct Sizes {
  int64_t outer, rows, count, inner;
  Sizes(const py::array& whole, const py::array& part) {
    if (whole.ndim() != 3 || part.ndim() != 3 || whole.shape(0) != part.shape(0) || whole.shape(2) != part.shape(2))
      throw py::value_error("indexing: expected arrays of shapes (outer, rows, inner) and (outer, count, inner)");
    outer = whole.shape(0), rows = whole.shape(1), count = part.shape(1), inner = whole.shape(2);
  }
};

template <class Target>
static const int64_t* checked_index(const py::array& index, int64_t count, int64_t rows) {
  const int64_t* const data = in<int64_t>(index, count);
  if (find_bad_index<Target>(count, rows, data) >= 0) throw std::out_of_range("indexing: an index is out of range");
  return data;
}

static void take_rows(const py::array& x, const py::array& index, const py::array& y) {
  const Sizes s(x, y);
  launch(x, [&]<class Target, class T>(Target, T) {
    const int64_t* const places = checked_index<Target>(index, s.count, s.rows);
    take<Target>(s.outer, s.rows, s.count, s.inner, in<T>(x, x.size()), places, out<T>(y, y.size()));
  });
}

static void add_rows(const py::array& v, const py::array& index, const py::array& y) {
  const Sizes s(y, v);
  launch(v, [&]<class Target, class T>(Target, T) {
    const int64_t* const places = checked_index<Target>(index, s.count, s.rows);
    scatter_add<Target>(s.outer, s.rows, s.count, s.inner, in<T>(v, v.size()), places, out<T>(y, y.size()));
  });
}

static void add_along(const py::array& v, const py::array& index, const py::array& y) {
  const Sizes s(y, v);
  launch(v, [&]<class Target, class T>(Target, T) {
    const int64_t* const places = checked_index<Target>(index, v.size(), s.rows);
    scatter_add_along<Target>(s.outer, s.rows, s.count, s.inner, in<T>(v, v.size()), places, out<T>(y, y.size()));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("take", &take_rows, py::arg("x"), py::arg("index"), py::arg("y"));
  m.def("scatter_add", &add_rows, py::arg("v"), py::arg("index"), py::arg("y"));
  m.def("scatter_add_along", &add_along, py::arg("v"), py::arg("index"), py::arg("y"));
});

}  // namespace lamina::bind::indexing_op
