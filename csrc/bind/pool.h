// The geometry of pooling from Python's numbers, for the bindings of the CPU and of CUDA.
#pragma once
#include <stdexcept>
#include <vector>

#include "ops/pool.h"

namespace lamina::bind {

/// Checks all that the kernels rely on. shape: (N, D, H, W, C); window: three windows' sizes, three strides, three
/// paddings before, three after; or, for adaptive pooling, three numbers of outputs.
inline Pool pool_of(const std::vector<int64_t>& shape, const std::vector<int64_t>& window) {
  const auto require = [](bool fine, const char* otherwise) {
    if (!fine) throw std::invalid_argument(otherwise);
  };
  require(shape.size() == 5, "pooling: expected an array of shape (N, D, H, W, C)");
  require(window.size() == 12 || window.size() == 3, "pooling: window must be 12 numbers, or 3");
  const auto axis = [&](size_t i) -> PoolAxis {
    const int64_t input = shape[1 + i];
    if (window.size() == 3) {
      const int64_t outputs = window[i], most = int64_t(1) << 31;
      require(input >= 1 && input < most && outputs >= 1 && outputs < most, "pooling: sizes must be in [1, 2^31)");
      const int64_t longest = (input + outputs - 1) / outputs + (input % outputs != 0);
      return {{input, longest < input ? longest : input}, outputs, true};
    }
    const Axis a{input, window[i], window[3 + i], 1, window[6 + i], window[9 + i]};
    a.check("pooling");
    require(a.before < a.kernel && a.after < a.kernel, "pooling: padding must be shorter than the window");
    return {a, a.output(), false};
  };
  const Pool s{shape[0], shape[4], axis(0), axis(1), axis(2)};
  require(product(s.d.axis.kernel, s.h.axis.kernel, s.w.axis.kernel) < int64_t(1) << 31,
          "pooling: the window is too large");
  return s;
}

inline int64_t outputs(const Pool& s) { return product(s.batch, s.d.outputs, s.h.outputs, s.w.outputs, s.channels); }

}  // namespace lamina::bind
