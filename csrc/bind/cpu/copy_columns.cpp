#include "ops/copy_columns.h"

#include <cstring>

#include "bind/cpu/bind.h"

namespace lamina::bind::copy_columns_op {

/// An element's bytes, repeated over 8.
static uint64_t repeated(const py::object& fill, int64_t size) {
  uint64_t value = 0;
  if (fill.is_none()) return value;
  const py::array element = py::cast<py::array>(fill);
  if (element.itemsize() != size || element.size() != 1)
    throw py::value_error("copy_columns: fill must be one element of y's size");
  for (int64_t i = 0; i < 8; i += size) std::memcpy(reinterpret_cast<char*>(&value) + i, element.data(), size_t(size));
  return value;
}

/// y[r, y_begin : y_begin + count] = x[index[r], x_begin : x_begin + count], for matrices of one dtype, whichever; fill
/// in the `before` columns ahead of them and the `after` columns behind them, and all over where index[r] < 0.
static void run(const py::array& x, int64_t x_begin, const py::array& y, int64_t y_begin, int64_t count,
                const py::object& index, int64_t before, int64_t after, const py::object& fill) {
  const int64_t size = x.itemsize();
  if (x.ndim() != 2 || y.ndim() != 2 || size != y.itemsize())
    throw py::value_error("copy_columns: expected two matrices of elements of one size");
  if (size != 1 && size != 2 && size != 4 && size != 8)
    throw py::value_error("copy_columns: elements must have 1, 2, 4 or 8 bytes");
  if (count < 0 || x_begin < 0 || before < 0 || after < 0 || y_begin < before || x_begin > x.shape(1) - count ||
      y_begin > y.shape(1) - count || after > y.shape(1) - count - y_begin)
    throw py::value_error("copy_columns: columns out of range");
  if (!(x.flags() & py::array::c_style) || !(y.flags() & py::array::c_style) || !y.writeable())
    throw py::value_error("copy_columns: arrays must be C-contiguous, and writable if written");
  const int64_t rows = y.shape(0), x_rows = x.shape(0);
  const int64_t* const numbers = in<int64_t>(index, rows);
  if (!numbers && rows != x_rows) throw py::value_error("copy_columns: expected as many rows, or an index");
  for (int64_t r = 0; numbers && r < rows; ++r)
    if (numbers[r] >= x_rows) throw py::value_error("copy_columns: index out of range");
  const CopyColumns s{rows,
                      count * size,
                      before * size,
                      after * size,
                      numbers,
                      static_cast<const char*>(x.data()) + x_begin * size,
                      x.shape(1) * size,
                      static_cast<char*>(py::array(y).mutable_data()) + (y_begin - before) * size,
                      y.shape(1) * size,
                      repeated(fill, size)};
  if (rows == 0 || count + before + after == 0) return;
  py::gil_scoped_release release;
  dispatch([&](auto target) { copy_columns<decltype(target)>(s); });
}

static const Registration registration([](py::module_& m) {
  m.def("copy_columns", &run, py::arg("x"), py::arg("x_begin"), py::arg("y"), py::arg("y_begin"), py::arg("count"),
        py::arg("index") = py::none(), py::arg("before") = 0, py::arg("after") = 0, py::arg("fill") = py::none());
});

}  // namespace lamina::bind::copy_columns_op
