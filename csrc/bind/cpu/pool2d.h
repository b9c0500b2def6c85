// The geometry of pooling, from Python's numbers: shared by max_pool2d and avg_pool2d.
#pragma once
#include "bind/cpu/bind.h"
#include "ops/pool2d.h"

namespace lamina::bind {

/// Checks all that the kernels rely on; x: (N, H, W, C).
inline Pool2D pool2d(const py::array& x, int64_t kernel_h, int64_t kernel_w, int64_t stride_h, int64_t stride_w,
                     int64_t top, int64_t bottom, int64_t left, int64_t right) {
  if (x.ndim() != 4) throw py::value_error("pooling: expected an array of shape (N, H, W, C)");
  const Pool2D s{x.shape(0),
                 x.shape(3),
                 {x.shape(1), kernel_h, stride_h, 1, top, bottom},
                 {x.shape(2), kernel_w, stride_w, 1, left, right}};
  s.h.check("pooling");
  s.w.check("pooling");
  for (const Axis* axis : {&s.h, &s.w})
    if (axis->before >= axis->kernel || axis->after >= axis->kernel)
      throw py::value_error("pooling: padding must be shorter than the window");
  if (product(kernel_h, kernel_w) >= int64_t(1) << 31) throw py::value_error("pooling: the window is too large");
  return s;
}

inline int64_t outputs(const Pool2D& s) { return product(s.batch, s.h.output(), s.w.output(), s.channels); }

}  // namespace lamina::bind
