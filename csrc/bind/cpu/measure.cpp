#include "ops/measure.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::measure_op {

static int64_t fma(int64_t rounds, const py::array& sink) {
  if (rounds < 0) throw py::value_error("measure_fma: rounds must not be negative");
  float* const to = out<float>(sink, sink.size());
  py::gil_scoped_release release;
  int64_t operations = 0;
  dispatch([&](auto target) { operations = measure_fma<decltype(target)>(rounds, sink.size(), to); });
  return operations;
}

static void copy(const py::array& x, const py::array& y) {
  const float* const from = in<float>(x, x.size());
  float* const to = out<float>(y, x.size());
  py::gil_scoped_release release;
  dispatch([&](auto target) { measure_copy<decltype(target)>(x.size(), from, to); });
}

static const Registration registration([](py::module_& m) {
  m.def("measure_fma", &fma, py::arg("rounds"), py::arg("sink"));
  m.def("measure_copy", &copy, py::arg("x"), py::arg("y"));
});

}  // namespace lamina::bind::measure_op
