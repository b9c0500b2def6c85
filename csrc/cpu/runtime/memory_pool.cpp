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

size_t page_size() {
  const long size = sysconf(_SC_PAGESIZE);
  return size > 0 ? size_t(size) : size_t(64) << 10;
}

/// What the pool keeps at most: 4 GB, or a quarter of a smaller machine's memory.
size_t default_cap() {
  constexpr size_t MOST = size_t(4) << 30;
  const long pages = sysconf(_SC_PHYS_PAGES);
  return pages <= 0 ? MOST : std::min(MOST, size_t(pages) / 4 * page_size());
}

}  // namespace

// Never destroyed: arrays may be freed after static destructors ran.
MemoryPool& MemoryPool::instance() {
  static MemoryPool* pool = new MemoryPool;
  return *pool;
}

MemoryPool::MemoryPool() : page_(page_size()) {
  stats_.cap = default_cap();
  pthread_atfork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); },
                 [] { instance().mutex_.unlock(); });
}

// Four classes an octave from 64 bytes: 64, 80, 96, 112, 128, 160, ...
int MemoryPool::size_class(size_t bytes) {
  const size_t n = std::max<size_t>(bytes, 64) - 1;
  const int top = int(std::bit_width(n)) - 1;
  return top < 6 ? 0 : (top - 6) * 4 + int(n >> (top - 2) & 3) + 1;
}
size_t MemoryPool::class_size(int size_class) {
  if (size_class == 0) return 64;
  const int octave = (size_class - 1) / 4, quarter = (size_class - 1) % 4;
  return (size_t(64) << octave) + (size_t(quarter + 1) << (octave + 4));
}

/// What a block takes: a small one the size of its class, with a header beside it; a large one pages, header included.
size_t MemoryPool::block_size(size_t bytes) const {
  if (bytes > size_t(1) << 60) throw std::bad_alloc();
  return bytes <= SMALL ? class_size(size_class(bytes)) : round_up(bytes + ALIGNMENT, page_);
}

char* MemoryPool::cached_block(size_t size) noexcept {
  if (size > SMALL) return free_pages_.take(size);
  std::vector<char*>& blocks = free_[size_class(size)];
  if (blocks.empty()) return nullptr;
  char* const raw = blocks.back();
  blocks.pop_back();
  return raw;
}

char* MemoryPool::new_block(size_t size) noexcept {
  if (size <= SMALL) return static_cast<char*>(std::aligned_alloc(ALIGNMENT, round_up(size + ALIGNMENT, ALIGNMENT)));
  const size_t mapped = std::max(round_up(size, HUGE_PAGE), LEAST_MAPPED);
  void* const pages = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return nullptr;
#ifdef MADV_HUGEPAGE
  madvise(pages, mapped, MADV_HUGEPAGE);
#endif
  try {
    free_pages_.add({static_cast<char*>(pages), mapped});
  } catch (const std::bad_alloc&) {
    munmap(pages, mapped);
    return nullptr;
  }
  stats_.cached += mapped - size;
  char* const raw = free_pages_.take(size);
  if (stats_.cached > stats_.cap) give_back(stats_.cap);
  return raw;
}

// A header of one alignment unit in front of the block knows its size.
void* MemoryPool::allocate(size_t bytes) {
  const size_t size = block_size(bytes);
  std::lock_guard lock(mutex_);
  ++stats_.allocations;
  char* raw = cached_block(size);
  if (raw) {
    stats_.cached -= size;
    ++stats_.hits;
  } else {
    raw = new_block(size);
    if (!raw) {
      give_back(0);  // what the cache holds may be what is missing
      raw = new_block(size);
    }
    if (!raw) throw std::bad_alloc();
  }
  stats_.in_use += size;
  *reinterpret_cast<size_t*>(raw) = size;
  return raw + ALIGNMENT;
}

void MemoryPool::release(void* block) noexcept {
  char* const raw = static_cast<char*>(block) - ALIGNMENT;
  const size_t size = *reinterpret_cast<size_t*>(raw);
  std::lock_guard lock(mutex_);
  stats_.in_use -= size;
  size > SMALL ? release_pages({raw, size}) : release_small(raw, size);
}

/// Whether free memory is cached: the cap has room for it, and there is memory to remember it.
template <class Remember>
bool MemoryPool::cache(size_t size, const Remember& remember) noexcept {
  if (stats_.cached + size > stats_.cap) return false;
  try {
    remember();
  } catch (const std::bad_alloc&) {
    return false;
  }
  stats_.cached += size;
  return true;
}

void MemoryPool::release_small(char* raw, size_t size) noexcept {
  if (!cache(size, [&] { free_[size_class(size)].push_back(raw); })) std::free(raw);
}

void MemoryPool::release_pages(PageRange pages) noexcept {
  if (!cache(pages.bytes, [&] { free_pages_.add(pages); })) munmap(pages.begin, pages.bytes);
}

void MemoryPool::give_back(size_t keep) noexcept {
  while (stats_.cached > keep) {
    const PageRange pages = free_pages_.take_from_largest(round_up(stats_.cached - keep, page_));
    if (pages.bytes == 0) break;
    stats_.cached -= pages.bytes;
    munmap(pages.begin, pages.bytes);
  }
  for (int c = CLASSES - 1; c >= 0; --c)
    while (stats_.cached > keep && !free_[c].empty()) {
      stats_.cached -= class_size(c);
      std::free(free_[c].back());
      free_[c].pop_back();
    }
}

void MemoryPool::trim(size_t keep) {
  std::lock_guard lock(mutex_);
  give_back(keep);
}

void MemoryPool::set_cap(size_t bytes) {
  std::lock_guard lock(mutex_);
  stats_.cap = bytes;
  give_back(bytes);
}

MemoryPool::Stats MemoryPool::stats() {
  std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace lamina
