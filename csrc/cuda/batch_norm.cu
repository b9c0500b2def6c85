#include "cuda/support/columns.cuh"
#include "ops/batch_norm.h"

namespace lamina::cuda {
namespace batch_norm_op {

/// gamma * (x - mean) * inverse + beta, without gamma * inverse, which is `scale`.
template <class S, class T>
__device__ T normalised(const BatchNorm<S>& s, T x, int64_t c, T scale) {
  return fma(x - s.mean[c], scale, s.beta ? s.beta[c] : T(0));
}

/// gamma * inverse of N channels from c on.
template <int N, class S>
__device__ Pack<Computed<S>, N> scales(const BatchNorm<S>& s, int64_t c) {
  Pack<Computed<S>, N> scale = load_pack<N>(s.inverse + c);
  if (!s.gamma) return scale;
  const auto gamma = load_pack<N>(s.gamma + c);
#pragma unroll
  for (int e = 0; e < N; ++e) scale[e] = gamma[e] * scale[e];
  return scale;
}

template <class S>
struct Forward {
  using T = Computed<S>;
  BatchNorm<S> s;
  const S* residual;
  S* y;
  template <int N>
  __device__ void run(int64_t at) const {
    const int64_t c = split(at, s.channels).at;
    const Pack<T, N> mean = load_pack<N>(s.mean + c), scale = scales<N>(s, c), beta = load_or_zero<N>(s.beta, c);
    Pack<T, N> v = load_wide<N>(s.x + at), added{};
    if (residual) added = load_wide<N>(residual + at);
#pragma unroll
    for (int e = 0; e < N; ++e) {
      v[e] = fma(v[e] - mean[e], scale[e], beta[e]);
      if (residual) v[e] = v[e] + added[e];
      if (s.relu) v[e] = max(T(0), v[e]);
    }
    store_wide(y + at, v);
  }
};

/// How dz comes from dy: as it is; through relu, y computed anew from x; through relu by y, and dz is kept; the same of
/// a sum of two gradients.
enum Through { NONE, BY_X, BY_Y, OF_SUM };

template <class T>
__device__ T through_relu(T y, T dy) {
  return y > 0 ? dy : T(0);
}

/// Sums of dz and of dz * (x - mean) by part: sums[part][2][channel].
template <Through RELU, class S>
struct GradientSums {
  using T = Computed<S>;
  BatchNorm<S> s;
  const S *y, *dy, *more_dy;
  S* dz;
  T* sums;
  __device__ void operator()(int64_t i) const {
    const int64_t C = s.channels;
    const ColumnPart p(i, s.rows, C, parts_of(s.rows));
    const int64_t c = p.column;
    const T scale = scaled(s.gamma, c, s.inverse[c]), mean = s.mean[c];
    T sum = 0, along = 0;
    struct Row {
      S x, y, dy, more_dy;
    };
    const auto read = [&](int64_t row) {
      const int64_t at = p.first + row * C;
      return Row{s.x[at], RELU >= BY_Y ? y[at] : S{}, dy[at], RELU == OF_SUM ? more_dy[at] : S{}};
    };
    each_row_ahead<16>(0, p.count, read, [&](int64_t row, const Row& of) {
      const T x = of.x;
      T d = of.dy;
      if constexpr (RELU == BY_X) d = through_relu(normalised(s, x, c, scale), d);
      if constexpr (RELU == OF_SUM) d = d + T(of.more_dy);
      if constexpr (RELU >= BY_Y) {
        d = through_relu(T(of.y), d);
        dz[p.first + row * C] = d;
      }
      sum = sum + d;
      along = fma(d, x - mean, along);
    });
    T* const to = sums + p.part * 2 * C + c;
    to[0] = sum;
    to[C] = along;
  }
};

/// Of a channel, from its parts' sums: dgamma, dbeta, and dx = dz * scale + (x - mean) * slope + offset.
template <class S>
struct Join {
  using T = Computed<S>;
  BatchNorm<S> s;
  const T* sums;
  T *slope, *offset, *dgamma, *dbeta;
  __device__ void operator()(int64_t c) const {
    const int64_t parts = parts_of(s.rows), step = 2 * s.channels;
    const double d = sum_of_parts(parts, sums + c, step), along = sum_of_parts(parts, sums + s.channels + c, step);
    const double inverse = double(s.inverse[c]), of_gamma = along * inverse;
    const double scale = double(scaled(s.gamma, c, s.inverse[c])) / double(s.rows);
    slope[c] = T(-(scale * inverse * of_gamma));
    offset[c] = T(-(scale * d));
    if (dgamma) dgamma[c] = T(of_gamma);
    if (dbeta) dbeta[c] = T(d);
  }
};

/// SUMMED: dz, which was rounded where it is kept, is computed anew from dy and more_dy.
template <bool SUMMED, class S>
struct Backward {
  using T = Computed<S>;
  BatchNorm<S> s;
  bool training, relu;
  const S* dz;  // dy where relu is still to come, and where it is summed
  const S *more_dy, *y;
  const T *slope, *offset;
  S* dx;
  template <int N>
  __device__ void run(int64_t at) const {
    const int64_t c = split(at, s.channels).at;
    const Pack<T, N> mean = load_pack<N>(s.mean + c), scale = scales<N>(s, c), beta = load_or_zero<N>(s.beta, c);
    Pack<T, N> d = load_wide<N>(dz + at), x{};
    if (training || relu) x = load_wide<N>(s.x + at);
    if constexpr (SUMMED) {
      const Pack<T, N> more = load_wide<N>(more_dy + at), output = load_wide<N>(y + at);
#pragma unroll
      for (int e = 0; e < N; ++e) d[e] = through_relu(output[e], d[e] + more[e]);
    }
    Pack<T, N> along{}, plain{};
    if (training) along = load_pack<N>(slope + c), plain = load_pack<N>(offset + c);
#pragma unroll
    for (int e = 0; e < N; ++e) {
      if (relu) d[e] = through_relu(fma(x[e] - mean[e], scale[e], beta[e]), d[e]);
      d[e] = training ? fma(d[e], scale[e], fma(x[e] - mean[e], along[e], plain[e])) : d[e] * scale[e];
    }
    store_wide(dx + at, d);
  }
};

/// Whether what belongs to the channels may be read in packs too.
template <class S>
bool lines_fit(const BatchNorm<S>& s) {
  return packs_fit<S>(s.channels, s.mean, s.inverse, s.gamma, s.beta);
}

}  // namespace batch_norm_op
using namespace batch_norm_op;

template <class S, class T>
void batch_norm_statistics(int64_t rows, int64_t channels, const S* x, double epsilon, double momentum, T* mean,
                           T* inverse, T* moving_mean, T* moving_variance, Stream stream) {
  const Scratch<T> scratch(parts_of(rows) * 3 * channels, stream);
  T* const sums = scratch.data();
  moments_of_parts(1, rows, channels, x, sums, stream);
  each(channels, stream, [=] __device__(int64_t c) {
    if (rows == 0) {
      mean[c] = inverse[c] = 0;
      return;
    }
    const Statistics of = join_statistics(rows, channels, sums + c);
    mean[c] = T(of.mean);
    inverse[c] = T(1 / sqrt(of.variance + epsilon));
    if (moving_mean) moving_mean[c] = T(double(moving_mean[c]) * momentum + of.mean * (1 - momentum));
    if (moving_variance) moving_variance[c] = T(double(moving_variance[c]) * momentum + of.variance * (1 - momentum));
  });
}

template <class T>
void batch_norm_inverse(int64_t channels, const T* variance, double epsilon, T* inverse, Stream stream) {
  each(channels, stream, [=] __device__(int64_t c) { inverse[c] = T(1 / sqrt(double(variance[c]) + epsilon)); });
}

template <class S>
void batch_norm_forward(const BatchNorm<S>& s, const S* residual, S* y, Stream stream) {
  each_pack<S>(s.rows * s.channels, packs_fit<S>(s.channels, s.x, residual, y) && lines_fit(s), stream,
               Forward<S>{s, residual, y});
}

template <class S, class T>
void batch_norm_backward(const BatchNorm<S>& s, bool training, const S* y, const S* dy, const S* more_dy, S* dz, S* dx,
                         T* dgamma, T* dbeta, Stream stream) {
  const int64_t C = s.channels, parts = parts_of(s.rows);
  const Scratch<T> lines(2 * C, stream);
  T *const slope = lines.data(), *const offset = slope + C;
  if (dz || dgamma || dbeta || (training && dx)) {
    const Scratch<T> scratch(parts * 2 * C, stream);
    T* const sums = scratch.data();
    if (!s.relu)
      each(parts * C, stream, GradientSums<NONE, S>{s, y, dy, more_dy, dz, sums});
    else if (more_dy)
      each(parts * C, stream, GradientSums<OF_SUM, S>{s, y, dy, more_dy, dz, sums});
    else if (dz)
      each(parts * C, stream, GradientSums<BY_Y, S>{s, y, dy, more_dy, dz, sums});
    else
      each(parts * C, stream, GradientSums<BY_X, S>{s, y, dy, more_dy, dz, sums});
    each(C, stream, Join<S>{s, sums, slope, offset, dgamma, dbeta});
  }
  if (!dx) return;
  if constexpr (sizeof(S) == 2)
    if (s.relu && more_dy)
      return each_pack<S>(s.rows * C, packs_fit<S>(C, s.x, dy, more_dy, y, dx) && lines_fit(s), stream,
                          Backward<true, S>{s, training, false, dy, more_dy, y, slope, offset, dx});
  const S* const from = dz ? dz : dy;
  each_pack<S>(s.rows * C, packs_fit<S>(C, s.x, from, dx) && lines_fit(s), stream,
               Backward<false, S>{s, training, s.relu && !dz, from, nullptr, nullptr, slope, offset, dx});
}

template void batch_norm_statistics(int64_t, int64_t, const float*, double, double, float*, float*, float*, float*,
                                    Stream);
template void batch_norm_statistics(int64_t, int64_t, const double*, double, double, double*, double*, double*, double*,
                                    Stream);
template void batch_norm_inverse(int64_t, const float*, double, float*, Stream);
template void batch_norm_inverse(int64_t, const double*, double, double*, Stream);
template void batch_norm_forward(const BatchNorm<float>&, const float*, float*, Stream);
template void batch_norm_forward(const BatchNorm<double>&, const double*, double*, Stream);
template void batch_norm_backward(const BatchNorm<float>&, bool, const float*, const float*, const float*, float*,
                                  float*, float*, float*, Stream);
template void batch_norm_backward(const BatchNorm<double>&, bool, const double*, const double*, const double*, double*,
                                  double*, double*, double*, Stream);
template void batch_norm_statistics(int64_t, int64_t, const Float16*, double, double, float*, float*, float*, float*,
                                    Stream);
template void batch_norm_forward(const BatchNorm<Float16>&, const Float16*, Float16*, Stream);
template void batch_norm_backward(const BatchNorm<Float16>&, bool, const Float16*, const Float16*, const Float16*,
                                  Float16*, Float16*, float*, float*, Stream);
template void batch_norm_statistics(int64_t, int64_t, const BFloat16*, double, double, float*, float*, float*, float*,
                                    Stream);
template void batch_norm_forward(const BatchNorm<BFloat16>&, const BFloat16*, BFloat16*, Stream);
template void batch_norm_backward(const BatchNorm<BFloat16>&, bool, const BFloat16*, const BFloat16*, const BFloat16*,
                                  BFloat16*, BFloat16*, float*, float*, Stream);

}  // namespace lamina::cuda
