#include "cuda/support/columns.cuh"
#include "ops/batch_norm.h"

namespace lamina::cuda {
namespace batch_norm_op {

/// gamma * (x - mean) * inverse + beta, without gamma * inverse, which is `scale`.
template <class T>
__device__ T normalised(const BatchNorm<T>& s, T x, int64_t c, T scale) {
  return fma(x - s.mean[c], scale, s.beta ? s.beta[c] : T(0));
}

template <class T>
struct Forward {
  BatchNorm<T> s;
  const T* residual;
  T* y;
  template <int N>
  __device__ void run(int64_t at) const {
    const int64_t c = split(at, s.channels).at;
    Pack<T, N> v = load_pack<N>(s.x + at), added{};
    if (residual) added = load_pack<N>(residual + at);
#pragma unroll
    for (int e = 0; e < N; ++e) {
      v[e] = normalised(s, v[e], c + e, scaled(s.gamma, c + e, s.inverse[c + e]));
      if (residual) v[e] = v[e] + added[e];
      if (s.relu) v[e] = max(T(0), v[e]);
    }
    store_pack(y + at, v);
  }
};

/// How dz comes from dy: as it is; through relu, y computed anew from x; through relu by y, and dz is kept.
enum Through { NONE, BY_X, BY_Y };

template <class T>
__device__ T through_relu(T y, T dy) {
  return y > 0 ? dy : T(0);
}

/// Sums of dz and of dz * (x - mean) by part: sums[part][2][channel].
template <Through RELU, class T>
struct GradientSums {
  BatchNorm<T> s;
  const T *y, *dy;
  T *dz, *sums;
  __device__ void operator()(int64_t i) const {
    const int64_t C = s.channels;
    const ColumnPart p(i, s.rows, C, parts_of(s.rows));
    const int64_t c = p.column;
    const T scale = scaled(s.gamma, c, s.inverse[c]), mean = s.mean[c];
    T sum = 0, along = 0;
#pragma unroll 4
    for (int64_t row = 0; row < p.count; ++row) {
      const int64_t at = p.first + row * C;
      const T x = s.x[at];
      T d = dy[at];
      if constexpr (RELU == BY_X) d = through_relu(normalised(s, x, c, scale), d);
      if constexpr (RELU == BY_Y) {
        d = through_relu(y[at], d);
        dz[at] = d;
      }
      sum = sum + d;
      along = fma(d, x - mean, along);
    }
    T* const to = sums + p.part * 2 * C + c;
    to[0] = sum;
    to[C] = along;
  }
};

/// Of a channel, from its parts' sums: dgamma, dbeta, and dx = dz * scale + (x - mean) * slope + offset.
template <class T>
struct Join {
  BatchNorm<T> s;
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

template <class T>
struct Backward {
  BatchNorm<T> s;
  bool training, relu;
  const T *dz, *slope, *offset;  // dz: dy where relu is still to come
  T* dx;
  template <int N>
  __device__ void run(int64_t at) const {
    const int64_t first = split(at, s.channels).at;
    Pack<T, N> d = load_pack<N>(dz + at), x{};
    if (training || relu) x = load_pack<N>(s.x + at);
#pragma unroll
    for (int e = 0; e < N; ++e) {
      const int64_t c = first + e;
      const T scale = scaled(s.gamma, c, s.inverse[c]);
      if (relu) d[e] = through_relu(normalised(s, x[e], c, scale), d[e]);
      d[e] = training ? fma(d[e], scale, fma(x[e] - s.mean[c], slope[c], offset[c])) : d[e] * scale;
    }
    store_pack(dx + at, d);
  }
};

}  // namespace batch_norm_op
using namespace batch_norm_op;

template <class T>
void batch_norm_statistics(int64_t rows, int64_t channels, const T* x, double epsilon, double momentum, T* mean,
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

template <class T>
void batch_norm_forward(const BatchNorm<T>& s, const T* residual, T* y, Stream stream) {
  each_pack<T>(s.rows * s.channels, packs_fit<T>(s.channels, s.x, residual, y), stream, Forward<T>{s, residual, y});
}

template <class T>
void batch_norm_backward(const BatchNorm<T>& s, bool training, const T* y, const T* dy, T* dz, T* dx, T* dgamma,
                         T* dbeta, Stream stream) {
  const int64_t C = s.channels, parts = parts_of(s.rows);
  const Scratch<T> lines(2 * C, stream);
  T *const slope = lines.data(), *const offset = slope + C;
  if (dz || dgamma || dbeta || (training && dx)) {
    const Scratch<T> scratch(parts * 2 * C, stream);
    T* const sums = scratch.data();
    if (!s.relu)
      each(parts * C, stream, GradientSums<NONE, T>{s, y, dy, dz, sums});
    else if (dz)
      each(parts * C, stream, GradientSums<BY_Y, T>{s, y, dy, dz, sums});
    else
      each(parts * C, stream, GradientSums<BY_X, T>{s, y, dy, dz, sums});
    each(C, stream, Join<T>{s, sums, slope, offset, dgamma, dbeta});
  }
  if (!dx) return;
  const T* const from = dz ? dz : dy;
  each_pack<T>(s.rows * C, packs_fit<T>(C, s.x, from, dx), stream,
               Backward<T>{s, training, s.relu && !dz, from, slope, offset, dx});
}

template void batch_norm_statistics(int64_t, int64_t, const float*, double, double, float*, float*, float*, float*,
                                    Stream);
template void batch_norm_statistics(int64_t, int64_t, const double*, double, double, double*, double*, double*, double*,
                                    Stream);
template void batch_norm_inverse(int64_t, const float*, double, float*, Stream);
template void batch_norm_inverse(int64_t, const double*, double, double*, Stream);
template void batch_norm_forward(const BatchNorm<float>&, const float*, float*, Stream);
template void batch_norm_forward(const BatchNorm<double>&, const double*, double*, Stream);
template void batch_norm_backward(const BatchNorm<float>&, bool, const float*, const float*, float*, float*, float*,
                                  float*, Stream);
template void batch_norm_backward(const BatchNorm<double>&, bool, const double*, const double*, double*, double*,
                                  double*, double*, Stream);

}  // namespace lamina::cuda
