// The only CUDA header that a kernel includes: checks after every call, and loops over whole arrays.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "support/stream.h"

namespace lamina::cuda {

/// Throws std::runtime_error if a CUDA call failed, or if the last launch did.
inline void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  throw std::runtime_error(std::string(what) + ": " + cudaGetErrorName(error) + ", " + cudaGetErrorString(error));
}
#define CUDA_CHECK(call) ::lamina::cuda::check(call, #call)

constexpr int BLOCK = 256;
constexpr int64_t MOST_BLOCKS = 1 << 16;

template <class F>
__global__ void each_kernel(int64_t n, F f) {
  const int64_t step = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) f(i);
}

/// f(i) for i in [0, n) on the device: f is a __device__ lambda or a functor, copied there.
template <class F>
void each(int64_t n, Stream stream, F f) {
  if (n == 0) return;
  const int64_t blocks = (n + BLOCK - 1) / BLOCK;
  each_kernel<<<unsigned(blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS), BLOCK, 0, stream>>>(n, f);
  CUDA_CHECK(cudaGetLastError());
}

}  // namespace lamina::cuda
