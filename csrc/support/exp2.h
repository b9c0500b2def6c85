// 2^x for what attention's softmax needs of it, over V<T> (see support/math.h), and the constants of its base.
#pragma once
#include "support/math.h"

namespace lamina::LAMINA_ISA {

template <class T>
constexpr T LOG2_E = T(0x1.71547652b82fep+0);
template <class T>
constexpr T LN_2 = T(0x1.62e42fefa39efp-1);
template <class T>
constexpr T INFINITE = Elementary<T>::INFINITE;

constexpr float EXP2_FLOAT[] = {0x1.5bba14p-10f, 0x1.3cea88p-7f, 0x1.c6b752p-5f, 0x1.ebf9bcp-3f, 0x1.62e42ap-1f, 1.f};

/// 2^x for x <= 0: exactly 1 at 0, 0 where 2^x is below the normal range. The rounding constant carries the exponent's
/// bias, so that its low bits, shifted, are the factor 2^n.
template <class T>
struct SplitPower {
  V<T> f, scale;  // 2^x = 2^f * scale
};
template <class T>
INLINE SplitPower<T> split_power(V<T> x) {
  using E = Elementary<T>;
  const V<T> round = set(E::MAGIC + T(E::BIAS));
  x = max(set(-T(E::BIAS)), x);  // NaN stays
  const V<T> shifted = x + round;
  return {x - (shifted - round), from_bits(bits(shifted) << E::MANTISSA)};
}
INLINE V<float> exp2_below(V<float> x) {
  const auto [f, scale] = split_power<float>(x);
  return polynomial<EXP2_FLOAT, float>(f) * scale;
}
INLINE V<double> exp2_below(V<double> x) {
  const auto [f, scale] = split_power<double>(x);
  const V<double> r = f * set(LN_2<double>);
  return (fma(r * r, polynomial<Elementary<double>::EXP, double>(r), r) + set(1.0)) * scale;
}

}  // namespace lamina::LAMINA_ISA
