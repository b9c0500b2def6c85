// CUDA for g++: what a kernel needs of the language and of the hardware, run on the CPU by the scheduler.
// csrc/cuda/support/cuda.cuh includes this in place of CUDA's headers. See docs/cuda_emulator.md.
#pragma once
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

#include "emulator/atomics.h"
#include "emulator/copy_async.h"
#include "emulator/scheduler.h"
#include "emulator/types.h"
#include "emulator/warp.h"
#include "support/narrow.h"
#include "support/stream.h"

namespace lamina::cuda {

using emulator::blockDim;
using emulator::blockIdx;
using emulator::dim3;
using emulator::double2;
using emulator::float2;
using emulator::float4;
using emulator::gridDim;
using emulator::int2;
using emulator::int4;
using emulator::make_double2;
using emulator::make_float2;
using emulator::make_float4;
using emulator::make_int2;
using emulator::make_int4;
using emulator::make_uint2;
using emulator::make_uint4;
using emulator::Place;
using emulator::threadIdx;
using emulator::uint2;
using emulator::uint3;
using emulator::uint4;

inline void __syncthreads(Place where = Place::current()) { emulator::wait_for_block(where); }
template <class T>
T __ldg(const T* p) {
  return *p;
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }

/// See cuda.cuh, which has the same for nvcc.
template <class T, class Tag = T>
T& shared(Place where = Place::current()) {
  static char key;
  return *static_cast<T*>(emulator::shared_memory(&key, sizeof(T), alignof(T), where));
}
template <class T>
T* dynamic_shared(Place where = Place::current()) {
  return static_cast<T*>(emulator::shared_memory_of_launch(where));
}

/// One access of sizeof(P) bytes. As a vector, which g++ does not take apart.
template <class P>
using Whole [[gnu::may_alias, gnu::vector_size(sizeof(P))]] = unsigned char;
template <class P>
__forceinline__ P load_whole(const void* p) {
  return __builtin_bit_cast(P, *static_cast<const Whole<P>*>(p));
}
template <class P>
__forceinline__ void store_whole(void* p, const P& v) {
  *static_cast<Whole<P>*>(p) = __builtin_bit_cast(Whole<P>, v);
}

template <class... Parameters, class... Arguments>
void launch_as(bool cooperative, void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
               Arguments&&... arguments) {
  auto call = [&] { kernel(Parameters(arguments)...); };
  emulator::launch_grid(
      grid, block, shared_bytes, cooperative, [](void* c) { (*static_cast<decltype(call)*>(c))(); }, &call);
}
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, Stream,
            Arguments&&... arguments) {
  launch_as(false, kernel, grid, block, shared_bytes, arguments...);
}
template <class... Parameters, class... Arguments>
void launch_cooperative(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, Stream,
                        Arguments&&... arguments) {
  launch_as(true, kernel, grid, block, shared_bytes, arguments...);
}

inline int multiprocessors() { return emulator::MULTIPROCESSORS; }
inline bool multiplies_bfloat16() { return true; }
inline size_t most_shared_bytes() { return emulator::settings().shared_bytes; }
/// A small device: what needs more is run in several waves, or refused.
template <class... Parameters>
int resident_blocks(void (*)(Parameters...), int threads, size_t) {
  return emulator::MULTIPROCESSORS * (threads > 512 ? 1 : 2);
}
inline void* allocate(size_t bytes, Stream) {
  void* p;
  if (posix_memalign(&p, 256, bytes)) throw std::bad_alloc();
  std::memset(p, 0xff, bytes);  // NaN
  return p;
}
inline void release(void* p, Stream) { std::free(p); }
inline void fill_bytes(void* p, int value, size_t bytes, Stream) { std::memset(p, value, bytes); }
inline void copy_bytes(void* to, const void* from, size_t bytes, Stream) { std::memmove(to, from, bytes); }

template <class N>
void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], const float (&c)[4],
                  Place where = Place::current()) {
  constexpr auto type = std::is_same_v<N, Float16> ? emulator::Narrow::float16 : emulator::Narrow::bfloat16;
  emulator::matrix_product({type, a, b, c, d}, where);
}
template <bool TRANSPOSED = false>
__forceinline__ void ldmatrix_x4(uint32_t (&r)[4], const void* row, Place where = Place::current()) {
  if (reinterpret_cast<uintptr_t>(row) % 16)
    emulator::fail(where, "ldmatrix from an address that is not a multiple of 16");
  const void* rows[emulator::WARP];
  emulator::share_pointers(row, rows, where);
  if constexpr (emulator::COUNTED) emulator::count_access(emulator::Access::load, row, 16);
  const emulator::Uncounted rest;
  const int lane = emulator::lane_of_thread(), outer = lane / 4, inner = lane % 4 * 2;
  for (int i = 0; i < 4; ++i) {  // each lane reads for itself, so that sanitizers see it
    uint32_t pair = 0;
    for (int e = 0; e < 2; ++e) {
      const int r_in = TRANSPOSED ? inner + e : outer, c_in = TRANSPOSED ? outer : inner + e;
      pair |= uint32_t(static_cast<const uint16_t*>(rows[8 * i + r_in])[c_in]) << (16 * e);
    }
    r[i] = pair;
  }
}
template <class N>
uint32_t narrow_pair(float low, float high) {
  return uint32_t(N(low).bits) | uint32_t(N(high).bits) << 16;
}
inline int again(int x) { return x; }
inline float exp2_fast(float x) { return x < -126 ? 0.0f : __builtin_exp2f(x); }

}  // namespace lamina::cuda
