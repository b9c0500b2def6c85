// The geometry of pooling, from Python's numbers: shared by max_pool and avg_pool.
#pragma once
#include "bind/cpu/bind.h"
#include "ops/pool.h"

namespace lamina::bind {

/// Checks all that the kernels rely on. x: (N, D, H, W, C); window: three windows' sizes, three strides, three paddings
/// before, three after; or, for adaptive pooling, three numbers of outputs.
inline Pool pool_of(const py::array& x, const py::tuple& window) {
  if (x.ndim() != 5) throw py::value_error("pooling: expected an array of shape (N, D, H, W, C)");
  if (window.size() != 12 && window.size() != 3) throw py::value_error("pooling: window must be 12 numbers, or 3");
  const auto number = [&](int i) { return window[size_t(i)].cast<int64_t>(); };
  const auto axis = [&](int i) -> PoolAxis {
    const int64_t input = x.shape(1 + i);
    if (window.size() == 3) {
      const int64_t outputs = number(i);
      if (input < 1 || input >= int64_t(1) << 31 || outputs < 1 || outputs >= int64_t(1) << 31)
        throw py::value_error("pooling: sizes must be in [1, 2^31)");
      const int64_t longest = (input + outputs - 1) / outputs + (input % outputs != 0);
      return {{input, longest < input ? longest : input}, outputs, true};
    }
    const Axis a{input, number(i), number(3 + i), 1, number(6 + i), number(9 + i)};
    a.check("pooling");
    if (a.before >= a.kernel || a.after >= a.kernel)
      throw py::value_error("pooling: padding must be shorter than the window");
    return {a, a.output(), false};
  };
  const Pool s{x.shape(0), x.shape(4), axis(0), axis(1), axis(2)};
  if (product(s.d.axis.kernel, s.h.axis.kernel, s.w.axis.kernel) >= int64_t(1) << 31)
    throw py::value_error("pooling: the window is too large");
  return s;
}

inline int64_t outputs(const Pool& s) { return product(s.batch, s.d.outputs, s.h.outputs, s.w.outputs, s.channels); }

}  // namespace lamina::bind
