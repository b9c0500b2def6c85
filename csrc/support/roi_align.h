// Which pixels a bin of ops/roi_align.h reads, and by what weights, for the CPU and a GPU. Include cpu/support/simd.h
// or cuda/support/lane.cuh first.
#pragma once
#include "ops/roi_align.h"
#include "support/unroll.h"

namespace lamina::LAMINA_ISA {

/// The bins along one axis of one region: bin b reads pixels first[b], first[b] + 1, ... by the weights
/// weight[begin[b]] to weight[begin[b + 1] - 1].
template <class T>
struct AxisBins {
  int32_t *first, *begin;
  T* weight;

  INLINE int32_t count(int64_t b) const { return begin[b + 1] - begin[b]; }
};

/// The memory of a region's bins along both axes: `weights` and `numbers` are how many of each it takes.
/// Bins overlap by three pixels at most (two, and one for rounding): that bounds the weights.
struct RegionMemory {
  int64_t row_weights, weights, numbers;
  explicit INLINE RegionMemory(const RoiAlign& s)
      : row_weights(s.height + 4 * s.rows),
        weights(row_weights + s.width + 4 * s.columns),
        numbers(2 * (s.rows + s.columns + 1)) {}
};
template <class T>
INLINE AxisBins<T> bins_down(const RoiAlign& s, int64_t region, T* weights, int32_t* numbers) {
  const RegionMemory memory(s);
  int32_t* const own = numbers + region * memory.numbers;
  return {own, own + s.rows, weights + region * memory.weights};
}
template <class T>
INLINE AxisBins<T> bins_across(const RoiAlign& s, int64_t region, T* weights, int32_t* numbers) {
  const RegionMemory memory(s);
  int32_t* const own = numbers + region * memory.numbers + 2 * s.rows + 1;
  return {own, own + s.columns, weights + region * memory.weights + memory.row_weights};
}

/// The two pixels that a point reads along an axis of `size` pixels, the second by the weight `rest`; none: first is
/// -1.
template <class T>
struct Point {
  int32_t first, second;
  T rest;
};
template <class T>
INLINE Point<T> point_at(T place, int64_t size) {
  if (!(place >= T(-1) && place <= T(size))) return {-1, -1, T(0)};
  if (place < T(0)) place = 0;
  const int64_t below = int64_t(place);
  if (below >= size - 1) return {int32_t(size - 1), int32_t(size - 1), T(0)};
  return {int32_t(below), int32_t(below + 1), place - T(below)};
}

/// Fills the bins of a box's side from `low` to `high`.
template <class T>
INLINE void cut(const RoiAlign& s, T low, T high, int64_t size, int64_t bins, const AxisBins<T>& to) {
  const T offset = s.aligned ? T(0.5) : T(0);
  const T start = low * T(s.scale) - offset;
  T length = high * T(s.scale) - offset - start;
  if (!s.aligned && length < T(1)) length = 1;
  const bool near = start > -T(REGION_REACH) && start < T(REGION_REACH) && length < T(2 * REGION_REACH);
  const T bin = length / T(bins);
  int64_t samples = 0;
  if (near) {
    samples = s.samples;
    if (samples == 0 && bin > T(0)) samples = int64_t(bin) + (T(int64_t(bin)) < bin);
  }
  const auto point = [&](int64_t b, int64_t i) INLINE_LAMBDA {
    return point_at(start + T(b) * bin + (T(i) + T(0.5)) * bin / T(samples), size);
  };
  to.begin[0] = 0;
  for (int64_t b = 0; b < bins; ++b) {
    int32_t first = 0, end = 0;
    for (int64_t i = 0; i < samples; ++i) {
      const Point<T> p = point(b, i);
      if (p.first < 0) continue;
      if (end == 0) first = p.first;
      end = int32_t(max_of(end, p.second + 1));
    }
    const auto count = int32_t(min_of(end - first, size + 4 * bins - to.begin[b]));
    T* const weight = to.weight + to.begin[b];
    to.first[b] = first;
    to.begin[b + 1] = to.begin[b] + count;
    for (int32_t i = 0; i < count; ++i) weight[i] = 0;
    for (int64_t i = 0; i < samples; ++i) {
      const Point<T> p = point(b, i);
      if (p.first < first || p.second >= first + count) continue;
      weight[p.first - first] += T(1) - p.rest;
      if (p.second > p.first) weight[p.second - first] += p.rest;
    }
    for (int32_t i = 0; i < count; ++i) weight[i] = weight[i] / T(samples);
  }
}

}  // namespace lamina::LAMINA_ISA
