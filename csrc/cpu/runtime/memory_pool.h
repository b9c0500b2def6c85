// A caching pool of memory blocks: the same sizes, allocated and freed again and again, cost no page fault.
//
// Fresh memory costs 0.5 ms a megabyte on a virtual machine, more than most work done on it. Blocks are 64-byte
// aligned. Small ones, up to a megabyte, come in size classes, four an octave, which waste at most 25 %. Large ones are
// cut by the page from ranges of huge pages; freed, they join their neighbours, so that what one size gave back serves
// any other. Freed memory is kept up to a cap: 4 GB, or a quarter of the machine's memory.
#pragma once
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "cpu/runtime/page_ranges.h"

namespace lamina {

class MemoryPool {
 public:
  struct Stats {
    size_t in_use, cached, cap;  // bytes
    int64_t allocations, hits;
  };

  static MemoryPool& instance();

  void* allocate(size_t bytes);  // throws std::bad_alloc
  void release(void* block) noexcept;
  void trim(size_t keep);  // gives cached memory back, large pieces first, until at most `keep` bytes stay
  void set_cap(size_t bytes);
  Stats stats();

 private:
  MemoryPool();
  static constexpr size_t ALIGNMENT = 64, SMALL = size_t(1) << 20, HUGE_PAGE = size_t(2) << 20;
  static constexpr size_t LEAST_MAPPED = size_t(32) << 20;  // at once; what nobody has written to takes no memory
  static constexpr int CLASSES = 4 * 14 + 1;                // up to SMALL
  static int size_class(size_t bytes);
  static size_t class_size(int size_class);
  size_t block_size(size_t bytes) const;
  // These are called with mutex_ held.
  char* cached_block(size_t size) noexcept;
  char* new_block(size_t size) noexcept;
  template <class Remember>
  bool cache(size_t size, const Remember& remember) noexcept;
  void release_small(char* raw, size_t size) noexcept;
  void release_pages(PageRange pages) noexcept;
  void give_back(size_t keep) noexcept;

  const size_t page_;
  std::mutex mutex_;
  std::vector<char*> free_[CLASSES];
  PageRanges free_pages_;
  Stats stats_{};
};

}  // namespace lamina
