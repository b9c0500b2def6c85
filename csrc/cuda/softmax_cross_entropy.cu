#include "cuda/support/row.cuh"
#include "ops/softmax_cross_entropy.h"

namespace lamina::cuda {
namespace softmax_cross_entropy_op {

/// What all have: rows of x (logits or probabilities), a label or a row of probabilities t for each.
template <class S>
struct Arrays {
  using T = Computed<S>;
  int64_t n;
  const S* x;
  const int64_t* labels;
  int64_t ignored;
  const S* t;
  const T* weights;
  Setting<double> divisor;
  T* losses;
  S* dx;

  __device__ S* gradient(int64_t row) const { return dx ? dx + row * n : nullptr; }
  /// The row's part of the mean.
  __device__ T share(int64_t row) const { return (weights ? weights[row] : T(1)) / T(divisor); }
  __device__ void put(int64_t row, RowLane lane, T loss) const {
    if (lane.lane == 0) losses[row] = weights ? weights[row] * loss : loss;
  }
  /// Whether the row's label is none: the row is 0 then if it is ignored, and NaN if there is no such class.
  __device__ bool without_label(int64_t row, RowLane lane) const {
    const int64_t label = labels[row];
    const bool skipped = ignored != NONE_IGNORED && label == ignored;
    if (!skipped && label >= 0 && label < n) return false;
    put(row, lane, skipped ? T(0) : T(NAN));
    S* const to = gradient(row);
    if (to) each_of_row(n, lane, [&](int64_t i) { to[i] = skipped ? T(0) : T(NAN); });
    return true;
  }
};

template <class S, class T = Computed<S>>
__device__ T sum_of(int64_t n, RowLane lane, const S* x) {
  return sum_row<T>(n, lane, [&](int64_t i, T& total) { total = total + x[i]; });
}
template <class S, class T = Computed<S>>
__device__ T sum_of_powers(int64_t n, RowLane lane, const S* x, T most) {
  return sum_row<T>(n, lane, [&](int64_t i, T& total) { total = total + exp(x[i] - most); });
}

/// Powers are computed anew for the gradient: that is cheaper than to write and to read them.
template <class S>
struct FromLabels {
  using T = Computed<S>;
  Arrays<S> s;
  T smoothing;
  __device__ void operator()(int64_t r, RowLane lane) const {
    if (s.without_label(r, lane)) return;
    const int64_t n = s.n, label = s.labels[r];
    const S* const row = s.x + r * n;
    const T most = largest(n, lane, row), sum = sum_of_powers(n, lane, row, most);
    T rest = row[label] - most, each = 0;  // each: what smoothing takes from every place of the gradient
    if (smoothing > 0) {
      each = smoothing / T(n);
      const T all = sum_row<T>(n, lane, [&](int64_t i, T& total) { total = total + (row[i] - most); });
      rest = (1 - smoothing) * rest + each * all;
    }
    s.put(r, lane, fma(T(1), log(sum), -rest));
    S* const to = s.gradient(r);
    if (!to) return;
    const T weight = s.share(r), scale = weight / sum, taken = weight * each;
    each_of_row(n, lane, [&](int64_t i) {
      const T power = exp(row[i] - most);
      to[i] = (i == label ? power - (1 - smoothing) * sum : power) * scale - taken;
    });
  }
};

template <class S>
struct FromSoftLabels {
  using T = Computed<S>;
  Arrays<S> s;
  __device__ void operator()(int64_t r, RowLane lane) const {
    const int64_t n = s.n;
    const S *const row = s.x + r * n, *const target = s.t + r * n;
    const T most = largest(n, lane, row), sum = sum_of_powers(n, lane, row, most), all = sum_of(n, lane, target);
    const T rest = sum_row<T>(n, lane, [&](int64_t i, T& total) { total = fma(target[i], row[i] - most, total); });
    s.put(r, lane, fma(all, log(sum), -rest));
    S* const to = s.gradient(r);
    if (!to) return;
    const T weight = s.share(r), scale = weight * all / sum;
    each_of_row(n, lane, [&](int64_t i) { to[i] = fnma(target[i], weight, exp(row[i] - most) * scale); });
  }
};

template <class T>
constexpr T LOW = T(1e-7);
template <class T>
constexpr T HIGH = T(1) - T(1e-7);

template <class S>
struct ProbabilitiesFromLabels {
  using T = Computed<S>;
  Arrays<S> s;
  __device__ void operator()(int64_t r, RowLane lane) const {
    if (s.without_label(r, lane)) return;
    const int64_t n = s.n, label = s.labels[r];
    const T low = LOW<T>, high = HIGH<T>;
    const S* const row = s.x + r * n;
    const T sum = sum_of(n, lane, row), p = row[label] / sum;
    const bool cut = p < low || p > high;
    s.put(r, lane, fma(T(-1), log(p < low ? low : p > high ? high : p), -T(0)));
    S* const to = s.gradient(r);
    if (!to) return;
    // p is normalised: every place has a share of 1 / sum in it, the label's own one of 1 / (p sum) less.
    const T share = cut ? T(0) : s.share(r) / sum;
    each_of_row(n, lane, [&](int64_t i) { to[i] = i != label ? share : cut ? T(0) : share - share / p; });
  }
};

template <class S>
struct ProbabilitiesFromSoftLabels {
  using T = Computed<S>;
  Arrays<S> s;
  __device__ void operator()(int64_t r, RowLane lane) const {
    const int64_t n = s.n;
    const T low = LOW<T>, high = HIGH<T>;
    const S *const row = s.x + r * n, *const target = s.t + r * n;
    const T sum = sum_of(n, lane, row);
    s.put(r, lane, sum_row<T>(n, lane, [&](int64_t i, T& total) {
            total = fnma(target[i], log(min(high, max(low, row[i] / sum))), total);
          }));
    S* const to = s.gradient(r);
    if (!to) return;
    // dL/dp[j] = -t[j] / p[j] where c does not cut, and p is normalised: dq[j] = (dL/dp[j] - sum dL/dp p) / sum q.
    const auto inside = [&](T p, T value) { return p < low || high < p ? T(0) : value; };
    const T inner = sum_row<T>(n, lane, [&](int64_t i, T& total) { total = total + inside(row[i] / sum, target[i]); });
    const T scale = s.share(r) / sum;
    each_of_row(n, lane, [&](int64_t i) {
      const T p = row[i] / sum;
      to[i] = (inner - inside(p, target[i] / p)) * scale;
    });
  }
};

}  // namespace softmax_cross_entropy_op
using namespace softmax_cross_entropy_op;

template <class S, class T>
void softmax_cross_entropy(int64_t rows, int64_t n, const S* x, const int64_t* labels, int64_t ignored, T smoothing,
                           const T* weights, Setting<double> divisor, T* losses, S* dx, Stream stream) {
  each_row(rows, stream, FromLabels<S>{{n, x, labels, ignored, nullptr, weights, divisor, losses, dx}, smoothing});
}

template <class S, class T>
void softmax_cross_entropy_soft(int64_t rows, int64_t n, const S* x, const S* t, const T* weights,
                                Setting<double> divisor, T* losses, S* dx, Stream stream) {
  each_row(rows, stream, FromSoftLabels<S>{{n, x, nullptr, NONE_IGNORED, t, weights, divisor, losses, dx}});
}

template <class S, class T>
void cross_entropy_from_probabilities(int64_t rows, int64_t n, const S* q, const int64_t* labels, int64_t ignored,
                                      const T* weights, Setting<double> divisor, T* losses, S* dq, Stream stream) {
  each_row(rows, stream, ProbabilitiesFromLabels<S>{{n, q, labels, ignored, nullptr, weights, divisor, losses, dq}});
}

template <class S, class T>
void cross_entropy_from_probabilities_soft(int64_t rows, int64_t n, const S* q, const S* t, const T* weights,
                                           Setting<double> divisor, T* losses, S* dq, Stream stream) {
  each_row(rows, stream,
           ProbabilitiesFromSoftLabels<S>{{n, q, nullptr, NONE_IGNORED, t, weights, divisor, losses, dq}});
}

template void softmax_cross_entropy(int64_t, int64_t, const float*, const int64_t*, int64_t, float, const float*,
                                    Setting<double>, float*, float*, Stream);
template void softmax_cross_entropy_soft(int64_t, int64_t, const float*, const float*, const float*, Setting<double>,
                                         float*, float*, Stream);
template void cross_entropy_from_probabilities(int64_t, int64_t, const float*, const int64_t*, int64_t, const float*,
                                               Setting<double>, float*, float*, Stream);
template void cross_entropy_from_probabilities_soft(int64_t, int64_t, const float*, const float*, const float*,
                                                    Setting<double>, float*, float*, Stream);
template void softmax_cross_entropy(int64_t, int64_t, const double*, const int64_t*, int64_t, double, const double*,
                                    Setting<double>, double*, double*, Stream);
template void softmax_cross_entropy_soft(int64_t, int64_t, const double*, const double*, const double*, Setting<double>,
                                         double*, double*, Stream);
template void cross_entropy_from_probabilities(int64_t, int64_t, const double*, const int64_t*, int64_t, const double*,
                                               Setting<double>, double*, double*, Stream);
template void cross_entropy_from_probabilities_soft(int64_t, int64_t, const double*, const double*, const double*,
                                                    Setting<double>, double*, double*, Stream);
template void softmax_cross_entropy(int64_t, int64_t, const Float16*, const int64_t*, int64_t, float, const float*,
                                    Setting<double>, float*, Float16*, Stream);
template void softmax_cross_entropy_soft(int64_t, int64_t, const Float16*, const Float16*, const float*,
                                         Setting<double>, float*, Float16*, Stream);
template void cross_entropy_from_probabilities(int64_t, int64_t, const Float16*, const int64_t*, int64_t, const float*,
                                               Setting<double>, float*, Float16*, Stream);
template void cross_entropy_from_probabilities_soft(int64_t, int64_t, const Float16*, const Float16*, const float*,
                                                    Setting<double>, float*, Float16*, Stream);
template void softmax_cross_entropy(int64_t, int64_t, const BFloat16*, const int64_t*, int64_t, float, const float*,
                                    Setting<double>, float*, BFloat16*, Stream);
template void softmax_cross_entropy_soft(int64_t, int64_t, const BFloat16*, const BFloat16*, const float*,
                                         Setting<double>, float*, BFloat16*, Stream);
template void cross_entropy_from_probabilities(int64_t, int64_t, const BFloat16*, const int64_t*, int64_t, const float*,
                                               Setting<double>, float*, BFloat16*, Stream);
template void cross_entropy_from_probabilities_soft(int64_t, int64_t, const BFloat16*, const BFloat16*, const float*,
                                                    Setting<double>, float*, BFloat16*, Stream);

}  // namespace lamina::cuda
