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

template <class S>
struct Forward {
  using T = Computed<S>;
  PoolWindows s;
  bool count_padding;
  const S* x;
  S* y;

  template <int N>
  __device__ void run(int64_t at) const {
    const Window window(s, s.output(at));
    const Span &kd = window.kd, &kh = window.kh, &kw = window.kw;
    const bool cut = kd.size() * kh.size() * kw.size() > CHAIN;
    Pack<T, N> total{}, chain{};
    int length = 0;
    for (int64_t k = kd.begin; k < kd.end; ++k)
      for (int64_t i = kh.begin; i < kh.end; ++i) {
        const S* from = x + window.first + k * window.plane + i * window.row + kw.begin * s.channels;
        for (int64_t j = kw.begin; j < kw.end; ++j, from += s.channels) {
          const Pack<T, N> v = load_wide<N>(from);
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
    store_wide(y + at, chain);
  }
};

template <class S>
struct Backward {
  using T = Computed<S>;
  PoolWindows s;
  bool count_padding;
  const S* dy;
  S* dx;

  template <int N>
  __device__ void run(int64_t at) const {
    const Voxel v = s.input(at);
    const Span over_d = s.d.over(v.d), over_h = s.h.over(v.h), over_w = s.w.over(v.w);
    Pack<T, N> sum{};
    for (int64_t od = over_d.begin; od < over_d.end; ++od)
      for (int64_t oh = over_h.begin; oh < over_h.end; ++oh)
        for (int64_t ow = over_w.begin; ow < over_w.end; ++ow) {
          const T scale = scale_of<T>(s, count_padding, s.d.inside(od), s.h.inside(oh), s.w.inside(ow));
          const Pack<T, N> d = load_wide<N>(dy + s.output_at(v, od, oh, ow));
#pragma unroll
          for (int e = 0; e < N; ++e) sum[e] = fma(d[e], scale, sum[e]);
        }
    store_wide(dx + at, sum);
  }
};

}  // namespace avg_pool_op
using namespace avg_pool_op;

template <class S>
void avg_pool_forward(const Pool& s, bool count_padding, const S* x, S* y, Stream stream) {
  each_pack<S>(outputs_of(s), packs_fit<S>(s.channels, x, y), stream, Forward<S>{PoolWindows(s), count_padding, x, y});
}

template <class S>
void avg_pool_backward(const Pool& s, bool count_padding, const S* dy, S* dx, Stream stream) {
  each_pack<S>(inputs_of(s), packs_fit<S>(s.channels, dy, dx), stream,
               Backward<S>{PoolWindows(s), count_padding, dy, dx});
}

template void avg_pool_forward(const Pool&, bool, const float*, float*, Stream);
template void avg_pool_forward(const Pool&, bool, const double*, double*, Stream);
template void avg_pool_backward(const Pool&, bool, const float*, float*, Stream);
template void avg_pool_backward(const Pool&, bool, const double*, double*, Stream);
template void avg_pool_forward(const Pool&, bool, const Float16*, Float16*, Stream);
template void avg_pool_backward(const Pool&, bool, const Float16*, Float16*, Stream);
template void avg_pool_forward(const Pool&, bool, const BFloat16*, BFloat16*, Stream);
template void avg_pool_backward(const Pool&, bool, const BFloat16*, BFloat16*, Stream);

}  // namespace lamina::cuda
