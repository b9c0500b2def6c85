// Pooling windows on the device: which part of a window lies on the input, and which windows hold a place.
#pragma once
#include "cuda/support/packs.cuh"
#include "ops/pool.h"

namespace lamina::cuda {

struct Span {
  int64_t begin, end;
  __device__ int64_t size() const { return end - begin; }
};

/// PoolAxis with sizes of 32 bits where they are divided by: all are below 2^31.
struct Windows {
  uint32_t input, kernel, stride, before, outputs;
  bool adaptive;
  explicit Windows(const PoolAxis& a)
      : input(uint32_t(a.axis.input)),
        kernel(uint32_t(a.axis.kernel)),
        stride(uint32_t(a.axis.stride)),
        before(uint32_t(a.axis.before)),
        outputs(uint32_t(a.outputs)),
        adaptive(a.adaptive) {}

  __device__ int64_t start(int64_t o) const {
    return adaptive ? split(o * input, outputs).rest : o * stride - int64_t(before);
  }
  __device__ int64_t end(int64_t o) const {
    return adaptive ? split((o + 1) * input + outputs - 1, outputs).rest : start(o) + kernel;
  }
  /// The places of window o, counted from its start, that lie on the input.
  __device__ Span inside(int64_t o) const {
    const int64_t from = start(o);
    return {max_of(0, -from), min_of(end(o), input) - from};
  }
  /// The windows that hold input place i.
  __device__ Span over(int64_t i) const {
    if (adaptive) return {split(i * outputs, input).rest, split((i + 1) * outputs + input - 1, input).rest};
    const int64_t first = i + before - int64_t(kernel);  // the last place before the windows' starts
    return {first < 0 ? 0 : split(first, stride).rest + 1, min_of(outputs, split(i + before, stride).rest + 1)};
  }
};

/// Where element `at` of an array (N, depth, height, width, C) is.
struct Voxel {
  int64_t n, d, h, w, c;
};
__device__ __forceinline__ Voxel voxel_of(int64_t at, int64_t depth, int64_t height, int64_t width, int64_t channels) {
  const Split c = split(at, channels), w = split(c.rest, width), h = split(w.rest, height), d = split(h.rest, depth);
  return {d.rest, d.at, h.at, w.at, c.at};
}

/// Pool on the device.
struct PoolWindows {
  int64_t channels;
  Windows d, h, w;
  explicit PoolWindows(const Pool& s) : channels(s.channels), d(s.d), h(s.h), w(s.w) {}
  __device__ Voxel output(int64_t at) const { return voxel_of(at, d.outputs, h.outputs, w.outputs, channels); }
  __device__ Voxel input(int64_t at) const { return voxel_of(at, d.input, h.input, w.input, channels); }
  /// Where the output of window (od, oh, ow) is for the image and channel of a voxel.
  __device__ int64_t output_at(const Voxel& v, int64_t od, int64_t oh, int64_t ow) const {
    return (((v.n * d.outputs + od) * h.outputs + oh) * w.outputs + ow) * channels + v.c;
  }
};

/// A window's part that lies on x, for the channels from one on: at first + kd * plane + kh * row + kw * channels.
struct Window {
  Span kd, kh, kw;
  int64_t first, plane, row;
  __device__ Window(const PoolWindows& s, const Voxel& v)
      : kd(s.d.inside(v.d)), kh(s.h.inside(v.h)), kw(s.w.inside(v.w)) {
    row = int64_t(s.w.input) * s.channels;
    plane = int64_t(s.h.input) * row;
    first = (v.n * s.d.input + s.d.start(v.d)) * plane + s.h.start(v.h) * row + s.w.start(v.w) * s.channels + v.c;
  }
};

inline int64_t outputs_of(const Pool& s) { return s.batch * s.d.outputs * s.h.outputs * s.w.outputs * s.channels; }
inline int64_t inputs_of(const Pool& s) {
  return s.batch * s.d.axis.input * s.h.axis.input * s.w.axis.input * s.channels;
}

}  // namespace lamina::cuda
