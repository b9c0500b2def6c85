// What cuda.cuh has under nvcc: launches with their checks, shared memory, and PTX's instructions by name.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "support/narrow.h"
#include "support/stream.h"

namespace lamina::cuda {

/// Throws std::runtime_error if a CUDA call failed.
inline void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  throw std::runtime_error(std::string(what) + ": " + cudaGetErrorName(error) + ", " + cudaGetErrorString(error));
}
#define CUDA_CHECK(call) ::lamina::cuda::check(call, #call)

template <class... Parameters>
void launch_as(bool cooperative, void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
               Stream stream, std::type_identity_t<Parameters>... arguments) {
  if (shared_bytes > 48 * 1024)
    CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared_bytes)));
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeCooperative;
  attribute.val.cooperative = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = cooperative ? 1 : 0;
  CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...));
}
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, Stream stream,
            const Arguments&... arguments) {
  launch_as<Parameters...>(false, kernel, grid, block, shared_bytes, stream, arguments...);
}
/// All blocks run at the same time: no more of them than resident_blocks says.
template <class... Parameters, class... Arguments>
void launch_cooperative(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, Stream stream,
                        const Arguments&... arguments) {
  launch_as<Parameters...>(true, kernel, grid, block, shared_bytes, stream, arguments...);
}

inline int attribute_of_device(cudaDeviceAttr attribute) {
  int device = 0, value = 0;
  CUDA_CHECK(cudaGetDevice(&device));
  CUDA_CHECK(cudaDeviceGetAttribute(&value, attribute, device));
  return value;
}
inline int multiprocessors() { return attribute_of_device(cudaDevAttrMultiProcessorCount); }
inline bool multiplies_bfloat16() { return attribute_of_device(cudaDevAttrComputeCapabilityMajor) >= 8; }
inline size_t most_shared_bytes() { return size_t(attribute_of_device(cudaDevAttrMaxSharedMemoryPerBlockOptin)); }
/// How many blocks of a kernel are on the device at once.
template <class... Parameters>
int resident_blocks(void (*kernel)(Parameters...), int threads, size_t shared_bytes) {
  int blocks = 0;
  if (shared_bytes > 48 * 1024)
    CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared_bytes)));
  CUDA_CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, threads, shared_bytes));
  return blocks * multiprocessors();
}

/// From the device's own pool, which keeps what it has: the default gives it back at every synchronisation.
inline void* allocate(size_t bytes, Stream stream) {
  thread_local int kept = -1;
  int device = 0;
  CUDA_CHECK(cudaGetDevice(&device));
  if (device != kept) {
    cudaMemPool_t pool;
    uint64_t everything = UINT64_MAX;
    CUDA_CHECK(cudaDeviceGetDefaultMemPool(&pool, device));
    CUDA_CHECK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &everything));
    kept = device;
  }
  void* p = nullptr;
  CUDA_CHECK(cudaMallocAsync(&p, bytes, stream));
  return p;
}
inline void release(void* p, Stream stream) { cudaFreeAsync(p, stream); }
inline void fill_bytes(void* p, int value, size_t bytes, Stream stream) {
  CUDA_CHECK(cudaMemsetAsync(p, value, bytes, stream));
}
inline void copy_bytes(void* to, const void* from, size_t bytes, Stream stream) {
  CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream));
}

/// Shared memory of the block: one T for each Tag.
template <class T, class Tag = T>
__device__ __forceinline__ T& shared() {
  __shared__ __align__(16) T value;
  return value;
}
template <class T>
__device__ __forceinline__ T* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char bytes[];
  return reinterpret_cast<T*>(bytes);
}

/// One access of sizeof(P) bytes.
template <class P>
__device__ __forceinline__ P load_whole(const void* p) {
  return *static_cast<const P*>(p);
}
template <class P>
__device__ __forceinline__ void store_whole(void* p, const P& v) {
  *static_cast<P*>(p) = v;
}

/// What another block has written before its fence is seen after this.
__device__ __forceinline__ unsigned load_acquire(const unsigned* p) {
  unsigned v;
  asm volatile("ld.acquire.gpu.u32 %0, [%1];" : "=r"(v) : "l"(p) : "memory");
  return v;
}

__device__ __forceinline__ uint32_t shared_address(const void* p) { return uint32_t(__cvta_generic_to_shared(p)); }

/// BYTES (4, 8 or 16) from global to shared memory, zeros where not `valid`; both aligned to BYTES.
template <int BYTES>
__device__ __forceinline__ void copy_async(void* to, const void* from, bool valid = true) {
  static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16);
#if __CUDA_ARCH__ >= 800
  if constexpr (BYTES == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from),
                 "r"(valid ? 16 : 0)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)), "l"(from), "n"(BYTES),
                 "r"(valid ? BYTES : 0)
                 : "memory");
#else
  struct alignas(BYTES) Bytes {
    unsigned char byte[BYTES];
  };
  *static_cast<Bytes*>(to) = valid ? *static_cast<const Bytes*>(from) : Bytes{};
#endif
}
__device__ __forceinline__ void commit_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
/// Until at most PENDING of the groups committed last are on their way.
template <int PENDING>
__device__ __forceinline__ void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
#endif
}

/// Four 8 x 8 matrices of 16-bit numbers; lane i brings the address of row i.
template <bool TRANSPOSED = false>
__device__ __forceinline__ void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
  const uint32_t address = shared_address(row);
  if constexpr (TRANSPOSED)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

/// d = a b + c with a 16 x 16, b 16 x 8, in float; fragments as PTX lays them out. Before sm_80: Float16 alone, by two
/// products of half the depth.
template <class N>
__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                                             const float (&c)[4]) {
#if __CUDA_ARCH__ >= 800
  if constexpr (std::is_same_v<N, Float16>)
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%10, %11, %12, %13};"
        : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
  else
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%10, %11, %12, %13};"
        : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
#elif __CUDA_ARCH__ >= 750
  if constexpr (std::is_same_v<N, Float16>) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%7, %8, %9, %10};"
                 : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(b[0]), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[2]), "r"(a[3]), "r"(b[1]));
  } else {
    __trap();  // bfloat16 begins with sm_80: what multiplies in 16 bits refuses it before
  }
#endif
}

/// Two floats rounded to 16 bits, the first in the lower half: what mma takes.
template <class N>
__device__ __forceinline__ uint32_t narrow_pair(float low, float high) {
  uint32_t pair;
#if __CUDA_ARCH__ >= 800
  if constexpr (std::is_same_v<N, Float16>)
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  else
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
#else
  pair = uint32_t(N(low).bits) | uint32_t(N(high).bits) << 16;
#endif
  return pair;
}

/// x, of which the compiler knows nothing: what is computed from it is computed again, and held in no register.
__device__ __forceinline__ int again(int x) {
  asm volatile("" : "+r"(x));
  return x;
}

/// 2^x by the instruction for it: off by 2 ULP at most, denormal results 0. The same on one kind of GPU, not on the
/// CPU.
__device__ __forceinline__ float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace lamina::cuda
