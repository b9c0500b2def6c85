#include "ops/copy_columns.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::copy_columns_op {

/// y[:, y_begin : y_begin + count] = x[:, x_begin : x_begin + count], for matrices of one dtype, whichever.
static void run(const py::array& x, int64_t x_begin, const py::array& y, int64_t y_begin, int64_t count) {
  if (x.ndim() != 2 || y.ndim() != 2 || x.shape(0) != y.shape(0) || x.itemsize() != y.itemsize())
    throw py::value_error("copy_columns: expected two matrices of as many rows and of elements of one size");
  if (count < 0 || x_begin < 0 || y_begin < 0 || x_begin > x.shape(1) - count || y_begin > y.shape(1) - count)
    throw py::value_error("copy_columns: columns out of range");
  if (!(x.flags() & py::array::c_style) || !(y.flags() & py::array::c_style) || !y.writeable())
    throw py::value_error("copy_columns: arrays must be C-contiguous, and writable if written");
  const int64_t size = x.itemsize();
  const char* from = static_cast<const char*>(x.data()) + x_begin * size;
  char* to = static_cast<char*>(py::array(y).mutable_data()) + y_begin * size;
  const int64_t rows = x.shape(0), x_stride = x.shape(1) * size, y_stride = y.shape(1) * size;
  if (rows == 0 || count == 0) return;
  py::gil_scoped_release release;
  dispatch([&](auto target) { copy_columns<decltype(target)>(rows, count * size, from, x_stride, to, y_stride); });
}

static const Registration registration([](py::module_& m) {
  m.def("copy_columns", &run, py::arg("x"), py::arg("x_begin"), py::arg("y"), py::arg("y_begin"), py::arg("count"));
});

}  // namespace lamina::bind::copy_columns_op
