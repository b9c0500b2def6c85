// Runs a grid of CUDA threads on the CPU: a fiber each, one running at a time, in an order that can be chosen.
//
// A fiber runs until it waits: at a block's barrier, in a warp operation for its lanes, or in a loop that sleeps.
// Blocks run one after another; those of a cooperative launch live at the same time. Everything that goes wrong throws
// std::runtime_error from launch and names the launch, block, thread and line.
//
// Compiled without sanitizers: ThreadSanitizer is to see what kernels share, not how they are scheduled.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "emulator/types.h"

namespace lamina::emulator {

/// The order in which threads that could run do, and blocks.
enum class Order { forward, reverse, random };

struct Settings {
  Order order = Order::forward;
  uint64_t seed = 0;
  /// Asynchronous copies take place when they are waited for (true) or at once: the two ends of what a GPU may do.
  bool lazy_copies = true;
  /// Refuses what a GPU may let pass: threads that return while others wait for them.
  bool strict = true;
  /// What a block may have of shared memory: 227 KB, as from sm_90 on; sm_80 has 163, sm_86 and sm_89 99, sm_75 64.
  size_t shared_bytes = size_t(227) << 10;
};

/// For the launches from now on. The environment's LAMINA_EMULATOR_SCHEDULE (forward, reverse, random or random:7) and
/// LAMINA_EMULATOR_COPIES (lazy, eager) say how it starts out.
Settings& settings();

/// What has run so far.
struct Counts {
  uint64_t launches, blocks, threads, switches;
};
Counts counts();

constexpr int WARP = 32, MOST_THREADS = 1024, MULTIPROCESSORS = 3;

/// call(closure) once for every thread of the grid. cooperative: all blocks live at once.
void launch_grid(dim3 grid, dim3 block, size_t shared_bytes, bool cooperative, void (*call)(void*), void* closure);

// For the thread that runs now.

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

/// Ends the launch with an error.
[[noreturn, gnu::format(printf, 2, 3)]] void fail(Place where, const char* format, ...);

void wait_for_block(Place where);
/// Lets others run; to be called in a loop that waits for another block.
void wait_a_moment(Place where);

/// Runs operation(requests of all lanes, mask) once for the lanes of `mask`, which all have to come here.
using Operation = void (*)(void* const* requests, uint32_t mask);
void wait_for_warp(uint32_t mask, Operation operation, void* request, Place where);
int lane_of_thread();
/// The lanes of its warp that have not returned.
uint32_t live_lanes();

/// Memory of the block: the same for every thread that asks with the same key; NaN at first, and no byte larger than
/// asked for. `align`: of the type.
void* shared_memory(const void* key, size_t bytes, size_t align, Place where);
void* shared_memory_of_launch(Place where);

/// Copies to shared memory that are on their way; see copy_async.h.
struct Copy {
  void* to;
  const void* from;
  int bytes, valid;
};
struct Copies {
  static constexpr int MOST = 256, MOST_GROUPS = 64;
  Copy copy[MOST];
  int count, done, groups, groups_done;
  int end_of_group[MOST_GROUPS];
};
Copies& copies_of_thread();

// For counters.h.

/// The thread that runs, and how far it is.
struct Runner {
  uint64_t block;  // numbered through all launches; 0: no thread runs, but the host
  uint32_t slot;   // the block's number among those that are resident
  uint32_t warp, lane;
  uint32_t barriers;  // that its block has come to
  uint32_t waits;     // how often it has waited for its block or warp
};
Runner runner();
/// Whether it lies on the stack of the thread that runs, in shared memory of its block.
bool is_local(const void* p);
bool is_shared(const void* p);

/// A fence before an atomic operation gives it an order that others see. False from then on.
void set_fence();
bool take_fence();

}  // namespace lamina::emulator
