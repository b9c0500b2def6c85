// The module and its runtime: what devices there are. It imports on a machine without a GPU, and reports none.
#include <cuda_runtime_api.h>

#include "bind/cuda/bind.h"

namespace lamina::bind {

static int count_devices(cudaError_t& error) {
  int count = 0;
  error = cudaGetDeviceCount(&count);
  cudaGetLastError();  // forgotten, or the next launch would report it
  return error == cudaSuccess ? count : 0;
}

static int device_count() {
  cudaError_t error;
  return count_devices(error);
}

static nb::dict status() {
  cudaError_t error;
  nb::dict d;
  d["device_count"] = count_devices(error);
  d["message"] = error == cudaSuccess ? "" : cudaGetErrorString(error);
  int runtime = 0, driver = 0;
  cudaRuntimeGetVersion(&runtime);
  cudaDriverGetVersion(&driver);
  d["runtime_version"] = runtime;
  d["driver_version"] = driver;
  return d;
}

}  // namespace lamina::bind

NB_MODULE(_cuda, m) {
  m.doc() = "Lamina's kernels for NVIDIA GPUs, over DLPack arrays. Python allocates, these fill.";
  m.def("device_count", &lamina::bind::device_count);
  m.def("status", &lamina::bind::status);
  lamina::bind::define_kernels(m);
}
