#include "ops/focal_cross_entropy.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"
#include "support/focal.h"

namespace lamina {
using namespace LAMINA_ISA;

namespace LAMINA_ISA {

template <class T>
INLINE T sum_of(int64_t n, const T* x) {
  return sum_row<T>(n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA { total = total + load(x + i, mask); });
}

/// For each row: normalise(row, p, most) fills p and returns its sum; then one pass over p, at most three over scratch.
/// h[j] is p[j] times the derivative with respect to p[j], so that the gradient through p = f / sum f is made of
/// h - p sum h: as it is for a softmax, divided by p sum f for probabilities.
template <bool LOGITS, class T>
INLINE void focal_rows(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor, T* losses, T* dx,
                       T scale, T shift, T gamma) {
  const V<T> one = set(T(1)), low = set(T(1e-7)), high = set(T(1) - T(1e-7));
  const int64_t padded = round_up(n, 64 / int64_t(sizeof(T)));
  const bool past_caches = dx && stream_rows(dx, rows, n);
  parallel_for(rows, 30 + n * 2.5, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    T* const p = scratch_for<T>(Slot::worker, 3 * padded);
    T *const values = p + padded, *const h = values + padded;
    for (int64_t r = begin; r < end; ++r) {
      const T *const row = x + r * n, *const target = t + r * n;
      T most = 0, sum;
      if constexpr (LOGITS) {
        most = largest(n, row);
        each_vector<T>(
            n, [&](int64_t i, auto mask) INLINE_LAMBDA { store(p + i, exp(load(row + i, mask) - set(most)), mask); });
        sum = sum_of(n, p);
      } else {
        sum = sum_of(n, row);
      }
      const V<T> all = set(sum), log_all = LOGITS ? log(all) : zero<T>();
      each_vector<T>(n, [&](int64_t i, auto mask) INLINE_LAMBDA {
        const V<T> s = fma(load(target + i, mask), set(scale), set(shift));
        const V<T> raw = load((LOGITS ? p : row) + i, mask) / all;
        const V<T> share = LOGITS ? raw : min(high, max(low, raw));
        const V<T> log_share = LOGITS ? load(row + i, mask) - set(most) - log_all : log(share);
        const auto [power, derivative] = focal_power<T>(one - share, gamma);
        store(values + i, -s * power * log_share, mask);
        if (!dx) return;
        const V<T> product = s * fma(derivative * share, log_share, -power);
        store(p + i, raw, mask);
        store(h + i, LOGITS ? product : select(less(raw, low) | less(high, raw), zero<T>(), product), mask);
      });
      const T weight = weights ? weights[r] : T(1), loss = sum_of(n, values);
      losses[r] = weights ? weight * loss : loss;
      if (!dx) continue;
      const V<T> inner = set(sum_of(n, h)), factor = set(LOGITS ? weight / divisor : weight / divisor / sum);
      write_row(n, dx + r * n, past_caches, [&](int64_t i, auto mask) INLINE_LAMBDA {
        const V<T> share = load(p + i, mask), product = load(h + i, mask);
        if constexpr (LOGITS) return fnma(share, inner, product) * factor;
        const V<T> inside = select(equal(product, zero<T>()), zero<T>(), product / share);  // 0 / 0 where cut
        return (inside - inner) * factor;
      });
    }
    if (past_caches) stream_fence();
  });
}

}  // namespace LAMINA_ISA

template <class Target, class T>
void softmax_focal_cross_entropy(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor,
                                 T* losses, T* dx, T scale, T shift, T gamma) {
  focal_rows<true>(rows, n, x, t, weights, divisor, losses, dx, scale, shift, gamma);
}

template <class Target, class T>
void categorical_focal_cross_entropy(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor,
                                     T* losses, T* dx, T scale, T shift, T gamma) {
  focal_rows<false>(rows, n, x, t, weights, divisor, losses, dx, scale, shift, gamma);
}

template void softmax_focal_cross_entropy<Target>(int64_t, int64_t, const float*, const float*, const float*, float,
                                                  float*, float*, float, float, float);
DOUBLE template void softmax_focal_cross_entropy<Target>(int64_t, int64_t, const double*, const double*, const double*,
                                                         double, double*, double*, double, double, double);
template void categorical_focal_cross_entropy<Target>(int64_t, int64_t, const float*, const float*, const float*, float,
                                                      float*, float*, float, float, float);
DOUBLE template void categorical_focal_cross_entropy<Target>(int64_t, int64_t, const double*, const double*,
                                                             const double*, double, double*, double*, double, double,
                                                             double);

}  // namespace lamina
