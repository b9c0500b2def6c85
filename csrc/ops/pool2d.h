// The geometry of pooling, shared by max_pool2d and avg_pool2d.
#pragma once
#include <cstdint>

#include "support/shape.h"

namespace lamina {

/// x (N, H, W, C) -> y (N, OH, OW, C); window (oh, ow) covers x[oh * stride - before + kh, ow * stride - before + kw].
/// Padding is shorter than the window on every side, so that every window holds at least one element of x.
struct Pool2D {
  int64_t batch, channels;
  Axis h, w;  // dilation 1
};

}  // namespace lamina
