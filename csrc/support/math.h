// Elementary functions from multiply-adds alone: the same bits on every instruction set, at most 4 ULP.
//
// Written once over V<T>, the value type of whoever includes this: vectors on the CPU (include cpu/support/simd.h
// first), one number on a GPU (cuda/support/lane.cuh). What is asked of V<T>: + - * / and unary -, set, fma, fnma, min,
// max (the second operand wins on NaN), less, equal, select, and its bits as integers I<T> (+ - & | ^ << >>). The
// polynomials come from tools/fit_math.py.
//
// Special values: exp(0) = 1, log(1) = 0, tanh(+-0) = +-0 and the like are exact; NaN stays NaN; results below the
// smallest normal number are denormal, rounded once more at most.
// Reference: the reductions are the classic ones (Cody & Waite 1980; Tang 1990; fdlibm's logarithm).
#pragma once
#include <cstdint>

#ifndef INLINE
#error "include cpu/support/simd.h before support/math.h"
#endif
#ifndef CALLED
#define CALLED INLINE
#endif

namespace lamina::LAMINA_ISA {

template <class T>
struct Elementary;

template <>
struct Elementary<float> {
  using Int = int32_t;
  static constexpr int MANTISSA = 23, BIAS = 127;
  static constexpr float INFINITE = __builtin_inff(), NOT_A_NUMBER = __builtin_nanf("");
  static constexpr float SMALLEST_NORMAL = 0x1p-126f, LIFT = 0x1p23f;
  static constexpr float MAGIC = 0x1.8p23f;  // x + MAGIC holds round(x) in its lowest bits
  static constexpr float LOG2_E = 0x1.715476p+0f, LN2_HIGH = 0x1.62e43p-1f, LN2_LOW = -0x1.05c61p-29f;
  static constexpr float EXP_LOW = -104, EXP_HIGH = 89;  // e^x is 0 below, infinite above
  static constexpr float EXPM1_LOW = -18;                // e^x - 1 is -1 below
  static constexpr float TANH_ONE = 9.1f, ERF_ONE = 4;   // 1 from here on
  static constexpr float EXP[] = {0x1.6d117cp-10f, 0x1.120be2p-7f, 0x1.555518p-5f, 0x1.5554dcp-3f, 0x1p-1f};
  static constexpr float LOG[] = {0x1.ddd4dap-3f, 0x1.245c28p-2f, 0x1.9999ecp-2f, 0x1.555556p-1f};
  static constexpr float ERF[] = {-0x1.280038p-11f, 0x1.4284c8p-8f, -0x1.b5b15cp-6f,
                                  0x1.ce0a9p-4f,    -0x1.81268p-2f, 0x1.06eba2p-3f};
  static constexpr float ERFC[] = {-0x1.95d3acp-12f, 0x1.88180ep-8f, -0x1.4ef3p-5f,   0x1.4f892cp-3f,
                                   -0x1.b98fdcp-2f,  0x1.9596fap-1f, -0x1.0c49a6p+0f, 0x1.f8dfe8p-1f};
  static constexpr float SIN[] = {-0x1.2d9b4p-8f, 0x1.465ec4p-4f, -0x1.4abbbap-1f, 0x1.921fb6p+0f};
  static constexpr float COS[] = {0x1.db6492p-11f, -0x1.55cb98p-6f, 0x1.03c1eap-2f, -0x1.3bd3ccp+0f};
};

template <>
struct Elementary<double> {
  using Int = int64_t;
  static constexpr int MANTISSA = 52, BIAS = 1023;
  static constexpr double INFINITE = __builtin_inf(), NOT_A_NUMBER = __builtin_nan("");
  static constexpr double SMALLEST_NORMAL = 0x1p-1022, LIFT = 0x1p52;
  static constexpr double MAGIC = 0x1.8p52;
  static constexpr double LOG2_E = 0x1.71547652b82fep+0, LN2_HIGH = 0x1.62e42fefa39efp-1,
                          LN2_LOW = 0x1.abc9e3b39803fp-56;
  static constexpr double EXP_LOW = -746, EXP_HIGH = 710;
  static constexpr double EXPM1_LOW = -38;
  static constexpr double TANH_ONE = 19.1, ERF_ONE = 6;
  static constexpr double EXP[] = {
      0x1.af390ba7e6f47p-26, 0x1.2891d4ffbb0f9p-22, 0x1.71de0d85293b8p-19, 0x1.a019b8ca26fcfp-16, 0x1.a01a01a7cebcdp-13,
      0x1.6c16c1789d1d7p-10, 0x1.11111111109a6p-7,  0x1.5555555553d37p-5,  0x1.5555555555556p-3,  0x1.0000000000001p-1};
  static constexpr double LOG[] = {0x1.2b5f68a50d903p-3, 0x1.39fdcceb4bb45p-3, 0x1.7462b91b8df65p-3,
                                   0x1.c71c62d5e53e0p-3, 0x1.2492492dfd86cp-2, 0x1.9999999995273p-2,
                                   0x1.5555555555558p-1};
  static constexpr double ERF[] = {-0x1.ac641bc040b16p-31, 0x1.d75aba73d5ca8p-27,  -0x1.5c10c8957465dp-23,
                                   0x1.b981799c363d2p-20,  -0x1.f4ca7a42278fdp-17, 0x1.f9a2bdb8fcb67p-14,
                                   -0x1.c02db0604590bp-11, 0x1.565bccfa1cce7p-8,   -0x1.b82ce31202513p-6,
                                   0x1.ce2f21a040f20p-4,   -0x1.812746b0379c0p-2,  0x1.06eba8214db68p-3};
  static constexpr double ERFC[] = {0x1.4a527ec7e27a3p-40,  -0x1.140db63a5948cp-34, 0x1.b4c902987e9f5p-30,
                                    -0x1.b3b5eda773e16p-26, 0x1.34044af8c6fb8p-22,  -0x1.490435f0c8809p-19,
                                    0x1.148d407e7897dp-16,  -0x1.78798e8792ec5p-14, 0x1.a83efdd7d9477p-12,
                                    -0x1.930b501d2d8f7p-10, 0x1.481d051c27b1ap-8,   -0x1.d0e078e081e9fp-7,
                                    0x1.22d19058295c5p-5,   -0x1.45ab70b33f2cdp-4,  0x1.49edeeb63aa5fp-3,
                                    -0x1.302a58e0fe51cp-2,  0x1.fdd8f88441984p-2,   -0x1.80b666262719fp-1,
                                    0x1.ffdf4c761f141p-1,   -0x1.20da79a5c2bd1p+0,  0x1.ffff7c5645119p-1};
  static constexpr double SIN[] = {-0x1.6c5b875d4e739p-31, 0x1.e8eed12ee00a3p-25, -0x1.e3074b4ff3058p-19,
                                   0x1.50783485cbd83p-13,  -0x1.32d2cce62ac22p-8, 0x1.466bc6775aad9p-4,
                                   -0x1.4abbce625be53p-1,  0x1.921fb54442d18p+0};
  static constexpr double COS[] = {0x1.1e745e5e09f6dp-34,  -0x1.b6de8b8e9ba08p-28, 0x1.f9d3870871194p-22,
                                   -0x1.a6d1f2a086c90p-16, 0x1.e1f506891ae95p-11,  -0x1.55d3c7e3cbff7p-6,
                                   0x1.03c1f081b5ac4p-2,   -0x1.3bd3cc9be45dep+0};
};

/// c[0] x^(N-1) + ... + c[N-1], by Horner's rule. The table is a template argument: code for a GPU may use the values
/// of the host's constants, not their addresses.
template <const auto& TABLE, class T>
INLINE V<T> polynomial(V<T> x) {
  constexpr T first = TABLE[0];
  V<T> y = set(first);
  unroll<int(sizeof TABLE / sizeof(T)) - 1>([&](auto i) INLINE_LAMBDA {
    constexpr T next = TABLE[i + 1];
    y = fma(y, x, set(next));
  });
  return y;
}
template <class T, int N>
INLINE V<T> polynomial(const T (&c)[N], V<T> x) {
  V<T> y = set(c[0]);
  unroll<N - 1>([&](auto i) INLINE_LAMBDA { y = fma(y, x, set(c[i + 1])); });
  return y;
}

template <class T>
INLINE V<T> magnitude(V<T> x) {
  using Int = typename Elementary<T>::Int;
  return from_bits(bits(x) & (Int(~(Int(1) << (sizeof(T) * 8 - 1)))));
}
/// magnitude (not negative) with the sign of `sign`.
template <class T>
INLINE V<T> with_sign(V<T> value, V<T> sign) {
  using Int = typename Elementary<T>::Int;
  return from_bits(bits(value) | (bits(sign) & (Int(Int(1) << (sizeof(T) * 8 - 1)))));
}

/// e^x = 2^n (1 + m): n sits in the lowest bits of shifted = MAGIC + n.
template <class T>
struct SplitExp {
  V<T> shifted, n, m;
};
template <class T>
INLINE SplitExp<T> split_exp(V<T> x) {
  using E = Elementary<T>;
  const V<T> shifted = fma(x, set(E::LOG2_E), set(E::MAGIC));
  const V<T> n = shifted - set(E::MAGIC);
  const V<T> r = fnma(n, set(E::LN2_LOW), fnma(n, set(E::LN2_HIGH), x));
  return {shifted, n, fma(r * r, polynomial<E::EXP, T>(r), r)};
}

/// Lane types have no template to deduce T from, so each function comes with its two overloads.
template <class T>
INLINE V<T> exp_of(V<T> x) {
  using E = Elementary<T>;
  const auto [shifted, n, m] = split_exp<T>(min(set(E::EXP_HIGH), max(set(E::EXP_LOW), x)));
#ifdef LAMINA_SCALES
  return scaled_by_power(m + set(T(1)), n);
#else
  // 2^n may leave the normal range where e^x does not: two factors, and one rounding (the second product's).
  const V<T> half = fma(n, set(T(0.5)), set(E::MAGIC));
  const V<T> scale = from_bits((bits(half) + E::BIAS) << E::MANTISSA);
  const V<T> rest = from_bits((bits(shifted) - bits(half) + E::BIAS) << E::MANTISSA);
  return (m + set(T(1))) * scale * rest;
#endif
}
CALLED V<float> exp(V<float> x) { return exp_of<float>(x); }
CALLED V<double> exp(V<double> x) { return exp_of<double>(x); }

/// e^x - 1, exact near 0 too.
template <class T>
INLINE V<T> expm1_of(V<T> x) {
  using E = Elementary<T>;
  const auto [shifted, n, m] = split_exp<T>(min(set(E::EXP_HIGH), max(set(E::EXPM1_LOW), x)));
  const V<T> scale = from_bits((bits(shifted) + (E::BIAS - 1)) << E::MANTISSA);  // half of 2^n: never infinite
  const V<T> half = fma(scale, m, scale - set(T(0.5)));
  return half + half;
}
CALLED V<float> expm1(V<float> x) { return expm1_of<float>(x); }
CALLED V<double> expm1(V<double> x) { return expm1_of<double>(x); }

/// a = 2^k (1 + f) with 1 + f from sqrt(1/2) to sqrt(2), for a positive and finite; denormals are lifted.
template <class T>
struct PowerOfTwo {
  V<T> k, f;
};
template <class T>
INLINE PowerOfTwo<T> split_power_of_two(V<T> a) {
  using E = Elementary<T>;
  using Int = typename E::Int;
  constexpr Int SQRT_HALF = sizeof(T) == 4 ? Int(0x3f3504f3) : Int(0x3fe6a09e667f3bcd);
  constexpr Int ONE = Int(E::BIAS) << E::MANTISSA, FRACTION = (Int(1) << E::MANTISSA) - 1;
  constexpr Int MAGIC_BITS = (Int(E::BIAS + E::MANTISSA) << E::MANTISSA) | (Int(1) << (E::MANTISSA - 1));
  const Mask<T> tiny = less(a, set(E::SMALLEST_NORMAL));
  const V<T> lifted = select(tiny, a * set(E::LIFT), a);
  const I<T> u = bits(min(lifted, set(E::INFINITE))) + (ONE - SQRT_HALF);  // NaN's bits would overflow
  const V<T> biased = from_bits((u >> E::MANTISSA) + MAGIC_BITS);
  const V<T> k = biased - select(tiny, set(E::MAGIC + T(E::BIAS + E::MANTISSA)), set(E::MAGIC + T(E::BIAS)));
  return {k, from_bits((u & FRACTION) + SQRT_HALF) - set(T(1))};
}

/// The natural logarithm; -infinity at +-0, NaN below.
template <class T>
INLINE V<T> log_of(V<T> x) {
  using E = Elementary<T>;
  const auto [k, f] = split_power_of_two<T>(x);
  // log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)), s = f / (2 + f)
  const V<T> s = f / (f + set(T(2))), z = s * s, half = f * f * set(T(0.5));
  const V<T> r = z * polynomial<E::LOG, T>(z);
  const V<T> y = fma(k, set(E::LN2_HIGH), f - (half - fma(s, half + r, k * set(E::LN2_LOW))));
  const V<T> finite = select(less(x, set(E::INFINITE)), y, x);
  const V<T> positive = select(less(x, zero<T>()), set(E::NOT_A_NUMBER), finite);
  return select(equal(x, zero<T>()), set(-E::INFINITE), positive);
}
CALLED V<float> log(V<float> x) { return log_of<float>(x); }
CALLED V<double> log(V<double> x) { return log_of<double>(x); }

/// log(1 + x), exact near 0 too; -infinity at -1, NaN below.
template <class T>
INLINE V<T> log1p_of(V<T> x) {
  using E = Elementary<T>;
  const V<T> u = x + set(T(1));
  const V<T> y = log_of<T>(u);
  const V<T> corrected = y + (x - (u - set(T(1)))) / u;  // what rounding took from u
  return select(less(zero<T>(), u) & less(u, set(E::INFINITE)), select(equal(x, zero<T>()), x, corrected), y);
}
CALLED V<float> log1p(V<float> x) { return log1p_of<float>(x); }
CALLED V<double> log1p(V<double> x) { return log1p_of<double>(x); }

/// 1 / (1 + e^-x), by the exponential that cannot overflow.
template <class T>
INLINE V<T> sigmoid_of(V<T> x) {
  const V<T> e = exp_of<T>(-magnitude<T>(x));
  return select(less(x, zero<T>()), e, set(T(1))) / (e + set(T(1)));
}
CALLED V<float> sigmoid(V<float> x) { return sigmoid_of<float>(x); }
CALLED V<double> sigmoid(V<double> x) { return sigmoid_of<double>(x); }

/// m / (m + 2) with m = e^(2|x|) - 1, which never cancels.
template <class T>
INLINE V<T> tanh_of(V<T> x) {
  const V<T> a = min(set(Elementary<T>::TANH_ONE), magnitude<T>(x));
  const V<T> m = expm1_of<T>(a + a);
  return with_sign<T>(m / (m + set(T(2))), x);
}
CALLED V<float> tanh(V<float> x) { return tanh_of<float>(x); }
CALLED V<double> tanh(V<double> x) { return tanh_of<double>(x); }

/// 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.
template <class T>
INLINE V<T> erf_of(V<T> x) {
  using E = Elementary<T>;
  const V<T> a = min(set(E::ERF_ONE), magnitude<T>(x)), z = a * a;
  const V<T> small = fma(a, polynomial<E::ERF, T>(z), a);
  const V<T> large = fnma(exp_of<T>(-z), polynomial<E::ERFC, T>(a), set(T(1)));
  return with_sign<T>(select(less(a, set(T(1))), small, large), x);
}
CALLED V<float> erf(V<float> x) { return erf_of<float>(x); }
CALLED V<double> erf(V<double> x) { return erf_of<double>(x); }

}  // namespace lamina::LAMINA_ISA
