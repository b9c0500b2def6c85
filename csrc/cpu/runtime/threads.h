// The thread pool: workers that spin briefly between regions, then sleep. No OpenMP runtime, and a forked
// child works.
//
// A region is cut into at most num_threads() contiguous ranges, one a thread, the caller's included. Kernels
// split outputs, never a sum, so no result depends on the cut.
#pragma once
#include <cstddef>
#include <cstdint>

namespace lamina {

int num_threads();
void set_num_threads(int count);  // throws std::invalid_argument below 1

/// body(context, begin, end) over [0, tasks), in parallel. Runs on the caller alone inside another region, or
/// while another thread has the pool. What body throws in a worker is thrown again here.
using RangeBody = void (*)(void* context, int64_t begin, int64_t end);
void run_parallel(int64_t tasks, RangeBody body, void* context);

/// body(context, part, parts), with part from 0 to parts - 1, each on a thread of its own, all at the same time, so
/// that they may wait for one another at a Barrier. parts is at most `most`, and settled before the first begins: a
/// worker that does not come at once (it sleeps, or another program has its processor) is done without; 1 inside
/// another region, or while another thread has the pool. body must not throw: the others would wait for ever.
using TogetherBody = void (*)(void* context, int part, int parts);
void run_together(int most, TogetherBody body, void* context);

/// Where the parts of run_together wait until all `parties` have come; what any wrote before, all see afterwards.
/// Zeros are a new one: an array of them needs no constructor.
class alignas(64) Barrier {
 public:
  void wait(int parties);

 private:
  int arrived_ = 0, phase_ = 0;
};

/// Memory of this thread, 4096-byte aligned, kept and grown as needed; contents are undefined. A caller that
/// needs several buffers at once, or one that its workers only read, takes different slots. Throws
/// std::bad_alloc.
enum class Slot { caller, caller2, caller3, worker, worker2, gemm, count };
void* scratch(Slot slot, size_t bytes);

}  // namespace lamina
