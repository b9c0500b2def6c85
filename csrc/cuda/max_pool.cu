#include "cuda/support/windows.cuh"
#include "ops/max_pool.h"

namespace lamina::cuda {
namespace max_pool_op {

template <class S, class Offset>
struct Forward {
  using T = Computed<S>;
  PoolWindows s;
  const S* x;
  S* y;
  Offset* offsets;  // or null

  template <int N>
  __device__ void run(int64_t at) const {
    const Window window(s, s.output(at));
    const Span &kd = window.kd, &kh = window.kh, &kw = window.kw;
    Pack<T, N> best{};
    Pack<Offset, N> places{};
    bool found = false;
    for (int64_t k = kd.begin; k < kd.end; ++k)
      for (int64_t i = kh.begin; i < kh.end; ++i) {
        const S* from = x + window.first + k * window.plane + i * window.row + kw.begin * s.channels;
        int32_t place = int32_t((k * s.h.kernel + i) * s.w.kernel + kw.begin);
        for (int64_t j = kw.begin; j < kw.end; ++j, ++place, from += s.channels) {
          const Pack<T, N> v = load_wide<N>(from);
#pragma unroll
          for (int e = 0; e < N; ++e) {
            const bool wins = !found || best[e] < v[e] || v[e] != v[e];
            best[e] = wins ? v[e] : best[e];
            places[e] = wins ? Offset(place) : places[e];
          }
          found = true;
        }
      }
    store_wide(y + at, best);
    if (offsets) store_pack(offsets + at, places);
  }
};

template <class S, class Offset>
struct Backward {
  using T = Computed<S>;
  PoolWindows s;
  const S* dy;
  const Offset* offsets;
  S* dx;

  template <int N>
  __device__ void run(int64_t at) const {
    const Voxel v = s.input(at);
    const Span over_d = s.d.over(v.d), over_h = s.h.over(v.h), over_w = s.w.over(v.w);
    Pack<T, N> sum{};
    for (int64_t od = over_d.begin; od < over_d.end; ++od)
      for (int64_t oh = over_h.begin; oh < over_h.end; ++oh)
        for (int64_t ow = over_w.begin; ow < over_w.end; ++ow) {
          const int64_t kd = v.d - s.d.start(od), kh = v.h - s.h.start(oh), kw = v.w - s.w.start(ow);
          const int32_t place = int32_t((kd * s.h.kernel + kh) * s.w.kernel + kw);
          const int64_t from = s.output_at(v, od, oh, ow);
          const Pack<Offset, N> winner = load_pack<N>(offsets + from);
          const Pack<T, N> d = load_wide<N>(dy + from);
#pragma unroll
          for (int e = 0; e < N; ++e) sum[e] = int32_t(winner[e]) == place ? sum[e] + d[e] : sum[e];
        }
    store_wide(dx + at, sum);
  }
};

/// Whether a thread may take 16 bytes of S, and as many offsets.
template <class S, class Offset>
bool packs_fit_all(int64_t channels, const S* a, const S* b, const Offset* offsets) {
  return packs_fit<S>(channels, a, b) && (!offsets || is_packed<16 / int(sizeof(S))>(offsets));
}

}  // namespace max_pool_op
using namespace max_pool_op;

template <class S, class Offset>
void max_pool_forward(const Pool& s, const S* x, S* y, Offset* offsets, Stream stream) {
  each_pack<S>(outputs_of(s), packs_fit_all(s.channels, x, y, offsets), stream,
               Forward<S, Offset>{PoolWindows(s), x, y, offsets});
}

template <class S, class Offset>
void max_pool_backward(const Pool& s, const S* dy, const Offset* offsets, S* dx, Stream stream) {
  each_pack<S>(inputs_of(s), packs_fit_all(s.channels, dy, dx, offsets), stream,
               Backward<S, Offset>{PoolWindows(s), dy, offsets, dx});
}

template void max_pool_forward(const Pool&, const float*, float*, uint8_t*, Stream);
template void max_pool_backward(const Pool&, const float*, const uint8_t*, float*, Stream);
template void max_pool_forward(const Pool&, const float*, float*, int32_t*, Stream);
template void max_pool_backward(const Pool&, const float*, const int32_t*, float*, Stream);
template void max_pool_forward(const Pool&, const double*, double*, uint8_t*, Stream);
template void max_pool_backward(const Pool&, const double*, const uint8_t*, double*, Stream);
template void max_pool_forward(const Pool&, const double*, double*, int32_t*, Stream);
template void max_pool_backward(const Pool&, const double*, const int32_t*, double*, Stream);
template void max_pool_forward(const Pool&, const Float16*, Float16*, uint8_t*, Stream);
template void max_pool_backward(const Pool&, const Float16*, const uint8_t*, Float16*, Stream);
template void max_pool_forward(const Pool&, const Float16*, Float16*, int32_t*, Stream);
template void max_pool_backward(const Pool&, const Float16*, const int32_t*, Float16*, Stream);
template void max_pool_forward(const Pool&, const BFloat16*, BFloat16*, uint8_t*, Stream);
template void max_pool_backward(const Pool&, const BFloat16*, const uint8_t*, BFloat16*, Stream);
template void max_pool_forward(const Pool&, const BFloat16*, BFloat16*, int32_t*, Stream);
template void max_pool_backward(const Pool&, const BFloat16*, const int32_t*, BFloat16*, Stream);

}  // namespace lamina::cuda
