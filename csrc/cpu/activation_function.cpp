#include "ops/activation_function.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/elementwise.h"
#include "support/math.h"

namespace lamina {
namespace LAMINA_ISA {

using F = ActivationFunction;

template <class T>
struct Parameters {
  V<T> a, b, c;
};

template <class T>
INLINE Mask<T> at_most(V<T> x, V<T> limit) {
  return less(x, limit) | equal(x, limit);
}
template <class T>
INLINE V<T> clipped(V<T> x, V<T> low, V<T> high) {  // the second operand wins on NaN
  return min(high, max(low, x));
}

// From tools/fit_math.py.
constexpr float NORMAL[] = {-0x1.50ec52p-22f, 0x1.018d5ap-17f, -0x1.6270f2p-14f, 0x1.26e456p-11f,
                            -0x1.530e48p-9f,  0x1.26d840p-7f,  -0x1.a1379ep-6f,  0x1.fb3cf6p-5f,
                            -0x1.0ffb32p-3f,  0x1.fff148p-3f,  -0x1.9883dep-2f,  0x1.fffffep-2f};
constexpr float LOG1P_FLOAT[] = {0x1.dbc172p-3f, 0x1.bc86f4p-3f, 0x1.24c954p-2f, 0x1.9998d4p-2f, 0x1.555556p-1f};
constexpr double LOG1P_DOUBLE[] = {0x1.404f6dd66ea13p-3, 0x1.32abe5dccab6ep-4, 0x1.bc43c35a64a26p-4,
                                   0x1.e0a1603ef49f0p-4, 0x1.111acba3705c9p-3, 0x1.3b1350bd293a1p-3,
                                   0x1.745d1997fab11p-3, 0x1.c71c71becc6d8p-3, 0x1.2492492499e70p-2,
                                   0x1.9999999999943p-2, 0x1.5555555555555p-1};

/// Phi(x), the normal distribution's share below x, given e^(-x^2 / 2). In float at most 2^-25 off, which is what gelu
/// needs, for less work than erf.
INLINE V<float> normal_share(V<float> x, V<float> e) {
  const V<float> below = e * polynomial<float>(NORMAL, min(set(5.7f), magnitude<float>(x)));
  return select(less(x, zero<float>()), below, set(1.0f) - below);
}
INLINE V<double> normal_share(V<double> x, V<double>) {
  const V<double> half = set(0.5);
  return fma(half, erf(x * set(0x1.6a09e667f3bcdp-1)), half);
}
template <class T>
INLINE V<T> bell(V<T> x) {
  return exp(x * x * set(T(-0.5)));
}
/// log(1 + e) for e from 0 to 1: 2 s + s^3 (2 / 3 + ...) with s = e / (2 + e).
template <class T>
INLINE V<T> log1p_of_unit(V<T> e) {
  const V<T> s = e / (e + set(T(2))), z = s * s;
  V<T> series;
  if constexpr (sizeof(T) == 4)
    series = polynomial<T>(LOG1P_FLOAT, z);
  else
    series = polynomial<T>(LOG1P_DOUBLE, z);
  return fma(s * z, series, s + s);
}
/// gelu's tanh form is x sigmoid(2 u): twice u of x.
constexpr double TWICE_ROOT_2_BY_PI = 0x1.9884533d43651p+0;
template <class T>
INLINE V<T> gelu_exponent(V<T> x) {
  return x * fma(x * x, set(T(TWICE_ROOT_2_BY_PI * 0.044715)), set(T(TWICE_ROOT_2_BY_PI)));
}
/// mish is x n / (n + 2) with n = e^x (e^x + 2); e^x is cut where n / (n + 2) has become 1.
template <class T>
INLINE V<T> mish_power(V<T> x) {
  return exp(min(set(T(20)), x));
}

template <F f, class T>
INLINE V<T> value(V<T> x, const Parameters<T>& p) {
  const V<T> none = zero<T>(), one = set(T(1));
  if constexpr (f == F::rectifier) {
    const V<T> flat = select(unordered(x, x), x, none);  // 0 (x - c) would be -0, and NaN at -infinity
    return select(less(p.c, x), min(p.b, x), select(equal(p.a, none), flat, p.a * (x - p.c)));
  } else if constexpr (f == F::exponential_linear) {
    return select(less(none, x), p.b * x, p.b * p.a * expm1(x * p.c));
  } else if constexpr (f == F::gelu) {
    return x * normal_share(x, bell<T>(x));
  } else if constexpr (f == F::gelu_tanh) {
    return x * sigmoid(gelu_exponent<T>(x));
  } else if constexpr (f == F::silu) {
    return x * sigmoid(x);
  } else if constexpr (f == F::softplus) {
    return fma(log1p_of_unit<T>(exp(-magnitude<T>(x * p.a))), p.b, max(none, x));
  } else if constexpr (f == F::log_sigmoid) {
    return min(none, x) - log1p_of_unit<T>(exp(-magnitude<T>(x)));
  } else if constexpr (f == F::softsign) {
    return x / (one + magnitude<T>(x));
  } else if constexpr (f == F::mish) {
    const V<T> e = mish_power<T>(x), n = e * (e + set(T(2)));
    return x * (n / (n + set(T(2))));
  } else if constexpr (f == F::ramp) {
    return clipped<T>(fma(x, p.a, p.b), none, one);
  } else if constexpr (f == F::hard_silu) {
    return x * clipped<T>(fma(x, set(T(1) / T(6)), set(T(0.5))), none, one);
  } else if constexpr (f == F::clip || f == F::clamp) {
    return clipped<T>(x, p.a, p.b);
  } else if constexpr (f == F::hard_shrink) {
    return select(at_most<T>(magnitude<T>(x), p.a), none, x);
  } else if constexpr (f == F::soft_shrink) {
    return x - clipped<T>(x, -p.a, p.a);
  } else if constexpr (f == F::tanh_shrink) {
    return x - tanh(x);
  } else if constexpr (f == F::threshold) {
    return select(at_most<T>(x, p.a), p.b, x);
  } else if constexpr (f == F::squareplus) {  // below 0 by the other root's reciprocal: nothing cancels
    const V<T> sum = sqrt(fma(x, x, p.a)) + magnitude<T>(x), half = set(T(0.5));
    return half * select(less(x, none), p.a / sum, sum);
  } else {
    static_assert(f == F::sparse_plus);
    const V<T> t = max(-one, x) + one;
    return select(less(x, one), set(T(0.25)) * t * t, x);
  }
}

template <F f, class T>
INLINE V<T> gradient(V<T> x, V<T> d, const Parameters<T>& p) {
  const V<T> none = zero<T>(), one = set(T(1));
  if constexpr (f == F::rectifier) {
    const V<T> below = select(equal(p.a, none), none, p.a * d);
    return select(less(p.c, x), select(less(x, p.b), d, none), below);
  } else if constexpr (f == F::exponential_linear) {
    return d * (p.b * select(less(none, x), one, p.a * p.c * exp(x * p.c)));
  } else if constexpr (f == F::gelu) {
    const V<T> e = bell<T>(x), density = e * set(T(0x1.9884533d43651p-2));
    return d * fma(x, density, normal_share(x, e));
  } else if constexpr (f == F::gelu_tanh) {
    const V<T> s = sigmoid(gelu_exponent<T>(x));
    const V<T> near = clipped<T>(x, set(T(-64)), set(T(64)));  // beyond, s (1 - s) is 0: 0 times infinity
    const V<T> slope = fma(near * near, set(T(3 * TWICE_ROOT_2_BY_PI * 0.044715)), set(T(TWICE_ROOT_2_BY_PI)));
    return d * fma(near * slope, s * (one - s), s);
  } else if constexpr (f == F::silu) {
    const V<T> s = sigmoid(x);
    return d * (s * fma(x, one - s, one));
  } else if constexpr (f == F::softplus) {
    return d * sigmoid(x * p.a);
  } else if constexpr (f == F::log_sigmoid) {
    return d * sigmoid(-x);
  } else if constexpr (f == F::softsign) {
    const V<T> s = one + magnitude<T>(x);
    return d / (s * s);
  } else if constexpr (f == F::mish) {
    const V<T> e = mish_power<T>(x), n = e * (e + set(T(2))), whole = n + set(T(2));
    return d * fma(x, set(T(4)) * e * (e + one) / (whole * whole), n / whole);
  } else if constexpr (f == F::ramp) {
    const V<T> y = fma(x, p.a, p.b);
    return select(less(none, y) & less(y, one), d * p.a, none);
  } else if constexpr (f == F::hard_silu) {
    const V<T> inside = d * fma(x, set(T(1) / T(3)), set(T(0.5)));
    return select(less(x, set(T(3))), select(less(set(T(-3)), x), inside, none), d);
  } else if constexpr (f == F::clip) {
    return select(less(p.a, x) & less(x, p.b), d, none);
  } else if constexpr (f == F::clamp) {
    return select(at_most<T>(p.a, x) & at_most<T>(x, p.b), d, none);
  } else if constexpr (f == F::hard_shrink || f == F::soft_shrink) {
    return select(at_most<T>(magnitude<T>(x), p.a), none, d);
  } else if constexpr (f == F::tanh_shrink) {
    const V<T> t = tanh(x);
    return d * (t * t);
  } else if constexpr (f == F::threshold) {
    return select(at_most<T>(x, p.a), none, d);
  } else if constexpr (f == F::squareplus) {
    return d * (value<f, T>(x, p) / sqrt(fma(x, x, p.a)));
  } else {
    static_assert(f == F::sparse_plus);
    return select(less(x, one), d * (set(T(0.5)) * (max(-one, x) + one)), d);
  }
}

/// out[i] = f(x[i], dy[i]), 64 values at a time with the body compiled once: the ragged end goes through a copy. All
/// 64 are computed before any is written; see map.
template <class T, class Body>
INLINE void transform(int64_t n, double work, const T* x, const T* dy, T* out, Body&& body) {
  constexpr int SIZE = 64;
  const bool past_caches = n * int64_t(sizeof(T)) >= STREAM_BYTES && reinterpret_cast<uintptr_t>(out) % 64 == 0;
  each_part(n, work, [&](int64_t begin, int64_t count) INLINE_LAMBDA {
    alignas(64) T spare_x[SIZE] = {}, spare_dy[SIZE] = {}, spare_out[SIZE];
    for (int64_t i = 0; i < count; i += SIZE) {
      const int64_t rest = count - i;
      const T *from = x + begin + i, *from_dy = dy + begin + i;
      T* to = out + begin + i;
      if (rest < SIZE) {
        for (int64_t k = 0; k < rest; ++k) {
          spare_x[k] = from[k];
          spare_dy[k] = from_dy[k];
        }
        from = spare_x;
        from_dy = spare_dy;
        to = spare_out;
      }
      alignas(64) T values[SIZE];
#pragma GCC unroll 1
      for (int k = 0; k < SIZE; k += lanes<T>) store(values + k, body(load(from + k), load(from_dy + k)));
      if (past_caches && rest >= SIZE)
        for (int k = 0; k < SIZE; k += lanes<T>) stream(to + k, load(values + k));
      else
        for (int k = 0; k < SIZE; k += lanes<T>) store(to + k, load(values + k));
      if (rest < SIZE)
        for (int64_t k = 0; k < rest; ++k) out[begin + i + k] = spare_out[k];
    }
    if (past_caches) stream_fence();
  });
}

/// f(Int<number>{}) for the function asked for.
template <class Body>
INLINE void with_function(F f, Body&& body) {
  with_constant<ACTIVATION_FUNCTIONS>(int(f) + 1, [&](auto i) INLINE_LAMBDA { body(Int<i - 1>{}); });
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void activation_function_forward(ActivationFunction f, int64_t n, const T* x, T* y, ActivationParameters<T> given) {
  const Parameters<T> p{set(given.a), set(given.b), set(given.c)};
  with_function(f, [&](auto number) INLINE_LAMBDA {
    constexpr auto which = ActivationFunction(int(number));
    transform(n, 0.6, x, x, y, [&](V<T> v, V<T>) INLINE_LAMBDA { return value<which, T>(v, p); });
  });
}

template <class Target, class T>
void activation_function_backward(ActivationFunction f, int64_t n, const T* x, const T* dy, T* dx,
                                  ActivationParameters<T> given) {
  const Parameters<T> p{set(given.a), set(given.b), set(given.c)};
  with_function(f, [&](auto number) INLINE_LAMBDA {
    constexpr auto which = ActivationFunction(int(number));
    transform(n, 0.8, x, dy, dx, [&](V<T> v, V<T> d) INLINE_LAMBDA { return gradient<which, T>(v, d, p); });
  });
}

template void activation_function_forward<Target>(ActivationFunction, int64_t, const float*, float*,
                                                  ActivationParameters<float>);
DOUBLE template void activation_function_forward<Target>(ActivationFunction, int64_t, const double*, double*,
                                                         ActivationParameters<double>);
template void activation_function_backward<Target>(ActivationFunction, int64_t, const float*, const float*, float*,
                                                   ActivationParameters<float>);
DOUBLE template void activation_function_backward<Target>(ActivationFunction, int64_t, const double*, const double*,
                                                          double*, ActivationParameters<double>);

}  // namespace lamina
