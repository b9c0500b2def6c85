// sin, cos, tan, sinh and cosh of floats in float arithmetic, twice as many lanes as in double precision: the same bits
// on every instruction set, at most 4 ULP over the whole range of floats.
//
// Angles from 1e5 on, which are rare, go through double precision (support/trigonometry.h).
// Reference: Cody & Waite 1980. The polynomials come from tools/fit_math.py.
#pragma once
#include "support/trigonometry.h"

namespace lamina::LAMINA_ISA {

constexpr float FLOAT_SINE[] = {-0x1.9abedap-13f, 0x1.110c14p-7f, -0x1.555552p-3f};
constexpr float FLOAT_COSINE[] = {0x1.9bcfecp-16f, -0x1.6c12c2p-10f, 0x1.555554p-5f};

/// f, a function of doubles, of the lanes of x.
template <class F>
INLINE V<float> by_doubles(V<float> x, F&& f) {
  alignas(64) float each[lanes<float>];
  alignas(64) double wide[lanes<float>];
  store(each, x);
  for (int i = 0; i < lanes<float>; ++i) wide[i] = double(each[i]);
  for (int i = 0; i < lanes<float>; i += lanes<double>) store(wide + i, f(load(wide + i)));
  for (int i = 0; i < lanes<float>; ++i) each[i] = float(wide[i]);
  return load(each);
}
OUT_OF_LINE V<float> sine_by_doubles(V<float> x, int64_t ahead) {
  return by_doubles(x, [&](V<double> v) INLINE_LAMBDA { return sine_of(v, ahead); });
}
OUT_OF_LINE V<float> tangent_by_doubles(V<float> x) {
  return by_doubles(x, [](V<double> v) INLINE_LAMBDA { return tangent(v); });
}

/// x = quarter pi / 2 + r with |r| just above pi / 4 at most, for |x| < 1e5: r to 1.5 ULP, as n times the first part
/// of pi / 2 taken from x is exact. Only the lowest two bits of quarter mean anything.
struct FloatAngle {
  V<float> sin, cos;  // of r
  I<float> quarter;
};
INLINE FloatAngle float_angle(V<float> x) {
  constexpr float MAGIC = Elementary<float>::MAGIC;
  const V<float> shifted = fma(x, set(0x1.45f306p-1f), set(MAGIC)), n = shifted - set(MAGIC);
  const V<float> most = fnma(n, set(-0x1.777a5cp-25f), fnma(n, set(0x1.921fb6p+0f), x));
  const V<float> r = select(equal(n, zero<float>()), x, fnma(n, set(-0x1.ee59dap-50f), most));  // -0 stays -0
  const V<float> z = r * r, half = z * set(0.5f), w = set(1.0f) - half;
  const V<float> sine = with_sign<float>(fma(r * z, polynomial<FLOAT_SINE, float>(z), r), r);
  const V<float> cosine = w + fma(z * z, polynomial<FLOAT_COSINE, float>(z), (set(1.0f) - w) - half);
  return {sine, cosine, bits(shifted)};
}
/// y, but f(x) in the lanes of large angles, infinities and NaN.
template <class F>
INLINE V<float> with_large_angles(V<float> x, V<float> y, F&& f) {
  const Mask<float> small = less(magnitude<float>(x), set(1e5f));
  const V<float> others = select(small, zero<float>(), set(1.0f));
  if (!any(less(zero<float>(), others))) return y;
  return select(small, y, f(x));
}

/// sin(x), or cos(x) where `ahead` is 1: a quarter turn ahead.
INLINE V<float> sine_of(V<float> x, int32_t ahead) {
  const FloatAngle a = float_angle(x);
  const I<float> q = a.quarter + ahead, none = q ^ q;
  const V<float> y = select(equal(q & 1, none), a.sin, a.cos);
  return with_large_angles(x, select(equal(q & 2, none), y, -y),
                           [&](V<float> v) INLINE_LAMBDA { return sine_by_doubles(v, ahead); });
}
INLINE V<float> tangent(V<float> x) {
  const FloatAngle a = float_angle(x);
  const I<float> odd = a.quarter & 1;
  const Mask<float> even = equal(odd, odd ^ odd);
  const V<float> y = select(even, a.sin, -a.cos) / select(even, a.cos, a.sin);
  return with_large_angles(x, y, [](V<float> v) INLINE_LAMBDA { return tangent_by_doubles(v); });
}

/// A quarter of e^a - less_what for 0 <= a, and of e^89.5 beyond, which neither overflows.
INLINE V<float> quarter_of_exp(V<float> a, float less_what) {
  using E = Elementary<float>;
  const auto [shifted, n, m] = split_exp<float>(min(set(89.5f), a));
  const V<float> scale = from_bits((bits(shifted) + (E::BIAS - 2)) << E::MANTISSA);
  return fma(scale, m, scale - set(0.25f * less_what));
}
/// With q = (e^|x| - 1) / 4: 2 (q + q / (4 q + 1)).
INLINE V<float> hyperbolic_sine(V<float> x) {
  const V<float> a = magnitude<float>(x), q = quarter_of_exp(a, 1), half = q + q / fma(set(4.0f), q, set(1.0f));
  const V<float> y = select(less(a, set(0x1p-13f)), a, half + half);
  return select(unordered(x, x), x, with_sign<float>(y, x));
}
/// With q = e^|x| / 4: 2 (q + 1 / (16 q)).
INLINE V<float> hyperbolic_cosine(V<float> x) {
  const V<float> q = quarter_of_exp(magnitude<float>(x), 0), half = q + set(0.0625f) / q;
  return select(unordered(x, x), x, half + half);
}

}  // namespace lamina::LAMINA_ISA
