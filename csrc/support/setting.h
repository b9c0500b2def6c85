// A number that a kernel takes: the host's, or one that lies in device memory. A launch that is captured in a CUDA
// graph keeps its arguments; what may be another number at each replay is read from memory.
#pragma once

#include "support/narrow.h"

namespace lamina::cuda {

template <class T>
struct Setting {
  T value;
  const T* place;  // on the device; where it is not null, it counts
  LAMINA_ANYWHERE Setting(T number = T(), const T* there = nullptr) : value(number), place(there) {}
  LAMINA_ANYWHERE operator T() const { return place ? *place : value; }
};

}  // namespace lamina::cuda
