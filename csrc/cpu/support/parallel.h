// Parallel loops for files compiled once per ISA.
#pragma once
#include "cpu/runtime/threads.h"
#include "cpu/support/simd.h"

namespace lamina::LAMINA_ISA {

/// f(begin, end) over [0, tasks), shared out among the threads. f must only write outputs of its own range.
/// work: what one task costs, in nanoseconds, roughly; below about 20 us in all there is no fork.
template <class F>
INLINE void parallel_for(int64_t tasks, double work, F&& f) {
  // One function for both ways to run: f is compiled once.
  const RangeBody body = [](void* context, int64_t begin, int64_t end) {
    (*static_cast<decltype(&f)>(context))(begin, end);
  };
  void* const context = const_cast<void*>(static_cast<const void*>(&f));
  if (tasks * work < 20e3 || tasks == 1) {
    if (tasks > 0) body(context, 0, tasks);
    return;
  }
  run_parallel(tasks, body, context);
}

template <class T>
INLINE T* scratch_for(Slot slot, int64_t count) {
  return static_cast<T*>(scratch(slot, size_t(count) * sizeof(T)));
}

}  // namespace lamina::LAMINA_ISA
