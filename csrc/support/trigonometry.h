// sin, cos, tan, arctan2 and what is made of them, in double precision, from multiply-adds alone: the same bits on
// every instruction set, at most 4 ULP over the whole range of doubles.
//
// Written over V<double> (include cpu/support/simd.h first); floats are computed here too, and rounded once.
// Reference: the reductions are the classic ones (Cody & Waite 1980; Payne & Hanek 1983, "Radian reduction for
// trigonometric functions"; Dekker 1971 for sums of two numbers). The polynomials come from tools/fit_math.py.
#pragma once
#include "support/math.h"

namespace lamina::LAMINA_ISA {

constexpr double HALF_PI = 0x1.921fb54442d18p+0, HALF_PI_LOW = 0x1.1a62633145c07p-54,
                 HALF_PI_LOWEST = -0x1.f1976b7ed8fbcp-110, TWO_BY_PI = 0x1.45f306dc9c883p-1;
constexpr double SINE[] = {-0x1.ab17a79237a19p-41, 0x1.61217ec01749dp-33, -0x1.ae64541266378p-26, 0x1.71de3a54605eep-19,
                           -0x1.a01a01a019936p-13, 0x1.1111111111110p-7,  -0x1.5555555555555p-3};
constexpr double COSINE[] = {-0x1.907d7aebd5e3dp-37, 0x1.1eeb68b109173p-29,  -0x1.27e4fa17a41b4p-22,
                             0x1.a01a019f4e867p-16,  -0x1.6c16c16c16966p-10, 0x1.5555555555555p-5};
constexpr double ARCTANGENT[] = {-0x1.3a254249c2220p-6, 0x1.415dac51cd10bp-5,  -0x1.a097da67e4438p-5,
                                 0x1.dfe5f37f19c8bp-5,  -0x1.10fa72be60a88p-4, 0x1.3b1262ac559fcp-4,
                                 -0x1.745d0b24c84b9p-4, 0x1.c71c718525179p-4,  -0x1.2492492435f94p-3,
                                 0x1.9999999999349p-3,  -0x1.5555555555555p-2};

/// x = quarter pi / 2 + r with |r| <= pi / 4; only the lowest two bits of quarter mean anything.
struct Angle {
  V<double> r;
  I<double> quarter;
};

/// The same for one number of any size, from as many digits of 2 / pi as it takes. NaN for infinities.
OUT_OF_LINE double reduce_large_angle(double x, int64_t& quarter) {
  constexpr uint64_t TWO_BY_PI_BITS[] = {
      // after the point
      0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561, 0xb7246e3a424dd2e0,
      0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484, 0xe99c7026b45f7e41, 0x3991d639835339f4,
      0x9c845f8bbdf9283b, 0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d,
      0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab, 0xf0cfbc209af4361d};
  __extension__ typedef unsigned __int128 Wide;
  uint64_t u;
  __builtin_memcpy(&u, &x, sizeof u);
  const int biased = int(u >> 52 & 0x7ff);
  quarter = 0;
  if (biased == 0x7ff) return Elementary<double>::NOT_A_NUMBER;
  const uint64_t m = (u & 0xfffffffffffff) | 0x10000000000000;  // |x| = m 2^exponent
  const int exponent = biased - 1075;
  // |x| 2 / pi modulo 4 needs no digit whose product with m is a multiple of 4: 192 bits from `from` on do.
  const auto digits = [&](int from) {
    const int word = from >> 6, shift = from & 63;  // a negative position is before the point: zeros
    const uint64_t high = word >= 0 ? TWO_BY_PI_BITS[word] : 0, low = word >= -1 ? TWO_BY_PI_BITS[word + 1] : 0;
    return shift ? high << shift | low >> (64 - shift) : high;
  };
  const int from = exponent - 2;
  const Wide low = Wide(m) * digits(from + 128), middle = Wide(m) * digits(from + 64) + uint64_t(low >> 64);
  const uint64_t high = m * digits(from) + uint64_t(middle >> 64);
  Wide rest = (Wide(high) << 64 | uint64_t(middle)) << 2 | uint64_t(low) >> 62;  // of the quarter turn
  int64_t quarters = int64_t(high >> 62);
  const bool above = rest >> 127;  // nearer to the next one
  if (above) {
    rest = -rest;
    ++quarters;
  }
  int zeros = 0;
  if (uint64_t(rest >> 64) == 0) {
    rest <<= 64;
    zeros = 64;
  }
  const int more = leading_zeros(uint64_t(rest >> 64) | 1);
  rest <<= more;
  zeros += more;
  const uint64_t top = uint64_t(rest >> 64);
  const double turn = double(top >> 11), turn_low = double(top & 0x7ff) * 0x1p-11;  // in units of 2^(-53 - zeros)
  const double product = turn * HALF_PI;
  double r = product + (fused(turn, HALF_PI, -product) + fused(turn, HALF_PI_LOW, turn_low * HALF_PI));
  const uint64_t scale = uint64_t(1023 - 53 - zeros) << 52;
  double unit;
  __builtin_memcpy(&unit, &scale, sizeof unit);
  r *= unit;
  const bool negative = u >> 63;
  quarter = negative ? -quarters : quarters;
  return above != negative ? -r : r;
}

INLINE Angle reduce_angle(V<double> x) {
  constexpr double MAGIC = Elementary<double>::MAGIC, LARGE = 0x1p25;
  const V<double> shifted = fma(x, set(TWO_BY_PI), set(MAGIC)), n = shifted - set(MAGIC);
  const V<double> first_rest = fnma(n, set(HALF_PI), x);  // exact, as all that follows but for the last sum
  const V<double> p = n * set(HALF_PI_LOW), p_low = fma(n, set(HALF_PI_LOW), -p);
  const V<double> t = first_rest - p, back = t - first_rest;
  const V<double> t_low = (first_rest - (t - back)) - (p + back);
  const V<double> r = t + ((t_low - p_low) - n * set(HALF_PI_LOWEST));
  Angle a{select(equal(n, zero<double>()), x, r), bits(shifted)};
  const Mask<double> small = less(magnitude<double>(x), set(LARGE));
  const V<double> others = select(small, zero<double>(), set(1.0));
  if (any(less(zero<double>(), others))) {
    alignas(64) double each[lanes<double>], rest[lanes<double>];
    alignas(64) int64_t quarter[lanes<double>];
    store(each, x);
    store(rest, a.r);
    __builtin_memcpy(quarter, &a.quarter, sizeof quarter);
    for (int i = 0; i < lanes<double>; ++i)
      if (!(each[i] < LARGE && each[i] > -LARGE)) rest[i] = reduce_large_angle(each[i], quarter[i]);
    a.r = load(rest);
    __builtin_memcpy(&a.quarter, quarter, sizeof quarter);
  }
  return a;
}

/// sin and cos of |r| <= pi / 4.
struct SineAndCosine {
  V<double> sin, cos;
};
INLINE SineAndCosine sine_and_cosine(V<double> r) {
  const V<double> z = r * r, half = z * set(0.5), w = set(1.0) - half;
  const V<double> sine = with_sign<double>(fma(r * z, polynomial<SINE, double>(z), r), r);  // of -0, too
  const V<double> cosine = w + fma(z * z, polynomial<COSINE, double>(z), (set(1.0) - w) - half);
  return {sine, cosine};
}

/// sin(x), or cos(x) where `ahead` is 1: a quarter turn ahead.
INLINE V<double> sine_of(V<double> x, int64_t ahead) {
  const Angle a = reduce_angle(x);
  const SineAndCosine c = sine_and_cosine(a.r);
  const I<double> q = a.quarter + ahead, none = q ^ q;
  const V<double> y = select(equal(q & 1, none), c.sin, c.cos);
  return select(equal(q & 2, none), y, -y);
}
INLINE V<double> tangent(V<double> x) {
  const Angle a = reduce_angle(x);
  const SineAndCosine c = sine_and_cosine(a.r);
  const I<double> odd = a.quarter & 1;
  const Mask<double> even = equal(odd, odd ^ odd);
  return select(even, c.sin, -c.cos) / select(even, c.cos, c.sin);
}

/// The angle of the point (x, y), from -pi to pi; that of (+-0, +-0) and of two infinities as IEEE 754 says.
INLINE V<double> arctangent_of(V<double> y, V<double> x) {
  const Mask<double> unknown = unordered(y, x);
  V<double> a = magnitude<double>(y), b = magnitude<double>(x);
  const V<double> most = max(a, b);
  const Mask<double> both = less(set(0x1.fffffffffffffp+1023), min(a, b));
  const V<double> scale =
      select(less(set(0x1p1000), most), set(0x1p-60), select(less(most, set(0x1p-900)), set(0x1p120), set(1.0)));
  a = select(both, set(1.0), a * scale);
  b = select(both, set(1.0), b * scale);
  // From tan(pi/8) to tan(3 pi/8) the angle is taken from pi/4, beyond that from pi/2.
  const Mask<double> beyond = less(b * set(0x1.3504f333f9de6p+1), a), between = less(b * set(0x1.a827999fcef32p-2), a);
  const V<double> numerator = select(beyond, -b, select(between, a - b, a));
  const V<double> denominator = select(beyond, a, select(between, a + b, b));
  const V<double> start = select(beyond, set(HALF_PI), select(between, set(HALF_PI * 0.5), zero<double>()));
  const V<double> start_low = select(beyond, set(HALF_PI_LOW), select(between, set(HALF_PI_LOW * 0.5), zero<double>()));
  const V<double> t = select(equal(numerator, zero<double>()), zero<double>(), numerator / denominator), z = t * t;
  const V<double> angle = start + fma(t * z, polynomial<ARCTANGENT, double>(z), start_low + t);
  const Mask<double> left = less(with_sign<double>(set(1.0), x), zero<double>());
  const V<double> turned = select(left, set(2 * HALF_PI) - (angle - set(2 * HALF_PI_LOW)), angle);
  return select(unknown, y + x, with_sign<double>(turned, y));
}
INLINE V<double> arctangent(V<double> x) { return arctangent_of(x, set(1.0)); }
/// sqrt(1 - x^2), exact near +-1 too.
INLINE V<double> opposite(V<double> x) { return sqrt((set(1.0) - x) * (set(1.0) + x)); }
INLINE V<double> arcsine(V<double> x) { return arctangent_of(x, opposite(x)); }
INLINE V<double> arccosine(V<double> x) { return arctangent_of(opposite(x), x); }

/// e^|x| / 2 + sign e^-|x| / 2, without an overflow before its time.
INLINE V<double> hyperbolic_sine(V<double> x) {
  const V<double> a = magnitude<double>(x), m = expm1(min(a, set(700.0))), e = exp(a * set(0.5));
  const V<double> small = (m + m / (m + set(1.0))) * set(0.5);
  const V<double> y = select(less(a, set(22.0)), small, (e * set(0.5)) * e);
  return select(unordered(x, x), x, with_sign<double>(y, x));
}
INLINE V<double> hyperbolic_cosine(V<double> x) {
  const V<double> a = magnitude<double>(x), e = exp(min(a, set(700.0))), half = exp(a * set(0.5));
  const V<double> small = fma(e, set(0.5), set(0.5) / e);
  return select(unordered(x, x), x, select(less(a, set(22.0)), small, (half * set(0.5)) * half));
}
INLINE V<double> inverse_hyperbolic_sine(V<double> x) {
  const V<double> a = magnitude<double>(x), square = a * a;
  const V<double> small = log1p(a + square / (sqrt(square + set(1.0)) + set(1.0)));
  const V<double> y = select(less(a, set(0x1p28)), small, log(a) + set(Elementary<double>::LN2_HIGH));
  return select(unordered(x, x), x, with_sign<double>(y, x));
}
INLINE V<double> inverse_hyperbolic_cosine(V<double> x) {
  const V<double> t = x - set(1.0), small = log1p(t + sqrt(t * (t + set(2.0))));
  const V<double> y = select(less(x, set(0x1p28)), small, log(x) + set(Elementary<double>::LN2_HIGH));
  return select(less(x, set(1.0)), set(Elementary<double>::NOT_A_NUMBER), y);
}
INLINE V<double> inverse_hyperbolic_tangent(V<double> x) {
  const V<double> a = magnitude<double>(x), y = log1p((a + a) / (set(1.0) - a)) * set(0.5);
  return select(unordered(y, y), set(Elementary<double>::NOT_A_NUMBER), with_sign<double>(y, x));
}

}  // namespace lamina::LAMINA_ISA
