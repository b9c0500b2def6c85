#include "ops/arithmetic.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/elementwise.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr double WORK = 0.3;  // nanoseconds an element

/// One row: y[i] = f(a[i * A], b[i * B]); A and B are 0 or 1.
template <int A, int B, class T, class F>
INLINE void row(int64_t n, F&& f, const T* a, const T* b, T* y) {
  each_vector<T>(n, [&](int64_t i, auto mask) INLINE_LAMBDA {
    V<T> left, right;
    if constexpr (A) left = load(a + i, mask);
    if constexpr (!A) left = set(*a);
    if constexpr (B) right = load(b + i, mask);
    if constexpr (!B) right = set(*b);
    store(y + i, f(left, right), mask);
  });
}

/// Row after row of the last axis; a part may begin and end inside one.
template <int A, int B, class T, class F>
INLINE void rows(const Broadcast& s, F&& f, const T* a, const T* b, T* y) {
  const int last = s.axes - 1;
  const int64_t n = s.size[last];
  each_part(s.elements, WORK, [&](int64_t first, int64_t count) INLINE_LAMBDA {
    int64_t at[Broadcast::MOST], a_offset = 0, b_offset = 0;
    int64_t rest = first / n, inside = first % n;
    for (int i = last - 1; i >= 0; --i) {
      at[i] = rest % s.size[i];
      rest /= s.size[i];
      a_offset += at[i] * s.a_stride[i];
      b_offset += at[i] * s.b_stride[i];
    }
    for (T *to = y + first, *end = to + count; to < end;) {
      const int64_t step = min_of(n - inside, end - to);
      row<A, B>(step, f, a + a_offset + inside * A, b + b_offset + inside * B, to);
      to += step;
      inside = 0;
      for (int i = last - 1; i >= 0; --i) {  // on to the next row
        a_offset += s.a_stride[i];
        b_offset += s.b_stride[i];
        if (++at[i] < s.size[i]) break;
        at[i] = 0;
        a_offset -= s.a_stride[i] * s.size[i];
        b_offset -= s.b_stride[i] * s.size[i];
      }
    }
  });
}

template <class T, class F>
INLINE void broadcast(const Broadcast& s, F&& f, const T* a, const T* b, T* y) {
  const int last = s.axes - 1;
  const int64_t n = s.size[last];
  const bool one_row = s.axes == 1;
  if (s.a_stride[last] && s.b_stride[last]) {
    if (one_row)
      map(n, WORK, f, y, a, b);
    else
      rows<1, 1>(s, f, a, b, y);
  } else if (s.a_stride[last]) {
    if (one_row)
      map(n, WORK, [&f, v = set(*b)](V<T> left) INLINE_LAMBDA { return f(left, v); }, y, a);
    else
      rows<1, 0>(s, f, a, b, y);
  } else {
    if (one_row)
      map(n, WORK, [&f, v = set(*a)](V<T> right) INLINE_LAMBDA { return f(v, right); }, y, b);
    else
      rows<0, 1>(s, f, a, b, y);
  }
}

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <class Target, class T>
void arithmetic(Arithmetic operation, const Broadcast& s, const T* a, const T* b, T* y) {
  if (s.elements == 0) return;
  switch (operation) {
    case Arithmetic::add:
      return broadcast(s, [](V<T> l, V<T> r) INLINE_LAMBDA { return l + r; }, a, b, y);
    case Arithmetic::subtract:
      return broadcast(s, [](V<T> l, V<T> r) INLINE_LAMBDA { return l - r; }, a, b, y);
    case Arithmetic::multiply:
      return broadcast(s, [](V<T> l, V<T> r) INLINE_LAMBDA { return l * r; }, a, b, y);
    case Arithmetic::divide:
      return broadcast(s, [](V<T> l, V<T> r) INLINE_LAMBDA { return l / r; }, a, b, y);
    case Arithmetic::maximum:
      return broadcast(
          s, [](V<T> l, V<T> r) INLINE_LAMBDA { return select(unordered(l, r), l + r, max(l, r)); }, a, b, y);
    case Arithmetic::minimum:
      return broadcast(
          s, [](V<T> l, V<T> r) INLINE_LAMBDA { return select(unordered(l, r), l + r, min(l, r)); }, a, b, y);
  }
}

template void arithmetic<Target>(Arithmetic, const Broadcast&, const float*, const float*, float*);
template void arithmetic<Target>(Arithmetic, const Broadcast&, const double*, const double*, double*);

}  // namespace lamina
