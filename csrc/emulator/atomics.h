// Atomic operations on whole numbers. There are none on floating-point numbers: their sums would depend on the order.
//
// One thread runs at a time, so plain accesses would do; ThreadSanitizer must see that they are atomic. Without a fence
// before it an operation orders nothing, as on a GPU.
#pragma once
#include <type_traits>

#include "emulator/counters.h"
#include "emulator/scheduler.h"

namespace lamina::cuda {

template <class T, class F>
__forceinline__ T atomic_update(T* p, F&& f) {
  static_assert(std::is_integral_v<T>, "atomic operations are on whole numbers");
  if constexpr (emulator::COUNTED) emulator::count_access(emulator::Access::atomic, p, sizeof(T));
  const emulator::Uncounted rest;
  T old = __atomic_load_n(p, __ATOMIC_RELAXED);
  if (emulator::take_fence())
    while (!__atomic_compare_exchange_n(p, &old, f(old), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) continue;
  else
    while (!__atomic_compare_exchange_n(p, &old, f(old), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) continue;
  return old;
}
template <class T>
__forceinline__ T atomicAdd(T* p, std::type_identity_t<T> value) {
  return atomic_update(p, [&](T old) { return T(old + value); });
}
template <class T>
__forceinline__ T atomicMax(T* p, std::type_identity_t<T> value) {
  return atomic_update(p, [&](T old) { return old > value ? old : value; });
}
template <class T>
__forceinline__ T atomicMin(T* p, std::type_identity_t<T> value) {
  return atomic_update(p, [&](T old) { return old < value ? old : value; });
}
template <class T>
__forceinline__ T atomicOr(T* p, std::type_identity_t<T> value) {
  return atomic_update(p, [&](T old) { return T(old | value); });
}
template <class T>
__forceinline__ T atomicExch(T* p, std::type_identity_t<T> value) {
  return atomic_update(p, [&](T) { return value; });
}
template <class T>
__forceinline__ T atomicCAS(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  return atomic_update(p, [&](T old) { return old == expected ? value : old; });
}

inline void __threadfence() { emulator::set_fence(); }
inline void __nanosleep(unsigned, emulator::Place where = emulator::Place::current()) {
  emulator::wait_a_moment(where);
}
/// What another block has written before its fence is seen after this.
inline unsigned load_acquire(const unsigned* p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }

}  // namespace lamina::cuda
