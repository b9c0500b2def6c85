// Loops over arrays whose elements have a place (a channel, a row, a pixel), 16 bytes at a time where that can be.
#pragma once
#include "cuda/support/elementwise.cuh"

namespace lamina::cuda {

template <int N, class F>
__global__ void packs_kernel(int64_t packs, F f) {
  const int64_t step = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < packs; i += step) f.template run<N>(i * N);
}

/// f.run<N>(at) for elements at to at + N - 1, from all of [0, n): N values of T are 16 bytes where `packed` (n is a
/// multiple of them then), else one.
template <class T, class F>
void each_pack(int64_t n, bool packed, Stream stream, const F& f) {
  constexpr int N = 16 / int(sizeof(T));
  if (n <= 0) return;
  if (packed)
    launch(packs_kernel<N, F>, blocks_for(n / N), BLOCK, 0, stream, n / N, f);
  else
    launch(packs_kernel<1, F>, blocks_for(n), BLOCK, 0, stream, n, f);
}

/// Whether rows of n values may be read and written in packs, at all of these places (null: none there).
template <class T, class... Pointers>
bool packs_fit(int64_t n, const Pointers*... p) {
  constexpr int N = 16 / int(sizeof(T));
  return n % N == 0 && ((!p || is_packed<N>(p)) && ...);
}

/// Of an array that may be null.
template <int N, class T>
__device__ Pack<T, N> load_or_zero(const T* p, int64_t at) {
  return p ? load_pack<N>(p + at) : Pack<T, N>{};
}

/// i as rest * size + at.
struct Split {
  int64_t rest, at;
};
__device__ __forceinline__ Split split(int64_t i, int64_t size) {
  if (uint64_t(i | size) <= UINT32_MAX) {  // 64-bit division is slow
    const uint32_t rest = uint32_t(i) / uint32_t(size);
    return {int64_t(rest), int64_t(uint32_t(i) - rest * uint32_t(size))};
  }
  const int64_t rest = i / size;
  return {rest, i - rest * size};
}

}  // namespace lamina::cuda
