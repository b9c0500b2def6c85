// Loops over whole arrays.
#pragma once
#include "cuda/support/lane.cuh"

namespace lamina::cuda {

template <class F>
__global__ void each_kernel(int64_t n, F f) {
  const int64_t step = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) f(i);
}

/// f(i) for i in [0, n), in any order: f is a __device__ lambda or a functor, copied to the device.
template <class F>
void each(int64_t n, Stream stream, F f) {
  if (n > 0) launch(each_kernel<F>, blocks_for(n), BLOCK, 0, stream, n, f);
}

template <int N, class T, class F, class... In>
__device__ __forceinline__ Pack<T, N> map_pack(const F& f, const Pack<In, N>&... x) {
  Pack<T, N> y;
#pragma unroll
  for (int i = 0; i < N; ++i) y[i] = f(x[i]...);
  return y;
}

/// N elements at a time where `packed`, and what is left one by one.
template <int N, class T, class F, class... In>
__global__ void map_kernel(int64_t n, bool packed, F f, T* y, const In*... x) {
  const int64_t thread = int64_t(blockIdx.x) * blockDim.x + threadIdx.x, step = int64_t(gridDim.x) * blockDim.x;
  const int64_t packs = packed ? n / N : 0;
  for (int64_t i = thread; i < packs; i += step) store_pack(y + i * N, map_pack<N, T>(f, load_pack<N>(x + i * N)...));
  for (int64_t i = packs * N + thread; i < n; i += step) y[i] = f(x[i]...);
}

/// y[i] = f(x[i]...) for any number of inputs, 16 bytes of y at a time; y may be one of them.
template <class T, class F, class... In>
void map(int64_t n, Stream stream, F f, T* y, const In*... x) {
  constexpr int N = 16 / int(sizeof(T));
  if (n <= 0) return;
  const bool packed = is_packed<N>(y) && (is_packed<N>(x) && ...);
  launch(map_kernel<N, T, F, In...>, blocks_for(packed ? (n + N - 1) / N : n), BLOCK, 0, stream, n, packed, f, y, x...);
}

}  // namespace lamina::cuda
