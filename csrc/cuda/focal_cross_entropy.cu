#include "cuda/support/row.cuh"
#include "ops/focal_cross_entropy.h"
#include "support/focal.h"

namespace lamina::cuda {
namespace focal_cross_entropy_op {

/// The CPU's passes over a row, with what it keeps between them computed anew.
template <bool LOGITS, class T>
struct Rows {
  int64_t n;
  const T *x, *t, *weights;
  T divisor;
  T *losses, *dx;
  T scale, shift, gamma;

  /// Of one place: p, its part of the loss, and p times the derivative with respect to it.
  struct Place {
    T raw, value, slope;
  };
  __device__ Place place(T v, T target, T most, T sum, T log_sum) const {
    const T low = T(1e-7), high = T(1) - T(1e-7);
    const T s = fma(target, scale, shift);
    const T raw = (LOGITS ? exp(v - most) : v) / sum;
    const T share = LOGITS ? raw : min(high, max(low, raw));
    const T log_share = LOGITS ? v - most - log_sum : log(share);
    const auto [power, derivative] = focal_power<T>(T(1) - share, gamma);
    const T slope = s * fma(derivative * share, log_share, -power);
    return {raw, -s * power * log_share, !LOGITS && (raw < low || high < raw) ? T(0) : slope};
  }

  __device__ void operator()(int64_t r, RowLane lane) const {
    const T *const row = x + r * n, *const target = t + r * n;
    const T most = LOGITS ? largest(n, lane, row) : T(0);
    const T sum =
        sum_row<T>(n, lane, [&](int64_t i, T& total) { total = total + (LOGITS ? exp(row[i] - most) : row[i]); });
    const T log_sum = LOGITS ? log(sum) : T(0);
    const auto at = [&](int64_t i) { return place(row[i], target[i], most, sum, log_sum); };
    const T loss = sum_row<T>(n, lane, [&](int64_t i, T& total) { total = total + at(i).value; });
    const T weight = weights ? weights[r] : T(1);
    if (lane.lane == 0) losses[r] = weights ? weight * loss : loss;
    if (!dx) return;
    const T inner = sum_row<T>(n, lane, [&](int64_t i, T& total) { total = total + at(i).slope; });
    const T factor = LOGITS ? weight / divisor : weight / divisor / sum;
    each_of_row(n, lane, [&](int64_t i) {
      const Place p = at(i);
      const T inside = p.slope == T(0) ? T(0) : p.slope / p.raw;  // 0 / 0 where cut
      dx[r * n + i] = (LOGITS ? fnma(p.raw, inner, p.slope) : inside - inner) * factor;
    });
  }
};

}  // namespace focal_cross_entropy_op
using namespace focal_cross_entropy_op;

template <class T>
void softmax_focal_cross_entropy(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor,
                                 T* losses, T* dx, T scale, T shift, T gamma, Stream stream) {
  each_row(rows, stream, Rows<true, T>{n, x, t, weights, divisor, losses, dx, scale, shift, gamma});
}

template <class T>
void categorical_focal_cross_entropy(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor,
                                     T* losses, T* dx, T scale, T shift, T gamma, Stream stream) {
  each_row(rows, stream, Rows<false, T>{n, x, t, weights, divisor, losses, dx, scale, shift, gamma});
}

template void softmax_focal_cross_entropy(int64_t, int64_t, const float*, const float*, const float*, float, float*,
                                          float*, float, float, float, Stream);
template void softmax_focal_cross_entropy(int64_t, int64_t, const double*, const double*, const double*, double,
                                          double*, double*, double, double, double, Stream);
template void categorical_focal_cross_entropy(int64_t, int64_t, const float*, const float*, const float*, float, float*,
                                              float*, float, float, float, Stream);
template void categorical_focal_cross_entropy(int64_t, int64_t, const double*, const double*, const double*, double,
                                              double*, double*, double, double, double, Stream);

}  // namespace lamina::cuda
