// What kernels of convolutions see along one axis. Both directions gather: a target (y forward, dx backward) is a sum
// over taps of source pixels. Backward with strides, targets fall into phases, each with taps of its own.
#pragma once
#include "cuda/support/elementwise.cuh"
#include "ops/conv2d.h"
#include "support/pixel_chains.h"

namespace lamina::cuda {

/// A window that sees one place, or the whole axis.
inline bool unpadded(const Axis& a) { return a.before == 0 && a.after == 0; }
inline bool is_point(const Axis& a) { return a.kernel == 1 && a.stride == 1 && unpadded(a); }
inline bool is_whole(const Axis& a) { return a.kernel == a.input && a.dilation == 1 && unpadded(a); }

struct Sight {
  int64_t positions, first, step, target;  // position j is target first + j * step of `target`
  int64_t base, stride, delta;             // tap t of position j reads source base + j * stride + t * delta
  int64_t source, taps;
  int64_t tap0, tap_step;  // tap t is tap0 + t * tap_step of the kernel
};

inline Sight forward_sight(const Axis& a) {
  const int64_t output = a.output();
  return {output, 0, 1, output, -a.before, a.stride, a.dilation, a.input, a.kernel, 0, 1};
}

/// Kernel positions that are `period` apart see the same targets.
inline int64_t period_of(const Axis& a) {
  int64_t x = a.stride, y = a.dilation;
  while (y) {
    const int64_t rest = x % y;
    x = y;
    y = rest;
  }
  return a.stride / x;
}
inline int64_t phases_of(const Axis& a) { return min_of(a.kernel, period_of(a)); }

inline Sight backward_sight(const Axis& a, int64_t phase) {
  const int64_t period = period_of(a);
  const int64_t residue = (phase * a.dilation - a.before) % a.stride;  // of the targets
  const int64_t first = residue < 0 ? residue + a.stride : residue;
  return {first < a.input ? (a.input - 1 - first) / a.stride + 1 : 0,
          first,
          a.stride,
          a.input,
          (first + a.before - phase * a.dilation) / a.stride,
          1,
          -(period * a.dilation / a.stride),
          a.output(),
          ceil_div(a.kernel - phase, period),
          phase,
          period};
}

/// The three axes of a source or target in one index.
struct Sights {
  Sight d, h, w;
  int64_t positions() const { return d.positions * h.positions * w.positions; }
};
inline Sights forward_sights(const Conv2D& s) { return {forward_sight(s.d), forward_sight(s.h), forward_sight(s.w)}; }

/// f(sights) for every phase of the gradient to the input that has targets.
template <class F>
void each_phase(const Conv2D& s, F&& f) {
  for (int64_t d = 0; d < phases_of(s.d); ++d)
    for (int64_t h = 0; h < phases_of(s.h); ++h)
      for (int64_t w = 0; w < phases_of(s.w); ++w) {
        const Sights sights{backward_sight(s.d, d), backward_sight(s.h, h), backward_sight(s.w, w)};
        if (sights.positions() > 0) f(sights);
      }
}

/// i / n and the rest; 64-bit division is slow.
__device__ __forceinline__ int64_t split(int64_t i, int64_t n, int64_t& rest) {
  if (((i | n) >> 32) == 0) {
    const uint32_t quotient = uint32_t(i) / uint32_t(n);
    rest = int64_t(uint32_t(i) - quotient * uint32_t(n));
    return int64_t(quotient);
  }
  const int64_t quotient = i / n;
  rest = i - quotient * n;
  return quotient;
}

/// An image of the batch and a position in it.
struct Position {
  int64_t image, d, h, w;
};
__device__ __forceinline__ Position position_of(const Sights& s, int64_t i) {
  Position p;
  i = split(i, s.w.positions, p.w);
  i = split(i, s.h.positions, p.h);
  p.image = split(i, s.d.positions, p.d);
  return p;
}
/// The pixel of a position's target.
__device__ __forceinline__ int64_t target_of(const Sights& s, const Position& p) {
  return ((p.image * s.d.target + s.d.first + p.d * s.d.step) * s.h.target + s.h.first + p.h * s.h.step) * s.w.target +
         s.w.first + p.w * s.w.step;
}

/// A place in the source, or a way from one place to another: their sum counts.
struct Spot {
  int64_t offset;
  int d, h, w;
};
/// Without branches: they would take the reads of a place one after another.
__device__ __forceinline__ bool is_inside(const Sights& s, const Spot& a, const Spot& b) {
  return (uint32_t(a.d + b.d) < uint32_t(s.d.source)) & (uint32_t(a.h + b.h) < uint32_t(s.h.source)) &
         (uint32_t(a.w + b.w) < uint32_t(s.w.source));
}
/// What a position reads with tap 0, and the way from there to another tap.
__device__ __forceinline__ Spot spot_of(const Sights& s, const Position& p, int64_t pitch) {
  const int64_t d = s.d.base + p.d * s.d.stride, h = s.h.base + p.h * s.h.stride, w = s.w.base + p.w * s.w.stride;
  return {(((p.image * s.d.source + d) * s.h.source + h) * s.w.source + w) * pitch, int(d), int(h), int(w)};
}
__device__ __forceinline__ Spot way_to(const Sights& s, int64_t td, int64_t th, int64_t tw, int64_t pitch) {
  const int64_t d = td * s.d.delta, h = th * s.h.delta, w = tw * s.w.delta;
  return {((d * s.h.source + h) * s.w.source + w) * pitch, int(d), int(h), int(w)};
}

}  // namespace lamina::cuda
