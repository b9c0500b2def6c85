#include "ops/copy_columns.h"

#include <cstring>
#include <vector>

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

/// Matrices of one dtype side by side, or taken apart again: parts are arrays of columns[i] columns, or None.
static void parts_of(const py::list& parts, const py::list& columns, const py::array& whole, bool join) {
  const int64_t size = whole.itemsize(), rows = size_of(whole, 0, "copy_parts");
  if (whole.ndim() != 2 || columns.size() != parts.size() || !(whole.flags() & py::array::c_style) ||
      (join && !whole.writeable()))
    throw py::value_error("copy_parts: expected a C-contiguous matrix and as many parts as numbers of columns");
  std::vector<char*> data;
  std::vector<int64_t> bytes;
  int64_t total = 0;
  for (size_t i = 0; i < columns.size(); ++i) {
    const py::object part = parts[i];
    const int64_t count = py::cast<int64_t>(columns[i]);
    if (count < 0) throw py::value_error("copy_parts: negative number of columns");
    char* memory = nullptr;
    if (is_array(part)) {
      const py::array array = py::reinterpret_borrow<py::array>(part);
      if (array.itemsize() != size || array.size() != product(rows, count) || !(array.flags() & py::array::c_style) ||
          (!join && !array.writeable()))
        throw py::value_error("copy_parts: a part has the wrong size or layout");
      memory = const_cast<char*>(static_cast<const char*>(array.data()));
    } else if (join) {
      throw py::value_error("copy_parts: a part is missing");
    }
    data.push_back(memory);
    bytes.push_back(count * size);
    total += count;
  }
  if (total != whole.shape(1)) throw py::value_error("copy_parts: the parts do not fit the whole");
  char* const at = const_cast<char*>(static_cast<const char*>(whole.data()));
  const ColumnParts s{rows, int64_t(data.size()), bytes.data(), data.data(), at, total * size, join};
  if (rows == 0 || total == 0) return;
  py::gil_scoped_release release;
  dispatch([&](auto target) { copy_parts<decltype(target)>(s); });
}

static const Registration registration([](py::module_& m) {
  m.def("copy_columns", &run, py::arg("x"), py::arg("x_begin"), py::arg("y"), py::arg("y_begin"), py::arg("count"),
        py::arg("index") = py::none(), py::arg("before") = 0, py::arg("after") = 0, py::arg("fill") = py::none());
  m.def("copy_parts", &parts_of, py::arg("parts"), py::arg("columns"), py::arg("whole"), py::arg("join"));
});

}  // namespace lamina::bind::copy_columns_op
