// The only CUDA header that a kernel includes. Under nvcc it is CUDA; under g++ with LAMINA_EMULATOR the same names run
// on the CPU (docs/cuda_emulator.md). What is not here is not used: every kernel must run in the emulator.
//
//   launches   launch(kernel, grid, block, shared_bytes, stream, arguments...), launch_cooperative(...)
//   shared     auto& tile = shared<float[16][17]>(); with a tag for each further one of the type: shared<T, struct B>()
//              T* all = dynamic_shared<T>()
//   warp       __shfl_sync, __shfl_xor_sync, __shfl_down_sync, __shfl_up_sync, __ballot_sync, __any_sync, __all_sync,
//              __match_any_sync, __syncwarp
//   matrix     mma_m16n8k16<Float16 | BFloat16>(d, a, b, c), ldmatrix_x4<TRANSPOSED>(r, row), narrow_pair<N>(u, v)
//   numbers    exp2_fast(x), which has no bits of the CPU; again(x), x that is in no register meanwhile
//   copies     copy_async<16>(to, from, valid), commit_copies(), wait_for_copies<PENDING>()
//   atomics    atomicAdd, Max, Min, Or, Exch, CAS on whole numbers; none on floats (sums have a fixed order)
//   grid       wait_for_grid(arrived, round), wait_for_blocks(arrived, all) in a cooperative launch
//   vectors    float4 and its like; Pack<T, N> is N values that are read or written at once: load_pack, store_pack;
//              load_wide, store_wide the same for numbers of 16 bits that are computed with as floats;
//              load_whole<P>, store_whole for any other P of 1, 2, 4, 8 or 16 bytes
//   memory     Scratch<T> scratch(count, stream)
#pragma once
#include <cstdint>
#include <stdexcept>
#include <type_traits>

#ifdef LAMINA_EMULATOR
#include "emulator/emulator.h"
#else
#include "cuda/support/device.cuh"
#endif
#include "support/narrow.h"

namespace lamina::cuda {

constexpr uint32_t ALL_LANES = ~0u;

/// N values of T that are read or written as one, at most 16 bytes.
template <class T, int N = 16 / int(sizeof(T))>
struct alignas(N * sizeof(T)) Pack {
  static constexpr int SIZE = N;
  T value[N];
  __host__ __device__ T& operator[](int i) { return value[i]; }
  __host__ __device__ const T& operator[](int i) const { return value[i]; }
};
template <int N, class T>
__device__ __forceinline__ Pack<T, N> load_pack(const T* p) {
  return load_whole<Pack<T, N>>(p);
}
template <int N, class T>
__device__ __forceinline__ void store_pack(T* p, const Pack<T, N>& v) {
  store_whole(p, v);
}
/// The same where numbers of 16 bits are widened on the way in and rounded on the way out; others stay what they are.
template <int N, class S>
__device__ __forceinline__ Pack<Computed<S>, N> load_wide(const S* p) {
  const Pack<S, N> stored = load_pack<N>(p);
  Pack<Computed<S>, N> v;
#pragma unroll
  for (int i = 0; i < N; ++i) v[i] = stored[i];
  return v;
}
template <int N, class S>
__device__ __forceinline__ void store_wide(S* p, const Pack<Computed<S>, N>& v) {
  Pack<S, N> stored;
#pragma unroll
  for (int i = 0; i < N; ++i) stored[i] = v[i];
  store_pack(p, stored);
}
/// Whether packs of N values may be read from p, and from those that lie a multiple of N further on.
template <int N, class T>
bool is_packed(const T* p) {
  return reinterpret_cast<uintptr_t>(p) % (N * sizeof(T)) == 0;
}

/// Whether the architecture that is compiled for has products of T on tensor cores. Kernels that need what it lacks are
/// never launched there: they return at once, and the compiler has nothing to do.
template <class T>
__device__ constexpr bool has_products_of() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
  return !std::is_same_v<T, BFloat16>;
#else
  return true;
#endif
}
/// Throws if this GPU has no products of T on tensor cores.
template <class T>
void need_products_of() {
  if (std::is_same_v<T, BFloat16> && !multiplies_bfloat16())
    throw std::runtime_error("products of bfloat16 need a GPU of compute capability 8.0 or later: take float16");
}

/// Device memory for the length of a launch: in the order of the stream, from a pool, and it may be captured in a
/// graph.
template <class T>
class Scratch {
 public:
  Scratch(int64_t count, Stream stream)
      : data_(count ? static_cast<T*>(allocate(size_t(count) * sizeof(T), stream)) : nullptr), stream_(stream) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    if (data_) release(data_, stream_);
  }
  T* data() const { return data_; }

 private:
  T* data_;
  Stream stream_;
};

/// Waits until `all` blocks of a cooperative grid have come here since `arrived` was 0, and sees what they wrote.
__device__ inline void wait_for_blocks(unsigned* arrived, unsigned all) {
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0 && threadIdx.z == 0) {
    __threadfence();
    atomicAdd(arrived, 1u);
    while (load_acquire(arrived) < all) __nanosleep(20);
  }
  __syncthreads();
}
/// Everybody in a cooperative grid waits for all others, and sees what they wrote. `arrived` was 0 at the launch;
/// round: 1 at the first meeting, 2 at the second.
__device__ inline void wait_for_grid(unsigned* arrived, unsigned round) {
  wait_for_blocks(arrived, round * gridDim.x * gridDim.y * gridDim.z);
}

constexpr int BLOCK = 256;
constexpr int64_t MOST_BLOCKS = int64_t(1) << 16;

/// How many blocks of `threads` threads a grid-stride loop over n has.
inline unsigned blocks_for(int64_t n, int threads = BLOCK) {
  const int64_t blocks = (n + threads - 1) / threads;
  return unsigned(blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS);
}

}  // namespace lamina::cuda
