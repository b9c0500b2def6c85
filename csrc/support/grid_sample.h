// Which pixels a place of ops/grid_sample.h reads, for the CPU and a GPU. Include cpu/support/simd.h or
// cuda/support/lane.cuh first.
#pragma once
#include "ops/grid_sample.h"
#include "support/unroll.h"

namespace lamina::LAMINA_ISA {

constexpr int MOST_TAPS = 4;  // along one axis

/// Along one axis: the pixels that a place reads, their weights, and the slopes of these by the grid's coordinate.
template <class T>
struct AxisTaps {
  int count;
  int64_t index[MOST_TAPS];  // -1: beyond the image
  T weight[MOST_TAPS], slope[MOST_TAPS];
};

template <class T>
INLINE int64_t whole_below(T v) {
  const int64_t i = int64_t(v);
  return i - (T(i) > v);
}

/// The place mirrored into [low, high], and its slope.
template <class T>
INLINE T mirrored(T p, T low, T high, T& slope) {
  const T span = high - low;
  if (!(span > 0)) {
    slope = 0;
    return low;
  }
  T from = p - low;
  if (from < 0) {
    from = -from;
    slope = -slope;
  }
  const int64_t flips = whole_below(from / span);
  const T rest = from - T(flips) * span;
  if (flips % 2 == 0) return rest + low;
  slope = -slope;
  return span - rest + low;
}

INLINE int64_t pixel_beyond(int64_t i, int64_t size, Beyond beyond) {
  if (i >= 0 && i < size) return i;
  const auto modulo = [](int64_t a, int64_t b) INLINE_LAMBDA { return (a % b + b) % b; };
  switch (beyond) {
    case Beyond::clip:
      return i < 0 ? 0 : size - 1;
    case Beyond::wrap:
      return modulo(i, size);
    case Beyond::mirror: {
      if (size == 1) return 0;
      const int64_t at = modulo(i, 2 * (size - 1));
      return at < size ? at : 2 * (size - 1) - at;
    }
    case Beyond::reflect: {
      const int64_t at = modulo(i, 2 * size);
      return at < size ? at : 2 * size - 1 - at;
    }
    default:
      return -1;
  }
}

template <class T>
INLINE AxisTaps<T> taps_at(T g, int64_t size, const GridSample& s) {
  T p = g, slope = 1;
  if (s.unit == GridUnit::centres) {
    p = (g + T(1)) / T(2) * T(size - 1);
    slope = T(size - 1) / T(2);
  } else if (s.unit == GridUnit::edges) {
    p = ((g + T(1)) * T(size) - T(1)) / T(2);
    slope = T(size) / T(2);
  }
  if (s.place != lamina::Place::free) {
    const bool known = p > T(-1e9) && p < T(1e9);
    if (s.place == lamina::Place::mirror && known) p = mirrored(p, T(0), T(size - 1), slope);
    if (s.place == lamina::Place::reflect && known) p = mirrored(p, T(-0.5), T(size) - T(0.5), slope);
    if (!(p > 0)) {
      p = 0;
      slope = 0;
    } else if (!(p < T(size - 1))) {
      p = T(size - 1);
      slope = 0;
    }
  }
  if (!(p > T(-1e9) && p < T(1e9))) {
    p = -100;
    slope = 0;
  }
  AxisTaps<T> taps;
  const int64_t below = whole_below(p);
  const T rest = p - T(below);
  if (s.sampling == Sampling::nearest) {  // halves to even
    const bool up = rest > T(0.5) || (rest == T(0.5) && (below & 1));
    taps.count = 1;
    taps.index[0] = pixel_beyond(below + up, size, s.beyond);
    taps.weight[0] = 1;
    taps.slope[0] = 0;
  } else if (s.sampling == Sampling::bilinear) {
    taps.count = 2;
    taps.index[0] = pixel_beyond(below, size, s.beyond);
    taps.index[1] = pixel_beyond(below + 1, size, s.beyond);
    taps.weight[0] = T(1) - rest;
    taps.weight[1] = rest;
    taps.slope[0] = -slope;
    taps.slope[1] = slope;
  } else {
    constexpr T A = T(-0.75);
    taps.count = 4;
    for (int t = 0; t < 4; ++t) {
      const T d = t < 2 ? rest + T(1 - t) : T(t - 1) - rest;  // from the tap's pixel
      const bool near = t == 1 || t == 2;
      taps.index[t] = pixel_beyond(below - 1 + t, size, s.beyond);
      taps.weight[t] =
          near ? ((A + T(2)) * d - (A + T(3))) * d * d + T(1) : ((A * d - T(5) * A) * d + T(8) * A) * d - T(4) * A;
      const T by_distance =
          near ? (T(3) * (A + T(2)) * d - T(2) * (A + T(3))) * d : (T(3) * A * d - T(10) * A) * d + T(8) * A;
      taps.slope[t] = (t < 2 ? by_distance : -by_distance) * slope;
    }
  }
  return taps;
}

}  // namespace lamina::LAMINA_ISA
