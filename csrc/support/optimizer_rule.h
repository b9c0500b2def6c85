// The rules of ops/optimizer.h for one element, over V<T> (see support/math.h).
//
// A rule is made from the settings; rule.step(g, w, slot, kept) takes gradient and weight, prepared, and the
// optimizer's memory, slot[k] where bit k of `kept` is set, changes the latter and returns the new weight.
#pragma once
#include "ops/optimizer.h"
#include "support/math.h"

namespace lamina::LAMINA_ISA {

/// The same on every machine, unlike the C library's pow.
INLINE double whole_power(double base, int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent /= 2, base *= base)
    if (exponent % 2) result *= base;
  return result;
}

/// Rounded correctly, on the host and on the device.
INLINE double square_root(double x) {
#ifdef __CUDA_ARCH__
  return ::sqrt(x);
#else
  return __builtin_sqrt(x);
#endif
}

/// average += share (value - average); the new average.
template <class T>
INLINE V<T> followed(V<T>& average, V<T> value, V<T> share) {
  return average = fma(value - average, share, average);
}
/// keep * average + fresh * value, the new average.
template <class T>
INLINE V<T> blended(V<T>& average, V<T> value, V<T> keep, V<T> fresh) {
  return average = fma(keep, average, fresh * value);
}

template <class T>
struct Sgd {
  V<T> minus_rate, keep;
  bool nesterov;
  INLINE explicit Sgd(const OptimizerSettings& s)
      : minus_rate(set(T(-s.values[0]))), keep(set(T(s.values[1]))), nesterov(s.values[2] != 0) {}
  INLINE V<T> step(V<T> g, V<T> w, V<T> (&slot)[OPTIMIZER_SLOTS], unsigned kept) const {
    if (!(kept & 1)) return fma(minus_rate, g, w);
    const V<T> change = minus_rate * g, velocity = slot[0] = fma(keep, slot[0], change);
    return w + (nesterov ? fma(keep, velocity, change) : velocity);
  }
};

template <class T>
struct RmsProp {
  V<T> rate, rho, fresh, momentum, small;
  INLINE explicit RmsProp(const OptimizerSettings& s)
      : rate(set(T(s.values[0]))),
        rho(set(T(s.values[1]))),
        fresh(set(T(1 - s.values[1]))),
        momentum(set(T(s.values[2]))),
        small(set(T(s.values[3]))) {}
  INLINE V<T> step(V<T> g, V<T> w, V<T> (&slot)[OPTIMIZER_SLOTS], unsigned kept) const {
    V<T> v = blended<T>(slot[0], g * g, rho, fresh);
    if (kept & 4) {
      const V<T> a = blended<T>(slot[2], g, rho, fresh);
      v = fnma(a, a, v);
    }
    V<T> change = rate * g / sqrt(v + small);
    if (kept & 2) change = slot[1] = fma(momentum, slot[1], change);
    return w - change;
  }
};

/// m and v of adam, nadam and lamb.
template <class T>
struct MomentAverages {
  V<T> fresh_1, fresh_2;
  INLINE explicit MomentAverages(const OptimizerSettings& s)
      : fresh_1(set(T(1 - s.values[1]))), fresh_2(set(T(1 - s.values[2]))) {}
  INLINE void step(V<T> g, V<T>& m, V<T>& v) const {
    followed<T>(m, g, fresh_1);
    v = fma(fma(g, g, -v), fresh_2, v);
  }
};

template <class T>
struct Adam {
  MomentAverages<T> averages;
  V<T> minus_alpha, small;
  INLINE explicit Adam(const OptimizerSettings& s) : averages(s), small(set(T(s.values[3]))) {
    const double beta_1 = whole_power(s.values[1], s.step), beta_2 = whole_power(s.values[2], s.step);
    minus_alpha = set(T(-s.values[0] * square_root(1 - beta_2) / (1 - beta_1)));
  }
  INLINE V<T> step(V<T> g, V<T> w, V<T> (&slot)[OPTIMIZER_SLOTS], unsigned kept) const {
    averages.step(g, slot[0], slot[1]);
    V<T> v = slot[1];
    if (kept & 4) v = slot[2] = max(slot[2], v);
    return w + minus_alpha * slot[0] / (sqrt(v) + small);
  }
};

template <class T>
struct Adagrad {
  V<T> rate, small;
  INLINE explicit Adagrad(const OptimizerSettings& s) : rate(set(T(s.values[0]))), small(set(T(s.values[1]))) {}
  INLINE V<T> step(V<T> g, V<T> w, V<T> (&slot)[OPTIMIZER_SLOTS], unsigned) const {
    slot[0] = fma(g, g, slot[0]);
    return w - rate * g / sqrt(slot[0] + small);
  }
};

template <class T>
struct Adadelta {
  V<T> minus_rate, rho, fresh, small;
  INLINE explicit Adadelta(const OptimizerSettings& s)
      : minus_rate(set(T(-s.values[0]))),
        rho(set(T(s.values[1]))),
        fresh(set(T(1 - s.values[1]))),
        small(set(T(s.values[2]))) {}
  INLINE V<T> step(V<T> g, V<T> w, V<T> (&slot)[OPTIMIZER_SLOTS], unsigned) const {
    const V<T> a = blended<T>(slot[0], g * g, rho, fresh);
    const V<T> u = g * sqrt(slot[1] + small) / sqrt(a + small);
    blended<T>(slot[1], u * u, rho, fresh);
    return fma(minus_rate, u, w);
  }
};

template <class T>
struct Adamax {
  V<T> minus_alpha, fresh, keep, small;
  INLINE explicit Adamax(const OptimizerSettings& s)
      : minus_alpha(set(T(-s.values[0] / (1 - whole_power(s.values[1], s.step))))),
        fresh(set(T(1 - s.values[1]))),
        keep(set(T(s.values[2]))),
        small(set(T(s.values[3]))) {}
  INLINE V<T> step(V<T> g, V<T> w, V<T> (&slot)[OPTIMIZER_SLOTS], unsigned) const {
    const V<T> m = followed<T>(slot[0], g, fresh);
    slot[1] = max(keep * slot[1], magnitude<T>(g));
    return w + minus_alpha * m / (slot[1] + small);
  }
};

template <class T>
struct Nadam {
  MomentAverages<T> averages;
  V<T> of_m, of_g, correction, small;
  INLINE explicit Nadam(const OptimizerSettings& s)
      : averages(s),
        of_m(set(T(-s.values[0] * s.values[4]))),
        of_g(set(T(-s.values[0] * s.values[5]))),
        correction(set(T(1 / (1 - whole_power(s.values[2], s.step))))),
        small(set(T(s.values[3]))) {}
  INLINE V<T> step(V<T> g, V<T> w, V<T> (&slot)[OPTIMIZER_SLOTS], unsigned) const {
    averages.step(g, slot[0], slot[1]);
    return w + fma(of_m, slot[0], of_g * g) / (sqrt(slot[1] * correction) + small);
  }
};

template <class T>
struct Ftrl {
  double power;
  V<T> by_rate, l1, twice_l2, shrinkage;
  INLINE explicit Ftrl(const OptimizerSettings& s)
      : power(s.values[1]),
        by_rate(set(T(1 / s.values[0]))),
        l1(set(T(s.values[2]))),
        twice_l2(set(T(2 * s.values[3]))),
        shrinkage(set(T(2 * s.values[4]))) {}
  /// x^power for x of at least 0.
  INLINE V<T> raised(V<T> x) const {
    if (power == 0.5) return sqrt(x);
    if (power == 0) return set(T(1));
    return exp(set(T(power)) * log(x));
  }
  INLINE V<T> step(V<T> g, V<T> w, V<T> (&slot)[OPTIMIZER_SLOTS], unsigned) const {
    const V<T> before = slot[0], sum = fma(g, g, before), root = raised(sum);
    const V<T> sigma = (root - raised(before)) * by_rate;
    const V<T> z = slot[1] + fnma(sigma, w, fma(shrinkage, w, g));
    slot[0] = sum;
    slot[1] = z;
    return (max(-l1, min(l1, z)) - z) / fma(root, by_rate, twice_l2);
  }
};

template <class T>
struct Lion {
  V<T> rate, keep_1, fresh_1, keep_2, fresh_2;
  INLINE explicit Lion(const OptimizerSettings& s)
      : rate(set(T(s.values[0]))),
        keep_1(set(T(s.values[1]))),
        fresh_1(set(T(1 - s.values[1]))),
        keep_2(set(T(s.values[2]))),
        fresh_2(set(T(1 - s.values[2]))) {}
  INLINE V<T> step(V<T> g, V<T> w, V<T> (&slot)[OPTIMIZER_SLOTS], unsigned) const {
    const V<T> c = fma(keep_1, slot[0], fresh_1 * g);
    blended<T>(slot[0], g, keep_2, fresh_2);
    const V<T> down = select(less(zero<T>(), c), -rate, zero<T>());
    return w + select(unordered(c, c), c, select(less(c, zero<T>()), rate, down));
  }
};

/// lamb's change before the trust ratio.
template <class T>
struct Lamb {
  MomentAverages<T> averages;
  V<T> correction_1, correction_2, small;
  INLINE explicit Lamb(const OptimizerSettings& s)
      : averages(s),
        correction_1(set(T(1 / (1 - whole_power(s.values[1], s.step))))),
        correction_2(set(T(1 / (1 - whole_power(s.values[2], s.step))))),
        small(set(T(s.values[3]))) {}
  INLINE V<T> change(V<T> m, V<T> v) const { return m * correction_1 / (sqrt(v * correction_2) + small); }
};

}  // namespace lamina::LAMINA_ISA
