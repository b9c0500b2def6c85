// The formulas of ops/pointwise_loss.h, for the CPU and a GPU. Include cpu/support/simd.h or cuda/support/lane.cuh
// first.
#pragma once
#include "ops/pointwise_loss.h"
#include "support/focal.h"

namespace lamina::LAMINA_ISA {

using Loss = PointwiseLoss;

constexpr bool is_cross_entropy(Loss loss) { return loss <= Loss::binary_focal; }
constexpr bool changes_targets(Loss loss) { return is_cross_entropy(loss) || loss >= Loss::hinge; }

template <class T>
struct ValueAndGradient {
  V<T> value, gradient;
};

/// log p and log(1 - p) weighted by the targets, p = x kept off 0 and 1.
template <class T>
INLINE ValueAndGradient<T> binary_cross_entropy(V<T> x, V<T> t) {
  const V<T> one = set(T(1)), low = set(T(1e-7)), high = set(T(1) - T(1e-7));
  const V<T> p = min(high, max(low, x)), q = one - p;
  const V<T> value = -fma(t, log(p), (one - t) * log(q));
  return {value, select(less(x, low) | less(high, x), zero<T>(), (p - t) / (p * q))};
}

template <class T>
INLINE ValueAndGradient<T> cross_entropy(Loss loss, V<T> x, V<T> t, const LossParameters<T>& parameters) {
  const V<T> one = set(T(1)), none = zero<T>();
  if (loss == Loss::binary_cross_entropy) return binary_cross_entropy<T>(x, t);
  if (loss == Loss::binary_focal) {
    const auto [value, gradient] = binary_cross_entropy<T>(x, t);
    const auto [power, derivative] = focal_power<T>(fma(t, one - x, (one - t) * x), parameters.gamma);
    const V<T> v = fma(t, set(parameters.a), set(parameters.b));
    return {v * power * value, v * fma(derivative * (one - t - t), value, power * gradient)};
  }
  const V<T> e = exp(-magnitude<T>(x)), whole = e + one;
  const V<T> value = fnma(x, t, max(none, x)) + log1p(e);
  const Mask<T> negative = less(x, none);
  const V<T> p = select(negative, e, one) / whole;
  if (loss == Loss::sigmoid_cross_entropy) return {value, p - t};
  const V<T> q = select(negative, one, e) / whole;
  const auto [power, derivative] = focal_power<T>(fma(t, q, (one - t) * p), parameters.gamma);
  const V<T> v = fma(t, set(parameters.a), set(parameters.b));
  return {v * power * value, v * fma(derivative * (one - t - t) * (p * q), value, power * (p - t))};
}

template <Loss L, class T>
INLINE ValueAndGradient<T> evaluate(V<T> x, V<T> t, const LossParameters<T>& parameters) {
  const V<T> one = set(T(1)), none = zero<T>(), small = set(T(1e-7)), d = x - t;
  const auto sign = [&] { return select(less(none, d), one, select(less(d, none), -one, d)); };  // d: 0 or NaN
  if constexpr (changes_targets(L)) t = fma(t, set(parameters.scale), set(parameters.shift));
  if constexpr (is_cross_entropy(L)) {
    return cross_entropy<T>(L, x, t, parameters);
  } else if constexpr (L == Loss::squared_error) {
    return {d * d, d + d};
  } else if constexpr (L == Loss::absolute_error) {
    return {magnitude<T>(d), sign()};
  } else if constexpr (L == Loss::absolute_percentage_error) {
    const V<T> scale = set(T(100)) / max(small, magnitude<T>(t));
    return {magnitude<T>(d) * scale, sign() * scale};
  } else if constexpr (L == Loss::squared_logarithmic_error) {
    const V<T> p = max(small, x), difference = log1p(p) - log1p(max(small, t));
    return {difference * difference, select(less(x, small), none, (difference + difference) / (p + one))};
  } else if constexpr (L == Loss::huber) {
    const V<T> delta = set(parameters.a), size = magnitude<T>(d), half = set(T(0.5));
    const V<T> cut = min(delta, max(-delta, d));
    return {select(less(delta, size), delta * fnma(half, delta, size), half * d * d), cut};
  } else if constexpr (L == Loss::log_cosh) {
    const V<T> size = magnitude<T>(d), m = expm1(set(T(-2)) * size);  // log cosh = |d| + log((1 + e^-2|d|) / 2)
    return {size + log1p(m * set(T(0.5))), with_sign<T>(-m / (m + set(T(2))), d)};
  } else if constexpr (L == Loss::kl_divergence) {
    const V<T> p = min(one, max(small, x)), s = min(one, max(small, t)), ratio = s / p;
    return {s * log(ratio), select(less(x, small) | less(one, x), none, -ratio)};
  } else if constexpr (L == Loss::poisson) {
    const V<T> p = x + small;
    return {fnma(t, log(p), x), one - t / p};
  } else if constexpr (L == Loss::hinge) {
    const V<T> gap = fnma(t, x, one);
    const Mask<T> met = less(gap, none) | equal(gap, none);
    return {select(met, none, gap), select(met, none, -t)};
  } else {
    const V<T> gap = max(none, fnma(t, x, one));
    return {gap * gap, -(gap + gap) * t};
  }
}

}  // namespace lamina::LAMINA_ISA
