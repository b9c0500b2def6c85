// The geometry of pooling, from Python's numbers: shared by max_pool and avg_pool.
#pragma once
#include <nanobind/stl/vector.h>

#include "bind/cuda/bind.h"
#include "bind/pool.h"

namespace lamina::bind {

template <class Array>
Pool pool_of(const Array& x, const std::vector<int64_t>& window) {
  return pool_of(std::vector<int64_t>(x.shape_ptr(), x.shape_ptr() + x.ndim()), window);
}

}  // namespace lamina::bind
