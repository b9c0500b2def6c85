// Sliding windows along one axis: which part of a window lies on the input, and which windows hold a place.
#pragma once
#include "cpu/support/elementwise.h"
#include "support/shape.h"

namespace lamina::LAMINA_ISA {

struct Span {
  int64_t begin, end;
  INLINE int64_t size() const { return end - begin; }
};

/// The places of window o, in [0, kernel), that lie on the input. Dilation 1.
INLINE Span places_inside(const Axis& axis, int64_t o) {
  const int64_t start = o * axis.stride - axis.before;
  return {max_of(0, -start), min_of(axis.kernel, axis.input - start)};
}

/// The windows that hold input place i.
INLINE Span windows_over(const Axis& axis, int64_t outputs, int64_t i) {
  const int64_t first = i + axis.before - axis.kernel;  // the last place before the windows' starts
  return {first < 0 ? 0 : first / axis.stride + 1, min_of(outputs, (i + axis.before) / axis.stride + 1)};
}

/// The windows that hold a place, as the place goes from 0 upwards.
struct WalkingSpan {
  const Axis& axis;
  int64_t outputs, begin = 0, end = 0;
  INLINE WalkingSpan(const Axis& a, int64_t count) : axis(a), outputs(count) {}
  INLINE void reach(int64_t i) {  // every place in turn
    while (begin * axis.stride - axis.before + axis.kernel <= i) ++begin;
    while (end < outputs && end * axis.stride - axis.before <= i) ++end;
  }
};

/// At most this many windows hold one place.
INLINE int64_t most_windows(const Axis& axis, int64_t outputs) {
  return min_of(outputs, ceil_div(axis.kernel, axis.stride));
}

}  // namespace lamina::LAMINA_ISA
