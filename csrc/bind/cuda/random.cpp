// Random arrays, and dropout. Seeds and streams are numbers, or arrays of one on the device.
#include "ops/random.h"

#include "bind/cuda/setting.h"
#include "ops/dropout.h"

namespace lamina::bind::random_op {

using cuda::Setting;

static void words(const Out& y, nb::handle seed, nb::handle random_stream, uint64_t first, uintptr_t stream) {
  uint32_t* const to = out<uint32_t>(y, y.size());
  const Setting<uint64_t> of_seed = setting_of<uint64_t>(seed), of_stream = setting_of<uint64_t>(random_stream);
  nb::gil_scoped_release release;
  cuda::random_words(int64_t(y.size()), first, of_seed, of_stream, to, stream_of(stream));
}

static void uniform(const Out& y, nb::handle seed, nb::handle random_stream, double low, double high,
                    uintptr_t stream) {
  const Setting<uint64_t> of_seed = setting_of<uint64_t>(seed), of_stream = setting_of<uint64_t>(random_stream);
  launch(y, [&]<class T>(T) {
    cuda::random_uniform(int64_t(y.size()), T(low), T(high), of_seed, of_stream, out<T>(y, y.size()),
                         stream_of(stream));
  });
}

static void normal(const Out& y, nb::handle seed, nb::handle random_stream, double mean, double deviation,
                   uintptr_t stream) {
  const Setting<uint64_t> of_seed = setting_of<uint64_t>(seed), of_stream = setting_of<uint64_t>(random_stream);
  launch(y, [&]<class T>(T) {
    cuda::random_normal(int64_t(y.size()), T(mean), T(deviation), of_seed, of_stream, out<T>(y, y.size()),
                        stream_of(stream));
  });
}

static void dropout_of(const In& x, int dropped, nb::handle seed, nb::handle random_stream, const Out& y,
                       uintptr_t stream) {
  if (dropped < 0 || dropped > 65536) throw nb::value_error("dropout: dropped must be in [0, 65536]");
  const size_t n = x.size();
  const Setting<uint64_t> of_seed = setting_of<uint64_t>(seed), of_stream = setting_of<uint64_t>(random_stream);
  launch(x, [&]<class T>(T) {
    cuda::dropout(int64_t(n), in<T>(x, n), dropped, of_seed, of_stream, out<T>(y, n), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("random_words", &words, array("y"), nb::arg("seed"), nb::arg("random_stream"), nb::arg("first") = 0,
        nb::arg("stream") = 0);
  m.def("random_uniform", &uniform, array("y"), nb::arg("seed"), nb::arg("random_stream"), nb::arg("low"),
        nb::arg("high"), nb::arg("stream"));
  m.def("random_normal", &normal, array("y"), nb::arg("seed"), nb::arg("random_stream"), nb::arg("mean"),
        nb::arg("stddev"), nb::arg("stream"));
  m.def("dropout", &dropout_of, array("x"), nb::arg("dropped"), nb::arg("seed"), nb::arg("random_stream"), array("y"),
        nb::arg("stream"));
});

}  // namespace lamina::bind::random_op
