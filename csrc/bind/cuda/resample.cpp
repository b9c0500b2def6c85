#include "ops/resample.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::resample_op {

/// begin (outputs + 1,), index and weight as csrc/ops/resample.h has them, or three times None.
template <class T>
static Taps<T> taps(const OptionalIn& begin, const OptionalIn& index, const OptionalIn& weight, int64_t inputs,
                    int64_t outputs, size_t& count) {
  Taps<T> s{inputs, outputs, nullptr, nullptr, nullptr};
  count = 0;
  if (!begin) {
    if (inputs != outputs) throw std::invalid_argument("resample: as many outputs as inputs without taps");
    return s;
  }
  if (!index || !weight) throw std::invalid_argument("resample: taps need indices and weights");
  count = index->size();
  s.begin = in<int64_t>(begin, size_t(outputs) + 1);
  s.index = in<int64_t>(index, count);
  s.weight = in<T>(weight, count);
  return s;
}

static void run(const In& x, const Out& y, const OptionalIn& h_begin, const OptionalIn& h_index,
                const OptionalIn& h_weight, const OptionalIn& w_begin, const OptionalIn& w_index,
                const OptionalIn& w_weight, uintptr_t stream) {
  const int64_t images = size_of(x, 0, "resample"), channels = size_of(x, 3, "resample");
  if (size_of(y, 3, "resample") != channels || int64_t(y.shape(0)) != images)
    throw nb::value_error("resample: x and y must agree in images and channels");
  if (!h_begin && !w_begin) throw nb::value_error("resample: no taps along either axis");
  const int64_t height = int64_t(x.shape(1)), width = int64_t(x.shape(2));
  const int64_t rows = int64_t(y.shape(1)), columns = int64_t(y.shape(2));
  launch(x, [&]<class T>(T) {
    size_t h_count, w_count;
    const Taps<T> h = taps<T>(h_begin, h_index, h_weight, height, rows, h_count);
    const Taps<T> w = taps<T>(w_begin, w_index, w_weight, width, columns, w_count);
    const T* const from = in<T>(x, size_t(product(images, height, width, channels)));
    T* const to = out<T>(y, size_t(product(images, rows, columns, channels)));
    if (y.size() > 0)
      cuda::resample(images, h, int64_t(h_count), w, int64_t(w_count), channels, from, to, stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("resample", &run, array("x"), array("y"), array("h_begin").none(), array("h_index").none(),
        array("h_weight").none(), array("w_begin").none(), array("w_index").none(), array("w_weight").none(),
        nb::arg("stream"));
});

}  // namespace lamina::bind::resample_op
