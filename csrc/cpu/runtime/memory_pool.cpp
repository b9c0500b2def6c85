#include "cpu/runtime/memory_pool.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

namespace lamina {
namespace {

size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/// What the pool keeps at most: 4 GB, or a quarter of a smaller machine's memory.
size_t default_cap() {
  constexpr size_t MOST = size_t(4) << 30;
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page <= 0) return MOST;
  return std::min(MOST, size_t(pages) / 4 * size_t(page));
}

}  // namespace

// Never destroyed: arrays may be freed after static destructors ran.
MemoryPool& MemoryPool::instance() {
  static MemoryPool* pool = new MemoryPool;
  return *pool;
}

MemoryPool::MemoryPool() {
  stats_.cap = default_cap();
  pthread_atfork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); },
                 [] { instance().mutex_.unlock(); });
}

// Four classes an octave from 64 bytes: 64, 80, 96, 112, 128, 160, ...
int MemoryPool::size_class(size_t bytes) {
  if (bytes > size_t(1) << 60) throw std::bad_alloc();
  const size_t n = std::max<size_t>(bytes, 64) - 1;
  const int top = int(std::bit_width(n)) - 1;
  return top < 6 ? 0 : (top - 6) * 4 + int(n >> (top - 2) & 3) + 1;
}
size_t MemoryPool::class_size(int size_class) {
  if (size_class == 0) return 64;
  const int octave = (size_class - 1) / 4, quarter = (size_class - 1) % 4;
  return (size_t(64) << octave) + (size_t(quarter + 1) << (octave + 4));
}

// A header of one alignment unit in front of the block knows its class.
void* MemoryPool::raw_allocate(int size_class) {
  const size_t size = class_size(size_class) + ALIGNMENT;
  const bool large = size >= HUGE_PAGE;
  const size_t alignment = large ? HUGE_PAGE : ALIGNMENT;
  char* raw = static_cast<char*>(std::aligned_alloc(alignment, round_up(size, alignment)));
  if (!raw) return nullptr;
#ifdef MADV_HUGEPAGE
  if (large) madvise(raw, round_up(size, alignment), MADV_HUGEPAGE);
#endif
  *reinterpret_cast<int64_t*>(raw) = size_class;
  return raw + ALIGNMENT;
}

void* MemoryPool::allocate(size_t bytes) {
  const int c = size_class(bytes);
  {
    std::lock_guard lock(mutex_);
    ++stats_.allocations;
    stats_.in_use += class_size(c);
    if (!free_[c].empty()) {
      void* block = free_[c].back();
      free_[c].pop_back();
      stats_.cached -= class_size(c);
      ++stats_.hits;
      return block;
    }
  }
  void* block = raw_allocate(c);
  if (!block) {
    trim(0);  // what the cache holds may be what is missing
    block = raw_allocate(c);
  }
  if (!block) {
    std::lock_guard lock(mutex_);
    stats_.in_use -= class_size(c);
    throw std::bad_alloc();
  }
  return block;
}

void MemoryPool::release(void* block) noexcept {
  char* raw = static_cast<char*>(block) - ALIGNMENT;
  const int c = int(*reinterpret_cast<int64_t*>(raw));
  {
    std::lock_guard lock(mutex_);
    stats_.in_use -= class_size(c);
    if (stats_.cached + class_size(c) <= stats_.cap) {
      try {
        free_[c].push_back(block);
        stats_.cached += class_size(c);
        return;
      } catch (const std::bad_alloc&) {  // no room to remember it: give it back
      }
    }
  }
  std::free(raw);
}

void MemoryPool::trim(size_t keep) {
  for (;;) {  // one block at a time: nothing to allocate here, where memory may be short
    void* block = nullptr;
    {
      std::lock_guard lock(mutex_);
      for (int c = CLASSES - 1; c >= 0 && stats_.cached > keep && !block; --c)
        if (!free_[c].empty()) {
          block = free_[c].back();
          free_[c].pop_back();
          stats_.cached -= class_size(c);
        }
    }
    if (!block) return;
    std::free(static_cast<char*>(block) - ALIGNMENT);
  }
}

void MemoryPool::set_cap(size_t bytes) {
  {
    std::lock_guard lock(mutex_);
    stats_.cap = bytes;
  }
  trim(bytes);
}

MemoryPool::Stats MemoryPool::stats() {
  std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace lamina
