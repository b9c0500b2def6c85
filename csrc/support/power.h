// Powers in double precision with double-word logarithms, and logarithms to other bases: the same bits on every
// instruction set. See support/math.h.
//
// Reference: Dekker 1971, "A floating-point technique for extending the available precision".
#pragma once
#include "support/math.h"

namespace lamina::LAMINA_ISA {

/// high + low, not rounded to one number: some 100 bits.
struct DoubleWord {
  V<double> high, low;
};
/// a + b for |a| >= |b|, exact.
INLINE DoubleWord quick_sum(V<double> a, V<double> b) {
  const V<double> s = a + b;
  return {s, b - (s - a)};
}
INLINE DoubleWord product_of(DoubleWord a, DoubleWord b) {
  const V<double> p = a.high * b.high;
  return quick_sum(p, fma(a.high, b.high, -p) + fma(a.high, b.low, a.low * b.high));
}

/// (log((1 + s) / (1 - s)) - 2 s - 2/3 s^3) / s^5 in z = s^2; see tools/fit_math.py
constexpr double LOG_TAIL[] = {0x1.e03a7acf07f85p-4, 0x1.df7ba1f4809c3p-4, 0x1.1118cd67251c5p-3, 0x1.3b1395b82701ep-3,
                               0x1.745d177ad436ap-3, 0x1.c71c71c6ea5acp-3, 0x1.2492492492522p-2, 0x1.999999999999ap-2};

/// log(a) as a double word, within 2^-64 of it, for a positive and finite.
INLINE DoubleWord log_of_two_words(V<double> a) {
  constexpr double LN2 = 0x1.62e42fefa3800p-1, LN2_REST = 0x1.ef35793c76730p-45;  // k LN2 is exact
  const PowerOfTwo<double> x = split_power_of_two<double>(a);
  const V<double> u = x.f + set(2.0), u_low = x.f - (u - set(2.0)), s = x.f / u;
  const V<double> s_low = fnma(s, u_low, fnma(s, u, x.f)) / u;
  const DoubleWord sine{s, s_low}, z = product_of(sine, sine);
  const DoubleWord third = quick_sum(set(0x1.5555555555555p-1), z.high * polynomial<LOG_TAIL, double>(z.high));
  const DoubleWord cube = product_of(sine, z);
  const DoubleWord rest = product_of(cube, {third.high, third.low + set(0x1.5555555555555p-55)});
  // k ln 2 + 2 s + rest, largest first: |k ln 2| >= 0.69 unless k is 0, |2 s| <= 0.35
  const DoubleWord first = quick_sum(x.k * set(LN2), s + s), second = quick_sum(first.high, rest.high);
  const V<double> low = fma(x.k, set(LN2_REST), first.low + second.low) + ((s_low + s_low) + rest.low);
  return quick_sum(second.high, low);
}

/// The sign and the special values of a^b, given |a|^b for ordinary numbers; IEEE 754's pow.
INLINE V<double> finish_power(V<double> a, V<double> b, V<double> y) {
  constexpr double INFINITE = Elementary<double>::INFINITE;
  const V<double> none = zero<double>(), one = set(1.0), absolute = magnitude<double>(a), size = magnitude<double>(b);
  const Mask<double> usual = less(none, a) & less(a, set(INFINITE)) & less(size, set(INFINITE));
  if (!any(equal(select(usual, none, one), one))) return y;  // nearly always; all that follows costs as much as y
  // of |a| = 0 or infinite, or b infinite: 0, 1 or infinity
  const Mask<double> below = less(absolute, one), up = less(none, b);
  const V<double> grows = select(up, set(INFINITE), none), shrinks = select(up, none, set(INFINITE));
  const V<double> extreme = select(equal(absolute, one), one, select(below, shrinks, grows));
  const Mask<double> special =
      equal(absolute, none) | equal(absolute, set(INFINITE)) | equal(size, set(INFINITE)) | equal(absolute, one);
  V<double> result = select(special, extreme, y);
  const V<double> half = b * set(0.5);
  const Mask<double> whole = equal(nearest(b), b), even = equal(nearest(half), half);
  const Mask<double> negative = less(with_sign<double>(one, a), none);
  const V<double> signed_result = select(even, result, -result);
  const V<double> broken = select(less(a, none) & less(absolute, set(INFINITE)), set(Elementary<double>::NOT_A_NUMBER),
                                  result);  // a negative number to no whole power; -0 and -infinity are fine
  result = select(negative, select(whole, signed_result, broken), result);
  result = select(unordered(a, b), a + b, result);
  return select(equal(b, none) | equal(a, one), one, result);
}

/// a^b, at most 2 ULP.
INLINE V<double> power_of(V<double> a, V<double> b) {
  constexpr double INFINITE = Elementary<double>::INFINITE;
  const DoubleWord l = log_of_two_words(magnitude<double>(a));
  const V<double> exponent = b * l.high;
  const V<double> low = fma(b, l.high, -exponent) + b * l.low;
  const Mask<double> ordinary = less(magnitude<double>(exponent), set(800.0));
  const V<double> e = exp(exponent);
  const V<double> y = select(ordinary & less(e, set(INFINITE)), fma(e, low, e), e);
  return finish_power(a, b, y);
}
/// The same for numbers that are floats, good to float's precision and some 20 bits more.
INLINE V<double> power_of_floats(V<double> a, V<double> b) {
  return finish_power(a, b, exp(b * log(magnitude<double>(a))));
}

/// A number in two words.
struct TwoWords {
  double high, low;
};
/// k `of_two` + log(1 + f) `scale` for x = 2^k (1 + f).
template <class T>
INLINE V<T> log_to_base(V<T> x, TwoWords of_two, TwoWords scale) {
  using E = Elementary<T>;
  const Mask<T> ordinary = less(zero<T>(), x) & less(x, set(E::INFINITE));
  const PowerOfTwo<T> split = split_power_of_two<T>(select(ordinary, x, set(T(1))));
  const V<T> f = split.f, k = split.k;
  const V<T> s = f / (f + set(T(2))), z = s * s, half = f * f * set(T(0.5));  // as log does
  const V<T> l = f - (half - s * (half + z * polynomial<E::LOG, T>(z)));
  const V<T> rest = fma(l, set(T(scale.high)), fma(l, set(T(scale.low)), k * set(T(of_two.low))));
  const V<T> y = fma(k, set(T(of_two.high)), rest);
  const V<T> below = select(less(x, zero<T>()), set(E::NOT_A_NUMBER), x);
  return select(ordinary, y, select(equal(x, zero<T>()), set(-E::INFINITE), below));
}
INLINE V<double> log2_of(V<double> x) {
  return log_to_base<double>(x, {1, 0}, {0x1.71547652b82fep+0, 0x1.777d0ffda0d24p-56});
}
INLINE V<float> log2_of(V<float> x) { return log_to_base<float>(x, {1, 0}, {0x1.715476p+0, 0x1.4ae0cp-26}); }
INLINE V<double> log10_of(V<double> x) {
  return log_to_base<double>(x, {0x1.34413509f79ffp-2, -0x1.9dc1da994fd21p-59},
                             {0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57});
}
INLINE V<float> log10_of(V<float> x) {
  return log_to_base<float>(x, {0x1.344136p-2, -0x1.ec10cp-27}, {0x1.bcb7b2p-2, -0x1.5b235ep-27});
}

/// sqrt(a^2 + b^2) without an overflow before its time.
INLINE V<double> hypotenuse(V<double> a, V<double> b) {
  const V<double> absolute = magnitude<double>(a), other = magnitude<double>(b);
  const V<double> most = max(absolute, other);
  const Mask<double> large = less(set(0x1p500), most), tiny = less(most, set(0x1p-500));
  const V<double> scale = select(large, set(0x1p-600), select(tiny, set(0x1p600), set(1.0)));
  const V<double> back = select(large, set(0x1p600), select(tiny, set(0x1p-600), set(1.0)));
  const V<double> x = most * scale, y = min(absolute, other) * scale;
  const V<double> result = select(unordered(a, b), a + b, sqrt(fma(y, y, x * x)) * back);
  const V<double> infinite = set(Elementary<double>::INFINITE);
  return select(equal(absolute, infinite) | equal(other, infinite), infinite, result);
}

/// log(e^a + e^b), max(a, b) + log(1 + e^-|a - b|): at most 4 ULP, but near 0 (a = b = -log(2), say), where the two
/// terms cancel: there 4 ULP of the terms.
INLINE V<double> log_add_exp(V<double> a, V<double> b) {
  const V<double> most = max(a, b), least = min(a, b);
  const V<double> y = most + log1p(exp(least - most));
  const V<double> same = select(equal(a, b), a + set(Elementary<double>::LN2_HIGH), y);  // infinities too
  return select(unordered(a, b), a + b, same);
}

}  // namespace lamina::LAMINA_ISA
