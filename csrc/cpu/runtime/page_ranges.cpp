#include "cpu/runtime/page_ranges.h"

#include <algorithm>

namespace lamina {

char* PageRanges::take(size_t bytes) noexcept {
  auto best = ranges_.end();
  for (auto range = ranges_.begin(); range != ranges_.end(); ++range)
    if (range->bytes >= bytes && (best == ranges_.end() || range->bytes < best->bytes)) best = range;
  if (best == ranges_.end()) return nullptr;
  return cut(best, bytes);
}

PageRange PageRanges::take_from_largest(size_t bytes) noexcept {
  const auto largest = std::max_element(ranges_.begin(), ranges_.end(),
                                        [](const PageRange& a, const PageRange& b) { return a.bytes < b.bytes; });
  if (largest == ranges_.end()) return {nullptr, 0};
  const size_t taken = std::min(bytes, largest->bytes);
  return {cut(largest, taken), taken};
}

char* PageRanges::cut(std::vector<PageRange>::iterator range, size_t bytes) noexcept {
  range->bytes -= bytes;
  char* const end = range->end();
  if (range->bytes == 0) ranges_.erase(range);
  return end;
}

void PageRanges::add(PageRange range) {
  const auto after = std::lower_bound(ranges_.begin(), ranges_.end(), range,
                                      [](const PageRange& a, const PageRange& b) { return a.begin < b.begin; });
  const bool joins_after = after != ranges_.end() && range.end() == after->begin;
  const auto before = after == ranges_.begin() ? ranges_.end() : after - 1;
  if (before != ranges_.end() && before->end() == range.begin) {
    before->bytes += range.bytes;
    if (joins_after) {
      before->bytes += after->bytes;
      ranges_.erase(after);
    }
  } else if (joins_after) {
    *after = {range.begin, range.bytes + after->bytes};
  } else {
    ranges_.insert(after, range);
  }
}

}  // namespace lamina
