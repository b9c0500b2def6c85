// The geometry of pooling over one, two or three axes, shared by max_pool and avg_pool.
#pragma once
#include <cstdint>

#include "support/shape.h"

namespace lamina {

/// One axis: window o covers input [start(o), end(o)), which padding may cut.
struct PoolAxis {
  Axis axis;  // dilation 1; adaptive: kernel is the length of the longest window
  int64_t outputs;
  bool adaptive;  // windows from floor(o input / outputs) to ceil((o + 1) input / outputs), as in PyTorch

  // Always inlined: see Axis.
  [[gnu::always_inline]] int64_t start(int64_t o) const {
    return adaptive ? o * axis.input / outputs : o * axis.stride - axis.before;
  }
  [[gnu::always_inline]] int64_t end(int64_t o) const {
    return adaptive ? ((o + 1) * axis.input + outputs - 1) / outputs : start(o) + axis.kernel;
  }
};

/// x (N, D, H, W, C) -> y (N, OD, OH, OW, C). Padding is shorter than the window on every side, so that every window
/// holds at least one element of x. Pooling over fewer axes has axes of 1.
struct Pool {
  int64_t batch, channels;
  PoolAxis d, h, w;

  [[gnu::always_inline]] int64_t places() const { return d.axis.kernel * h.axis.kernel * w.axis.kernel; }
};

}  // namespace lamina
