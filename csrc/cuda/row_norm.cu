#include "cuda/support/columns.cuh"
#include "cuda/support/row.cuh"
#include "ops/row_norm.h"

namespace lamina::cuda {
namespace row_norm_op {

/// Rows that make one part of the sums over rows.
inline int64_t part_rows(int64_t n) { return max_of(4, min_of(64, (64 << 10) / max_of(n, 1))); }

/// What (x - mean) is multiplied by.
template <class S, class T>
__device__ T inverse_of(const RowNorm<S>& s, T squares) {
  if (s.kind != RowNormKind::unit) return T(1 / sqrt(double(squares) / double(s.n) + s.epsilon));
  const double norm = sqrt(double(squares));
  return T(1 / (norm < s.epsilon ? s.epsilon : norm));
}

template <class S>
struct Forward {
  using T = Computed<S>;
  RowNorm<S> s;
  const T* beta;
  T *mean, *inverse;
  S* y;
  __device__ void operator()(int64_t row, RowLane lane) const {
    const S* const x = s.x + row * s.n;
    const T* const gamma = s.gamma;
    S* const to = y + row * s.n;
    T centre = 0;
    if (mean) {
      centre = sum_row<T>(s.n, lane, [&](int64_t i, T& total) { total = total + x[i]; }) / T(s.n);
      if (lane.lane == 0) mean[row] = centre;
    }
    const T squares = sum_row<T>(s.n, lane, [&](int64_t i, T& total) {
      const T d = x[i] - centre;
      total = fma(d, d, total);
    });
    const T scale = inverse_of(s, squares);
    if (lane.lane == 0) inverse[row] = scale;
    each_of_row(s.n, lane, [&](int64_t i) {
      const T v = (x[i] - centre) * scale;
      to[i] = gamma && beta ? fma(v, gamma[i], beta[i]) : gamma ? v * gamma[i] : beta ? v + beta[i] : v;
    });
  }
};

/// dx = dy * gamma * inverse + (x - mean) * slope + offset, where the row says slope and offset.
template <class S>
struct Backward {
  using T = Computed<S>;
  RowNorm<S> s;
  const T *mean, *inverse;
  const S* dy;
  S* dx;
  __device__ void operator()(int64_t row, RowLane lane) const {
    const int64_t n = s.n;
    const S *const x = s.x + row * n, *const d = dy + row * n;
    const T* const gamma = s.gamma;
    const T centre = mean ? mean[row] : T(0), of_row = inverse[row];
    const double along = double(sum_row<T>(
        n, lane, [&](int64_t i, T& sum) { sum = fma(d[i] * (gamma ? gamma[i] : T(1)), x[i] - centre, sum); }));
    double share = 1 / double(n);
    if (s.kind == RowNormKind::unit) share = double(of_row) < double(T(1 / s.epsilon)) ? 1 : 0;
    const double scale = double(of_row);
    const T slope = T(-(scale * scale * scale * along * share));
    T offset = 0;
    if (s.kind == RowNormKind::layer) {
      const double sum =
          double(sum_row<T>(n, lane, [&](int64_t i, T& total) { total = fma(d[i], gamma ? gamma[i] : T(1), total); }));
      offset = T(-(scale * sum / double(n)));
    }
    each_of_row(n, lane, [&](int64_t i) {
      dx[row * n + i] = fma(d[i] * (gamma ? gamma[i] : T(1)), of_row, fma(x[i] - centre, slope, offset));
    });
  }
};

/// Sums over the rows of a part: sums[part][gamma, beta][n]. A thread has a column of it.
template <class S>
struct PartSums {
  using T = Computed<S>;
  RowNorm<S> s;
  int64_t size;  // rows of a part
  const T *mean, *inverse;
  const S* dy;
  T* sums;
  __device__ void operator()(int64_t i) const {
    const Split c = split(i, s.n);
    const int64_t from = c.rest * size, to = min_of(from + size, s.rows);
    T of_gamma = 0, of_beta = 0;
#pragma unroll 4
    for (int64_t row = from; row < to; ++row) {
      const T d = dy[row * s.n + c.at], offset = s.x[row * s.n + c.at] - (mean ? mean[row] : T(0));
      of_beta = of_beta + d;
      of_gamma = fma(d, offset * inverse[row], of_gamma);
    }
    sums[c.rest * 2 * s.n + c.at] = of_gamma;
    sums[(c.rest * 2 + 1) * s.n + c.at] = of_beta;
  }
};

}  // namespace row_norm_op
using namespace row_norm_op;

template <class S, class T>
void row_norm_forward(const RowNorm<S>& s, const T* beta, T* mean, T* inverse, S* y, Stream stream) {
  each_row(s.rows, stream, Forward<S>{s, beta, mean, inverse, y});
}

template <class S, class T>
void row_norm_backward(const RowNorm<S>& s, const T* mean, const T* inverse, const S* dy, S* dx, T* dgamma, T* dbeta,
                       Stream stream) {
  const int64_t n = s.n, size = part_rows(n), parts = ceil_div(s.rows, size);
  if (dgamma || dbeta) {
    const Scratch<T> scratch(parts * 2 * n, stream);
    T* const sums = scratch.data();
    each(parts * n, stream, PartSums<S>{s, size, mean, inverse, dy, sums});
    each(n, stream, [=] __device__(int64_t i) {
      if (dgamma) dgamma[i] = T(sum_of_parts(parts, sums + i, 2 * n));
      if (dbeta) dbeta[i] = T(sum_of_parts(parts, sums + n + i, 2 * n));
    });
  }
  if (dx) each_row(s.rows, stream, Backward<S>{s, mean, inverse, dy, dx});
}

template void row_norm_forward(const RowNorm<float>&, const float*, float*, float*, float*, Stream);
template void row_norm_forward(const RowNorm<double>&, const double*, double*, double*, double*, Stream);
template void row_norm_backward(const RowNorm<float>&, const float*, const float*, const float*, float*, float*, float*,
                                Stream);
template void row_norm_backward(const RowNorm<double>&, const double*, const double*, const double*, double*, double*,
                                double*, Stream);
template void row_norm_forward(const RowNorm<Float16>&, const float*, float*, float*, Float16*, Stream);
template void row_norm_backward(const RowNorm<Float16>&, const float*, const float*, const Float16*, Float16*, float*,
                                float*, Stream);
template void row_norm_forward(const RowNorm<BFloat16>&, const float*, float*, float*, BFloat16*, Stream);
template void row_norm_backward(const RowNorm<BFloat16>&, const float*, const float*, const BFloat16*, BFloat16*,
                                float*, float*, Stream);

}  // namespace lamina::cuda
