#include "cuda/support/windows.cuh"
#include "ops/avg_pool.h"
#include "ops/gemm.h"  // CHAIN

namespace lamina::cuda {
namespace avg_pool_op {

/// 1 / the elements that a window divides by.
template <class T>
__device__ T scale_of(const PoolWindows& s, bool count_padding, Span kd, Span kh, Span kw) {
  return T(1) / T(count_padding ? int64_t(s.d.kernel) * s.h.kernel * s.w.kernel : kd.size() * kh.size() * kw.size());
}

template <class T>
struct Forward {
  PoolWindows s;
  bool count_padding;
  const T* x;
  T* y;

  template <int N>
  __device__ void run(int64_t at) const {
    const Window window(s, s.output(at));
    const Span &kd = window.kd, &kh = window.kh, &kw = window.kw;
    const bool cut = kd.size() * kh.size() * kw.size() > CHAIN;
    Pack<T, N> total{}, chain{};
    int length = 0;
    for (int64_t k = kd.begin; k < kd.end; ++k)
      for (int64_t i = kh.begin; i < kh.end; ++i) {
        const T* from = x + window.first + k * window.plane + i * window.row + kw.begin * s.channels;
        for (int64_t j = kw.begin; j < kw.end; ++j, from += s.channels) {
          const Pack<T, N> v = load_pack<N>(from);
#pragma unroll
          for (int e = 0; e < N; ++e) chain[e] = chain[e] + v[e];
          if (cut && ++length == CHAIN) {
#pragma unroll
            for (int e = 0; e < N; ++e) total[e] = total[e] + chain[e];
            chain = Pack<T, N>{};
            length = 0;
          }
        }
      }
    const T scale = scale_of<T>(s, count_padding, kd, kh, kw);
#pragma unroll
    for (int e = 0; e < N; ++e) chain[e] = (cut ? total[e] + chain[e] : chain[e]) * scale;
    store_pack(y + at, chain);
  }
};

template <class T>
struct Backward {
  PoolWindows s;
  bool count_padding;
  const T* dy;
  T* dx;

  template <int N>
  __device__ void run(int64_t at) const {
    const Voxel v = s.input(at);
    const Span over_d = s.d.over(v.d), over_h = s.h.over(v.h), over_w = s.w.over(v.w);
    Pack<T, N> sum{};
    for (int64_t od = over_d.begin; od < over_d.end; ++od)
      for (int64_t oh = over_h.begin; oh < over_h.end; ++oh)
        for (int64_t ow = over_w.begin; ow < over_w.end; ++ow) {
          const T scale = scale_of<T>(s, count_padding, s.d.inside(od), s.h.inside(oh), s.w.inside(ow));
          const Pack<T, N> d = load_pack<N>(dy + s.output_at(v, od, oh, ow));
#pragma unroll
          for (int e = 0; e < N; ++e) sum[e] = fma(d[e], scale, sum[e]);
        }
    store_pack(dx + at, sum);
  }
};

}  // namespace avg_pool_op
using namespace avg_pool_op;

template <class T>
void avg_pool_forward(const Pool& s, bool count_padding, const T* x, T* y, Stream stream) {
  each_pack<T>(outputs_of(s), packs_fit<T>(s.channels, x, y), stream, Forward<T>{PoolWindows(s), count_padding, x, y});
}

template <class T>
void avg_pool_backward(const Pool& s, bool count_padding, const T* dy, T* dx, Stream stream) {
  each_pack<T>(inputs_of(s), packs_fit<T>(s.channels, dy, dx), stream,
               Backward<T>{PoolWindows(s), count_padding, dy, dx});
}

template void avg_pool_forward(const Pool&, bool, const float*, float*, Stream);
template void avg_pool_forward(const Pool&, bool, const double*, double*, Stream);
template void avg_pool_backward(const Pool&, bool, const float*, float*, Stream);
template void avg_pool_backward(const Pool&, bool, const double*, double*, Stream);

}  // namespace lamina::cuda
