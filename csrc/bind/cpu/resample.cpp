#include "ops/resample.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::resample_op {

/// begin (outputs + 1,), index and weight as csrc/ops/resample.h has them, or three times None. Every tap is checked.
template <class T>
static Taps<T> taps(const py::object& begin, const py::object& index, const py::object& weight, int64_t inputs,
                    int64_t outputs) {
  Taps<T> s{inputs, outputs, nullptr, nullptr, nullptr};
  if (!is_array(begin)) {
    if (inputs != outputs) throw py::value_error("resample: as many outputs as inputs without taps");
    return s;
  }
  s.begin = in<int64_t>(begin, outputs + 1);
  if (s.begin[0] != 0) throw py::value_error("resample: taps must begin at 0");
  for (int64_t j = 0; j < outputs; ++j)
    if (s.begin[j + 1] < s.begin[j]) throw py::value_error("resample: taps must increase");
  const int64_t count = s.begin[outputs];
  s.index = in<int64_t>(index, count);
  s.weight = in<T>(weight, count);
  for (int64_t t = 0; t < count; ++t)
    if (s.index[t] < 0 || s.index[t] >= inputs) throw py::value_error("resample: index out of range");
  return s;
}

static void run(const py::array& x, const py::array& y, const py::object& h_begin, const py::object& h_index,
                const py::object& h_weight, const py::object& w_begin, const py::object& w_index,
                const py::object& w_weight) {
  const int64_t images = size_of(x, 0, "resample"), channels = size_of(x, 3, "resample");
  if (size_of(y, 3, "resample") != channels || y.shape(0) != images)
    throw py::value_error("resample: x and y must agree in images and channels");
  if (h_begin.is_none() && w_begin.is_none()) throw py::value_error("resample: no taps along either axis");
  const int64_t height = x.shape(1), width = x.shape(2), rows = y.shape(1), columns = y.shape(2);
  launch(x, [&]<class Target, class T>(Target, T) {
    const Taps<T> h = taps<T>(h_begin, h_index, h_weight, height, rows);
    const Taps<T> w = taps<T>(w_begin, w_index, w_weight, width, columns);
    const T* const from = in<T>(x, product(images, height, width, channels));
    T* const to = out<T>(y, product(images, rows, columns, channels));
    if (y.size() > 0) resample<Target>(images, h, w, channels, from, to);
  });
}

static const Registration registration([](py::module_& m) {
  m.def("resample", &run, py::arg("x"), py::arg("y"), py::arg("h_begin"), py::arg("h_index"), py::arg("h_weight"),
        py::arg("w_begin"), py::arg("w_index"), py::arg("w_weight"));
});

}  // namespace lamina::bind::resample_op
