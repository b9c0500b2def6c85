// A number that a kernel takes: the host's, or one that lies in device memory. A launch that is captured in a CUDA
// graph keeps its arguments; what may be another number at each replay is read from memory.
#pragma once

#ifdef __CUDACC__
#define LAMINA_ON_BOTH __host__ __device__
#else
#define LAMINA_ON_BOTH
#endif

namespace lamina::cuda {

template <class T>
struct Setting {
  T value{};
  const T* place = nullptr;  // on the device; where it is not null, it counts
  LAMINA_ON_BOTH T get() const { return place ? *place : value; }
};

}  // namespace lamina::cuda
