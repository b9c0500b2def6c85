// Counts what memory accesses would cost a GPU: sectors of global memory, wavefronts of shared memory.
//
// In the build "counted" g++ calls __tsan_read4 and its like at each load and store of a kernel, as it would for
// ThreadSanitizer; counters.cpp answers. The n-th execution of one place in the code by each lane of a warp, since the
// lanes last waited for each other, is one request, as a GPU would make it; requests are added up by place.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lamina::emulator {

#ifdef LAMINA_EMULATOR_COUNTED
constexpr bool COUNTED = true;
#else
constexpr bool COUNTED = false;
#endif

enum class Access : uint8_t { load, store, atomic };

/// All requests of one place in the code to one kind of memory.
struct AccessCounts {
  uintptr_t place;  // the instruction, in the module's file
  bool shared;
  Access access;
  uint32_t bytes;  // that a lane asks for at once
  uint64_t requests, lanes;
  uint64_t cost;    // sectors of 32 bytes that were touched; wavefronts
  uint64_t fewest;  // of them that could hold the same bytes
};

/// What has been counted since the last call.
std::vector<AccessCounts> take_access_counts();

/// An access of the thread that runs, by the code that calls this.
void count_access(Access access, const void* p, size_t bytes);

/// While one lives nothing is counted: what it guards stands for one instruction, which is counted by itself.
class Uncounted {
 public:
  Uncounted() {
    if constexpr (COUNTED) ++alive;
  }
  ~Uncounted() {
    if constexpr (COUNTED) --alive;
  }
  Uncounted(const Uncounted&) = delete;
  Uncounted& operator=(const Uncounted&) = delete;
  static int alive;
};

}  // namespace lamina::emulator
