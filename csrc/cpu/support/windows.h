// Windows along one axis: which part of a window lies on the input, and which windows hold a place.
#pragma once
#include "cpu/support/elementwise.h"
#include "ops/pool.h"

namespace lamina::LAMINA_ISA {

struct Span {
  int64_t begin, end;
  INLINE int64_t size() const { return end - begin; }
};

/// The places of window o, counted from its start, that lie on the input.
INLINE Span places_inside(const PoolAxis& axis, int64_t o) {
  const int64_t start = axis.start(o);
  return {max_of(0, -start), min_of(axis.end(o), axis.axis.input) - start};
}

/// The windows that hold input place i.
INLINE Span windows_over(const PoolAxis& axis, int64_t i) {
  const auto& [input, kernel, stride, dilation, before, after] = axis.axis;
  if (axis.adaptive) return {i * axis.outputs / input, ceil_div((i + 1) * axis.outputs, input)};
  const int64_t first = i + before - kernel;  // the last place before the windows' starts
  return {first < 0 ? 0 : first / stride + 1, min_of(axis.outputs, (i + before) / stride + 1)};
}

/// The windows that hold a place, as the place goes from 0 upwards.
struct WalkingSpan {
  const PoolAxis& axis;
  int64_t begin = 0, end = 0;
  explicit INLINE WalkingSpan(const PoolAxis& a) : axis(a) {}
  INLINE void reach(int64_t i) {  // every place in turn
    while (axis.end(begin) <= i) ++begin;
    while (end < axis.outputs && axis.start(end) <= i) ++end;
  }
};

/// At most this many windows hold one place.
INLINE int64_t most_windows(const PoolAxis& axis) {
  const int64_t most =
      axis.adaptive ? ceil_div(axis.outputs, axis.axis.input) + 1 : ceil_div(axis.axis.kernel, axis.axis.stride);
  return min_of(axis.outputs, most);
}

/// Row r of outputs (or of inputs) is that of image n at depth d and height h.
struct RowPlace {
  int64_t n, d, h;
};
INLINE RowPlace row_place(int64_t r, int64_t depth, int64_t height) {
  return {r / height / depth, r / height % depth, r % height};
}

}  // namespace lamina::LAMINA_ISA
