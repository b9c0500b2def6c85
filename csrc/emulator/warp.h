// Warp operations: shuffles, votes, matrix products. All are one primitive, wait_for_warp: every lane brings its
// request, and the last to come runs the operation for all.
#pragma once
#include <type_traits>

#include "emulator/scheduler.h"

namespace lamina::emulator {

/// Which lane of its own group of `width` a shuffle reads from.
struct Shuffle {
  const void* from;
  void* to;
  int lane, bytes;
};
void shuffle(uint32_t mask, Shuffle request, Place where);

struct Vote {
  bool predicate;
  uint32_t ballot;
};
uint32_t ballot(uint32_t mask, bool predicate, Place where);

struct Match {
  uint64_t value;
  uint32_t lanes;
};
uint32_t match_any(uint32_t mask, uint64_t value, Place where);

/// Each lane's pointer to all lanes.
void share_pointers(const void* mine, const void* (&all)[WARP], Place where);

enum class Narrow { float16, bfloat16 };
/// The fragments that PTX's mma.m16n8k16 gives to each lane.
struct MatrixProduct {
  Narrow type;
  const uint32_t *a, *b;
  const float* c;
  float* d;
};
void matrix_product(MatrixProduct request, Place where);

}  // namespace lamina::emulator

namespace lamina::cuda {  // CUDA's names for them

using emulator::Place;

inline void __syncwarp(uint32_t mask = ~0u, Place where = Place::current()) {
  emulator::wait_for_warp(mask, [](void* const*, uint32_t) {}, nullptr, where);
}

template <class T>
T shuffled(uint32_t mask, T value, int lane, Place where) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 16);
  T result;
  emulator::shuffle(mask, {&value, &result, lane, int(sizeof(T))}, where);
  return result;
}
template <class T>
T __shfl_sync(uint32_t mask, T value, int source, int width = emulator::WARP, Place where = Place::current()) {
  return shuffled(mask, value, (emulator::lane_of_thread() & ~(width - 1)) | (source & (width - 1)), where);
}
template <class T>
T __shfl_xor_sync(uint32_t mask, T value, int bits, int width = emulator::WARP, Place where = Place::current()) {
  const int lane = emulator::lane_of_thread(), source = lane ^ bits;
  return shuffled(mask, value, source / width <= lane / width ? source : lane, where);
}
template <class T>
T __shfl_down_sync(uint32_t mask, T value, unsigned step, int width = emulator::WARP, Place where = Place::current()) {
  const int lane = emulator::lane_of_thread(), source = lane + int(step);
  return shuffled(mask, value, source / width == lane / width ? source : lane, where);
}
template <class T>
T __shfl_up_sync(uint32_t mask, T value, unsigned step, int width = emulator::WARP, Place where = Place::current()) {
  const int lane = emulator::lane_of_thread(), source = lane - int(step);
  return shuffled(mask, value, source >= lane / width * width ? source : lane, where);
}

inline uint32_t __ballot_sync(uint32_t mask, bool predicate, Place where = Place::current()) {
  return emulator::ballot(mask, predicate, where);
}
inline bool __any_sync(uint32_t mask, bool predicate, Place where = Place::current()) {
  return emulator::ballot(mask, predicate, where) != 0;
}
inline bool __all_sync(uint32_t mask, bool predicate, Place where = Place::current()) {
  return emulator::ballot(mask, !predicate, where) == 0;
}
template <class T>
uint32_t __match_any_sync(uint32_t mask, T value, Place where = Place::current()) {
  uint64_t wide = 0;
  __builtin_memcpy(&wide, &value, sizeof value);
  return emulator::match_any(mask, wide, where);
}

}  // namespace lamina::cuda
