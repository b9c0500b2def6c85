// Random arrays, and dropout.
#include "ops/random.h"

#include "bind/cpu/bind.h"
#include "ops/dropout.h"

namespace lamina::bind::random_op {

static void words(const py::array& y, uint64_t seed, uint64_t stream, uint64_t first) {
  py::gil_scoped_release release;
  dispatch(
      [&]<class Target>(Target) { random_words<Target>(y.size(), first, seed, stream, out<uint32_t>(y, y.size())); });
}

static void uniform(const py::array& y, uint64_t seed, uint64_t stream, double low, double high) {
  launch(y, [&]<class Target, class T>(Target, T) {
    random_uniform<Target>(y.size(), T(low), T(high), seed, stream, out<T>(y, y.size()));
  });
}

static void normal(const py::array& y, uint64_t seed, uint64_t stream, double mean, double deviation) {
  launch(y, [&]<class Target, class T>(Target, T) {
    random_normal<Target>(y.size(), T(mean), T(deviation), seed, stream, out<T>(y, y.size()));
  });
}

static void dropout_of(const py::array& x, int dropped, uint64_t seed, uint64_t stream, const py::array& y) {
  if (dropped < 0 || dropped > 65536) throw py::value_error("dropout: dropped must be in [0, 65536]");
  launch(x, [&]<class Target, class T>(Target, T) {
    dropout<Target>(x.size(), in<T>(x, x.size()), dropped, seed, stream, out<T>(y, x.size()));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("random_words", &words, py::arg("y"), py::arg("seed"), py::arg("random_stream"), py::arg("first") = 0);
  m.def("random_uniform", &uniform, py::arg("y"), py::arg("seed"), py::arg("random_stream"), py::arg("low"),
        py::arg("high"));
  m.def("random_normal", &normal, py::arg("y"), py::arg("seed"), py::arg("random_stream"), py::arg("mean"),
        py::arg("stddev"));
  m.def("dropout", &dropout_of, py::arg("x"), py::arg("dropped"), py::arg("seed"), py::arg("random_stream"),
        py::arg("y"));
});

}  // namespace lamina::bind::random_op
