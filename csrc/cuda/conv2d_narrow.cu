// Convolution in narrow groups, depthwise above all: a thread has some neighbouring positions of one target channel, or
// of a pack of them where a group is one channel; neighbouring threads have neighbouring channels.
#include "cuda/support/convolution.cuh"
#include "cuda/support/tensor_product.cuh"
#include "ops/conv2d.h"

namespace lamina::cuda {
namespace conv2d_narrow_op {

/// N channels at X positions, forward and backward to the input.
template <class T, int N, int X>
struct Gather {
  Sights s;
  int64_t targets, group_targets, planes;  // target channels, of a group; source channels of a group
  int64_t pitch;                           // of the source
  int64_t w_channels, filters, kernel_h, kernel_w;
  bool backward;
  int unit, run, a_chain;  // a unit is at most `unit` products, and ends with a run; units of a chain
  const T *source, *w, *bias;
  Activation activation;
  T* target;

  __device__ Pack<T, N> weights(int64_t tap, int64_t plane, int64_t t) const {
    if constexpr (N > 1) return load_pack<N>(w + tap * filters + t);
    const int64_t at = backward ? (tap * w_channels + t % w_channels) * filters + t / w_channels * planes + plane
                                : (tap * w_channels + plane) * filters + t;
    return {{w[at]}};
  }

  __device__ void operator()(int64_t i) const {
    int64_t t, column;
    i = split(i, targets / N, t);
    t *= N;
    i = split(i, ceil_div(s.w.positions, X), column);
    Position p;
    p.w = column * X;
    i = split(i, s.h.positions, p.h);
    p.image = split(i, s.d.positions, p.d);
    const Spot spot = spot_of(s, p, pitch);
    const T* const from = source + spot.offset + (N > 1 ? t : t / group_targets * planes);

    Wide<T> sum[X][N], total[X][N];
    const auto each_value = [&](auto f) {
#pragma unroll
      for (int x = 0; x < X; ++x)
#pragma unroll
        for (int e = 0; e < N; ++e) f(x, e);
    };
    each_value([&](int x, int e) { sum[x][e] = 0; });
    bool later = false;
    int left = a_chain, in_run = 0, in_unit = 0;
    for (int td = 0; td < int(s.d.taps); ++td)
      for (int th = 0; th < int(s.h.taps); ++th)
        for (int tw = 0; tw < int(s.w.taps); ++tw) {
          const int64_t tap = ((s.d.tap0 + td * s.d.tap_step) * kernel_h + s.h.tap0 + th * s.h.tap_step) * kernel_w +
                              s.w.tap0 + tw * s.w.tap_step;
          const Spot way = way_to(s, td, th, tw, pitch);
          bool inside[X];
#pragma unroll
          for (int x = 0; x < X; ++x) {
            Spot here = spot;
            here.w += x * int(s.w.stride);
            inside[x] = is_inside(s, here, way);
          }
          for (int plane = 0; plane < int(planes); ++plane) {
            if (left == 0) {  // a chain is full, and there is more
              each_value([&](int x, int e) {
                total[x][e] = later ? total[x][e] + sum[x][e] : sum[x][e];
                sum[x][e] = 0;
              });
              later = true;
              left = a_chain;
            }
            const Pack<T, N> weight = weights(tap, plane, t);
#pragma unroll
            for (int x = 0; x < X; ++x) {
              Pack<T, N> v{};
              if (inside[x]) v = load_pack<N>(from + way.offset + x * s.w.stride * pitch + plane);
#pragma unroll
              for (int e = 0; e < N; ++e) sum[x][e] = fma(Wide<T>(v[e]), Wide<T>(weight[e]), sum[x][e]);
            }
            ++in_unit;
            if (++in_run == run) in_run = 0;
            if (in_unit == unit || in_run == 0) {
              in_unit = 0;
              --left;
            }
          }
        }
    if (later) each_value([&](int x, int e) { sum[x][e] = total[x][e] + sum[x][e]; });
    const int64_t first = target_of(s, p) * targets + t, step = s.w.step * targets;
    const Pack<T, N> added = bias ? load_pack<N>(bias + t) : Pack<T, N>{};
#pragma unroll
    for (int x = 0; x < X; ++x) {
      if (p.w + x >= s.w.positions) break;
      Pack<T, N> y;
#pragma unroll
      for (int e = 0; e < N; ++e) y[e] = T(activated(bias ? sum[x][e] + Wide<T>(added[e]) : sum[x][e], activation));
      store_pack(target + first + x * step, y);
    }
  }
};

/// The gradient to the kernel: N filters at up to TAPS (tap, plane)s, over one term of chains.
template <class T, int N, int TAPS>
struct KernelGradient {
  Sights s;
  Chains chains;
  int64_t planes, filters, group_filters, channels, taps;  // taps: (tap, plane)s
  int64_t first, end, a_term, size;                        // chains [first, end), in terms of a_term
  const T *x, *dy;
  Wide<T>* partial;

  __device__ void operator()(int64_t i) const {
    int64_t k, group;
    const int64_t term = split(split(i, filters / N, k), ceil_div(taps, TAPS), group);
    k *= N;
    const T* const from = x + (N > 1 ? k : k / group_filters * planes);
    Spot way[TAPS];
#pragma unroll
    for (int t = 0; t < TAPS; ++t) {
      int64_t plane, w, h;
      const int64_t d =
          split(split(split(min_of(group * TAPS + t, taps - 1), planes, plane), s.w.taps, w), s.h.taps, h);
      way[t] = way_to(s, d, h, w, channels);
      way[t].offset += plane;
    }
    Wide<T> total[TAPS][N], sum[TAPS][N];
    const auto each_value = [&](auto f) {
#pragma unroll
      for (int t = 0; t < TAPS; ++t)
#pragma unroll
        for (int e = 0; e < N; ++e) f(t, e);
    };
    each_value([&](int t, int e) { total[t][e] = 0; });
    const int64_t begin = first + term * a_term;
    for (int64_t c = begin; c < min_of(begin + a_term, end); ++c) {
      const Chain chain = chains[c];
      each_value([&](int t, int e) { sum[t][e] = 0; });
      for (int64_t image = chain.image; image < chain.image + chain.images; ++image)
        for (int64_t row = chain.row; row < chain.row + chain.rows; ++row) {
          Position p;
          p.image = split(image, s.d.positions, p.d);
          p.h = row;
          p.w = chain.column;
          Spot spot = spot_of(s, p, channels);
          const T* d = dy + target_of(s, p) * filters + k;
          for (int64_t column = 0; column < chain.columns; ++column) {
            const Pack<T, N> gradient = load_pack<N>(d);
#pragma unroll
            for (int t = 0; t < TAPS; ++t) {
              Pack<T, N> v{};
              if (is_inside(s, spot, way[t])) v = load_pack<N>(from + spot.offset + way[t].offset);
#pragma unroll
              for (int e = 0; e < N; ++e) sum[t][e] = fma(Wide<T>(v[e]), Wide<T>(gradient[e]), sum[t][e]);
            }
            d += filters;
            spot.w += int(s.w.stride);
            spot.offset += s.w.stride * channels;
          }
        }
      each_value([&](int t, int e) { total[t][e] = total[t][e] + sum[t][e]; });
    }
#pragma unroll
    for (int t = 0; t < TAPS; ++t)
      if (group * TAPS + t < taps)
        for (int e = 0; e < N; ++e) partial[term * size + (group * TAPS + t) * filters + k + e] = total[t][e];
  }
};

/// dw as AddTerms sees it.
template <class T_>
struct Sum {
  using T = T_;
  static constexpr bool ADDS = false;
  int64_t m, n, batch;
  __device__ int64_t target(int64_t) const { return 0; }
};

template <class T, int N, int X>
void gather_by(const Conv2D& c, const Sights& s, bool backward, const T* source, const T* w, const T* bias,
               Activation activation, T* target, Stream stream) {
  const int64_t C = c.channels / c.groups, K = c.filters / c.groups;
  Gather<T, N, X> g{};
  g.s = s;
  g.targets = backward ? c.channels : c.filters;
  g.group_targets = backward ? C : K;
  g.planes = backward ? K : C;
  g.pitch = backward ? c.filters : c.channels;
  g.w_channels = C;
  g.filters = c.filters;
  g.kernel_h = c.h.kernel;
  g.kernel_w = c.w.kernel;
  g.backward = backward;
  // Two axes: chains of CHAIN products; three: the units of direct convolution.
  const bool volumes = !is_point(c.d);
  const bool fold = !backward && C < 8 && c.w.kernel > 1;
  g.unit = volumes ? UNIT : 1;
  g.a_chain = int(volumes ? CHAIN_UNITS : CHAIN);
  g.run = int(g.planes * (fold ? c.w.kernel : 1));
  g.source = source;
  g.w = w;
  g.bias = bias;
  g.activation = activation;
  g.target = target;
  each(c.batch * s.d.positions * s.h.positions * ceil_div(s.w.positions, X) * (g.targets / N), stream, g);
}

/// Whether 16 bytes of channels may be taken at once.
template <class T>
bool is_packed_depthwise(const Conv2D& c, const T* a, const T* b, const T* w, const T* bias = nullptr) {
  constexpr int N = 16 / int(sizeof(T));
  return c.groups == c.channels && c.groups == c.filters && c.groups % N == 0 && is_packed<N>(a) && is_packed<N>(b) &&
         is_packed<N>(w) && is_packed<N>(bias);
}

template <class T>
void gather(const Conv2D& c, const Sights& s, bool backward, const T* source, const T* w, const T* bias,
            Activation activation, T* target, Stream stream) {
  constexpr int N = 16 / int(sizeof(T));
  if (is_packed_depthwise(c, source, target, w, bias))
    gather_by<T, N, 4>(c, s, backward, source, w, bias, activation, target, stream);
  else
    gather_by<T, 1, 4>(c, s, backward, source, w, bias, activation, target, stream);
}

template <int N, class T>
void gradient(const Conv2D& c, const T* x, const T* dy, T* dw, Stream stream) {
  constexpr int TAPS = 3;
  KernelGradient<T, N, TAPS> g{};
  g.s = forward_sights(c);
  g.chains = Chains(c.batch * g.s.d.target, g.s.h.target, g.s.w.target);
  g.planes = c.channels / c.groups;
  g.filters = c.filters;
  g.group_filters = c.filters / c.groups;
  g.channels = c.channels;
  g.taps = c.d.kernel * c.h.kernel * c.w.kernel * g.planes;
  g.size = g.taps * c.filters;
  g.x = x;
  g.dy = dy;
  const int64_t chains = g.chains.count(), a_round = c.filters / N * ceil_div(g.taps, TAPS);
  const bool through = g.size > SMALL && a_round >= 2 * BLOCK * multiprocessors();
  g.a_term = g.size <= SMALL ? PART : through ? max_of(chains, 1) : 1;
  const int64_t terms = ceil_div(chains, g.a_term), round = max_of(1, min_of(terms, MOST_PARTIALS / g.size));
  Scratch<Wide<T>> partial(terms > 0 ? round * g.size : 0, stream);
  Scratch<Wide<T>> running(sizeof(T) == 2 && round < terms ? g.size : 0, stream);
  g.partial = partial.data();
  const ProductOutput<T> o{dw, 0, nullptr, 0, Activation::linear, true, false};
  int64_t term = 0;
  do {  // once even for an empty batch: zeros
    const int64_t count = min_of(round, terms - term);
    g.first = term * g.a_term;
    g.end = min_of(chains, g.first + count * g.a_term);
    each(count * a_round, stream, g);
    const Sum<T> sum{1, g.size, 1};
    if constexpr (sizeof(T) == 2)
      each(g.size, stream,
           AddNarrowTerms<Sum<T>>{sum, o, partial.data(), running.data(), count, term > 0, term + count == terms});
    else
      each(g.size, stream, AddTerms<Sum<T>>{sum, o, partial.data(), count, term > 0, term + count == terms});
    term += count;
  } while (term < terms);
}

}  // namespace conv2d_narrow_op
using namespace conv2d_narrow_op;

template <class T>
void narrow_forward(const Conv2D& s, const T* x, const T* w, const T* bias, Activation activation, T* y,
                    Stream stream) {
  conv2d_narrow_op::gather(s, forward_sights(s), false, x, w, bias, activation, y, stream);
}

template <class T>
void narrow_backward_input(const Conv2D& s, const T* dy, const T* w, const T* bias, Activation activation, T* dx,
                           Stream stream) {
  each_phase(
      s, [&](const Sights& sights) { conv2d_narrow_op::gather(s, sights, true, dy, w, bias, activation, dx, stream); });
}

template <class T>
void narrow_backward_kernel(const Conv2D& s, const T* x, const T* dy, T* dw, Stream stream) {
  constexpr int N = 16 / int(sizeof(T));
  is_packed_depthwise(s, x, dy, dw) ? gradient<N>(s, x, dy, dw, stream) : gradient<1>(s, x, dy, dw, stream);
}

template void narrow_forward(const Conv2D&, const float*, const float*, const float*, Activation, float*, Stream);
template void narrow_forward(const Conv2D&, const double*, const double*, const double*, Activation, double*, Stream);
template void narrow_backward_input(const Conv2D&, const float*, const float*, const float*, Activation, float*,
                                    Stream);
template void narrow_backward_input(const Conv2D&, const double*, const double*, const double*, Activation, double*,
                                    Stream);
template void narrow_backward_kernel(const Conv2D&, const float*, const float*, float*, Stream);
template void narrow_backward_kernel(const Conv2D&, const double*, const double*, double*, Stream);
template void narrow_forward(const Conv2D&, const Float16*, const Float16*, const Float16*, Activation, Float16*,
                             Stream);
template void narrow_forward(const Conv2D&, const BFloat16*, const BFloat16*, const BFloat16*, Activation, BFloat16*,
                             Stream);
template void narrow_backward_input(const Conv2D&, const Float16*, const Float16*, const Float16*, Activation, Float16*,
                                    Stream);
template void narrow_backward_input(const Conv2D&, const BFloat16*, const BFloat16*, const BFloat16*, Activation,
                                    BFloat16*, Stream);
template void narrow_backward_kernel(const Conv2D&, const Float16*, const Float16*, Float16*, Stream);
template void narrow_backward_kernel(const Conv2D&, const BFloat16*, const BFloat16*, BFloat16*, Stream);

}  // namespace lamina::cuda
