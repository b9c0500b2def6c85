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

/// Memory of this thread, 4096-byte aligned, kept and grown as needed; contents are undefined. A caller that
/// needs several buffers at once, or one that its workers only read, takes different slots. Throws
/// std::bad_alloc.
enum class Slot { caller, caller2, caller3, worker, worker2, gemm, count };
void* scratch(Slot slot, size_t bytes);

}  // namespace lamina
