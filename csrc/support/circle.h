// Points of the circle from fractions of a turn, over V<T> (see support/math.h).
#pragma once
#include "support/math.h"

namespace lamina::LAMINA_ISA {

/// cos and sin of 2 pi v.
template <class T>
struct Circle {
  V<T> cos, sin;
};
template <class T>
INLINE Circle<T> circle(V<T> v) {
  using E = Elementary<T>;
  const V<T> quarters = v * set(T(4)), q = nearest(quarters), f = quarters - q, z = f * f;
  const V<T> s = f * polynomial<E::SIN, T>(z), c = fma(z, polynomial<E::COS, T>(z), set(T(1)));
  const Mask<T> one = equal(q, set(T(1))), two = equal(q, set(T(2))), three = equal(q, set(T(3)));
  const V<T> x = select(one | three, s, c), y = select(one | three, c, s);
  return {select(one | two, -x, x), select(two | three, -y, y)};
}

}  // namespace lamina::LAMINA_ISA
