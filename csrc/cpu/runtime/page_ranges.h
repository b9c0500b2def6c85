// Free memory in whole pages: ranges in the order of their addresses, of which neighbours join. What is taken is cut
// from the end of a range: systems map new memory below the old, where it joins what is left of that.
#pragma once
#include <cstddef>
#include <vector>

namespace lamina {

struct PageRange {
  char* begin;
  size_t bytes;
  char* end() const { return begin + bytes; }
};

/// Whoever uses it from several threads locks it.
class PageRanges {
 public:
  /// From the smallest range that holds them, the lowest of equals. nullptr: none does.
  char* take(size_t bytes) noexcept;

  /// All of the largest range, or so many bytes. Without a range, none.
  PageRange take_from_largest(size_t bytes) noexcept;

  void add(PageRange range);  // throws std::bad_alloc

 private:
  char* cut(std::vector<PageRange>::iterator range, size_t bytes) noexcept;

  std::vector<PageRange> ranges_;  // hundreds at most where blocks are large, so that looking at all of them is quick
};

}  // namespace lamina
