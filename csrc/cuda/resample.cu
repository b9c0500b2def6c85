#include "cuda/support/packs.cuh"
#include "ops/resample.h"

namespace lamina::cuda {
namespace resample_op {

/// A map whose taps have not been looked at.
template <class T>
struct Map {
  Taps<T> taps;
  int64_t count;

  /// The sum over output j's taps of weight * from(index), as resample.h has it: f(index) gives N values.
  template <int N, class F>
  __device__ Pack<T, N> sum(int64_t j, F&& f) const {
    if (!taps.begin) return f(j);
    Pack<T, N> total{};
    bool begun = false;
    const int64_t end = min_of(taps.begin[j + 1], count);
    for (int64_t t = max_of(0, taps.begin[j]); t < end; ++t) {
      const int64_t index = taps.index[t];
      if (index < 0 || index >= taps.inputs) continue;
      const Pack<T, N> v = f(index);
      const T weight = taps.weight[t];
#pragma unroll
      for (int e = 0; e < N; ++e) total[e] = begun ? fma(v[e], weight, total[e]) : v[e] * weight;
      begun = true;
    }
    return total;
  }
};

/// First down, then across: rows in between are computed anew for every output that reads them.
template <class T>
struct Resample {
  Map<T> h, w;
  int64_t channels;
  const T* x;
  T* y;
  template <int N>
  __device__ void run(int64_t at) const {
    const Split c = split(at, channels), column = split(c.rest, w.taps.outputs),
                row = split(column.rest, h.taps.outputs);
    const int64_t pitch = w.taps.inputs * channels;
    const T* const image = x + row.rest * h.taps.inputs * pitch + c.at;
    store_pack(y + at, w.template sum<N>(column.at, [&](int64_t j) {
      return h.template sum<N>(row.at, [&](int64_t i) { return load_pack<N>(image + i * pitch + j * channels); });
    }));
  }
};

}  // namespace resample_op
using namespace resample_op;

template <class T>
void resample(int64_t images, const Taps<T>& h, int64_t h_taps, const Taps<T>& w, int64_t w_taps, int64_t channels,
              const T* x, T* y, Stream stream) {
  const auto run = [&](const Map<T>& down, const Map<T>& across, const T* from, T* to) {
    each_pack<T>(images * down.taps.outputs * across.taps.outputs * channels, packs_fit<T>(channels, from, to), stream,
                 Resample<T>{down, across, channels, from, to});
  };
  const Map<T> down{h, h_taps}, across{w, w_taps};
  // From here on, rows in between are kept: an output has h_taps / h.outputs times w_taps / w.outputs taps.
  constexpr int64_t MANY = 16;
  if (!h.begin || !w.begin || h_taps * w_taps <= MANY * max_of(1, h.outputs) * max_of(1, w.outputs))
    return run(down, across, x, y);
  const Scratch<T> rows(images * h.outputs * w.inputs * channels, stream);
  const Map<T> as_is_down{{h.outputs, h.outputs, nullptr, nullptr, nullptr}, 0};
  const Map<T> as_is_across{{w.inputs, w.inputs, nullptr, nullptr, nullptr}, 0};
  run(down, as_is_across, x, rows.data());
  run(as_is_down, across, rows.data(), y);
}

template void resample(int64_t, const Taps<float>&, int64_t, const Taps<float>&, int64_t, int64_t, const float*, float*,
                       Stream);
template void resample(int64_t, const Taps<double>&, int64_t, const Taps<double>&, int64_t, int64_t, const double*,
                       double*, Stream);

}  // namespace lamina::cuda
