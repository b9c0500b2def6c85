#include "ops/copy_columns.h"

#include <vector>

#include "bind/cuda/bind.h"

namespace lamina::bind::copy_columns_op {

template <class A>
static int64_t element_size(const A& a) {
  const auto type = a.dtype();
  return int64_t(type.bits) * type.lanes / 8;
}

/// y[r, y_begin : y_begin + count] = x[index[r], x_begin : x_begin + count], for matrices of one dtype, whichever; fill
/// in the `before` columns ahead of them and the `after` columns behind them, and all over where index[r] < 0.
static void run(const In& x, int64_t x_begin, const Out& y, int64_t y_begin, int64_t count, const OptionalIn& index,
                int64_t before, int64_t after, const OptionalIn& fill, uintptr_t stream) {
  const int64_t size = element_size(x);
  if (x.ndim() != 2 || y.ndim() != 2 || size != element_size(y))
    throw nb::value_error("copy_columns: expected two matrices of elements of one size");
  if (size != 1 && size != 2 && size != 4 && size != 8)
    throw nb::value_error("copy_columns: elements must have 1, 2, 4 or 8 bytes");
  const auto x_rows = int64_t(x.shape(0)), rows = int64_t(y.shape(0));
  const auto x_columns = int64_t(x.shape(1)), y_columns = int64_t(y.shape(1));
  if (count < 0 || x_begin < 0 || before < 0 || after < 0 || y_begin < before || x_begin > x_columns - count ||
      y_begin > y_columns - count || after > y_columns - count - y_begin)
    throw nb::value_error("copy_columns: columns out of range");
  if (fill && (element_size(*fill) != size || fill->size() != 1))
    throw nb::value_error("copy_columns: fill must be one element of y's size");
  const int64_t* const numbers = in<int64_t>(index, size_t(rows));
  if (!numbers && rows != x_rows) throw nb::value_error("copy_columns: expected as many rows, or an index");
  const CopyColumns s{rows,
                      count * size,
                      before * size,
                      after * size,
                      numbers,
                      static_cast<const char*>(x.data()) + x_begin * size,
                      x_columns * size,
                      static_cast<char*>(y.data()) + (y_begin - before) * size,
                      y_columns * size,
                      0};
  if (rows == 0 || count + before + after == 0) return;
  nb::gil_scoped_release release;
  cuda::copy_columns(s, x_rows, fill ? fill->data() : nullptr, int(size), stream_of(stream));
}

/// Matrices of one dtype side by side, or taken apart again: parts are arrays of columns[i] columns, or None.
static void parts_of(const nb::list& parts, const nb::list& columns, const Out& whole, bool join, uintptr_t stream) {
  const int64_t size = element_size(whole), rows = size_of(whole, 0, "copy_parts");
  if (whole.ndim() != 2 || columns.size() != parts.size())
    throw nb::value_error("copy_parts: expected a C-contiguous matrix and as many parts as numbers of columns");
  std::vector<char*> data;
  std::vector<int64_t> bytes;
  int64_t total = 0;
  for (size_t i = 0; i < columns.size(); ++i) {
    const auto count = nb::cast<int64_t>(columns[i]);
    if (count < 0) throw nb::value_error("copy_parts: negative number of columns");
    char* memory = nullptr;
    In part;
    Out written;
    if (parts[i].is_none()) {
      if (join) throw nb::value_error("copy_parts: a part is missing");
    } else if (join ? !nb::try_cast<In>(parts[i], part, false) : !nb::try_cast<Out>(parts[i], written, false)) {
      throw nb::type_error("copy_parts: a part is no C-contiguous array on the device");
    } else {
      const int64_t own = join ? element_size(part) : element_size(written);
      if (own != size || int64_t(join ? part.size() : written.size()) != product(rows, count))
        throw nb::value_error("copy_parts: a part has the wrong size or layout");
      memory = static_cast<char*>(join ? const_cast<void*>(part.data()) : written.data());
    }
    data.push_back(memory);
    bytes.push_back(count * size);
    total += count;
  }
  if (total != int64_t(whole.shape(1))) throw nb::value_error("copy_parts: the parts do not fit the whole");
  const ColumnParts s{
      rows, int64_t(data.size()), bytes.data(), data.data(), static_cast<char*>(whole.data()), total * size, join};
  if (rows == 0 || total == 0) return;
  nb::gil_scoped_release release;
  cuda::copy_parts(s, stream_of(stream));
}

static const Registration registration([](nb::module_& m) {
  m.def("copy_columns", &run, array("x"), nb::arg("x_begin"), array("y"), nb::arg("y_begin"), nb::arg("count"),
        array("index") = nb::none(), nb::arg("before") = 0, nb::arg("after") = 0, array("fill") = nb::none(),
        nb::arg("stream") = 0);
  m.def("copy_parts", &parts_of, nb::arg("parts"), nb::arg("columns"), array("whole"), nb::arg("join"),
        nb::arg("stream"));
  takes_sixteen_bits({"copy_columns", "copy_parts"});
});

}  // namespace lamina::bind::copy_columns_op
