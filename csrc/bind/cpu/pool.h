// The geometry of pooling, from Python's numbers: shared by max_pool and avg_pool.
#pragma once
#include <pybind11/stl.h>

#include "bind/cpu/bind.h"
#include "bind/pool.h"

namespace lamina::bind {

inline Pool pool_of(const py::array& x, const py::tuple& window) {
  return pool_of(std::vector<int64_t>(x.shape(), x.shape() + x.ndim()), window.cast<std::vector<int64_t>>());
}

}  // namespace lamina::bind
