// Asynchronous copies from global to shared memory (cp.async): done when they are waited for, or at once. A program
// that is right gives the same either way.
#pragma once
#include "emulator/counters.h"
#include "emulator/scheduler.h"

namespace lamina::emulator {

/// Word by word, by the thread itself, so that sanitizers see it.
inline void perform(const Copy& c) {
  auto* const to = static_cast<uint32_t*>(c.to);
  const auto* const from = static_cast<const uint32_t*>(c.from);
  for (int i = 0; i < c.bytes / 4; ++i) to[i] = 4 * i < c.valid ? from[i] : 0;
}

/// Makes room where some copies are always on their way.
inline void forget_done(Copies& c) {
  for (int i = c.done; i < c.count; ++i) c.copy[i - c.done] = c.copy[i];
  for (int group = c.groups_done; group < c.groups; ++group) c.end_of_group[group % Copies::MOST_GROUPS] -= c.done;
  c.count -= c.done;
  c.done = 0;
}

}  // namespace lamina::emulator

namespace lamina::cuda {

using emulator::Copies;
using emulator::Place;

/// BYTES (4, 8 or 16) from global to shared memory, zeros where not `valid`; both aligned to BYTES.
template <int BYTES>
__forceinline__ void copy_async(void* to, const void* from, bool valid = true, Place where = Place::current()) {
  static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16);
  if (reinterpret_cast<uintptr_t>(to) % BYTES || (valid && reinterpret_cast<uintptr_t>(from) % BYTES))
    emulator::fail(where, "copy_async of %d bytes between addresses that are not multiples of it", BYTES);
  if constexpr (emulator::COUNTED) {
    if (valid) emulator::count_access(emulator::Access::load, from, BYTES);
    emulator::count_access(emulator::Access::store, to, BYTES);
  }
  const emulator::Uncounted rest;
  const emulator::Copy copy{to, from, BYTES, valid ? BYTES : 0};
  if (!emulator::settings().lazy_copies) return emulator::perform(copy);
  Copies& c = emulator::copies_of_thread();
  if (c.count == Copies::MOST) emulator::forget_done(c);
  if (c.count == Copies::MOST) emulator::fail(where, "more than %d copies on their way", Copies::MOST);
  c.copy[c.count++] = copy;
}

inline void commit_copies() {
  const emulator::Uncounted all;
  Copies& c = emulator::copies_of_thread();
  c.end_of_group[c.groups++ % Copies::MOST_GROUPS] = c.count;
}

/// Until at most PENDING of the groups committed last are on their way.
template <int PENDING>
void wait_for_copies() {
  const emulator::Uncounted all;
  Copies& c = emulator::copies_of_thread();
  for (; c.groups_done < c.groups - PENDING; ++c.groups_done)
    for (const int end = c.end_of_group[c.groups_done % Copies::MOST_GROUPS]; c.done < end; ++c.done)
      emulator::perform(c.copy[c.done]);
  if (c.done == c.count && c.groups_done == c.groups) c.count = c.done = c.groups = c.groups_done = 0;
}

}  // namespace lamina::cuda
