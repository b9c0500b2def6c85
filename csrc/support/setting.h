// A number that a kernel takes: the host's, or one that lies in device memory. A launch that is captured in a CUDA
// graph keeps its arguments; what may be another number at each replay is read from memory.
#pragma once

#ifdef __CUDACC__
#define LAMINA_ON_BOTH __host__ __device__ __forceinline__
#else
#define LAMINA_ON_BOTH inline __attribute__((always_inline))
#endif

namespace lamina::cuda {

template <class T>
struct Setting {
  T value;
  const T* place;  // on the device; where it is not null, it counts
  LAMINA_ON_BOTH Setting(T number = T(), const T* there = nullptr) : value(number), place(there) {}
  LAMINA_ON_BOTH operator T() const { return place ? *place : value; }
};

}  // namespace lamina::cuda
