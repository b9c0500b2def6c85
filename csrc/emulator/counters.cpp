#include "emulator/counters.h"

#include <pthread.h>

#include <algorithm>
#include <bit>
#include <tuple>
#include <unordered_map>

#include "emulator/scheduler.h"

extern "C" __attribute__((visibility("hidden"))) const char __ehdr_start[], _end[];  // of the module in memory

namespace lamina::emulator {

int Uncounted::alive = 0;

namespace {

constexpr uintptr_t SECTOR = 32, WORD = 4;
constexpr unsigned BANKS = 32, QUARTER = 8;

/// A lane's bytes in a request.
struct Bytes {
  uintptr_t begin, end;
  bool operator<(const Bytes& other) const { return begin < other.begin; }
};

uint64_t pieces(uint64_t n, uint64_t size) { return (n + size - 1) / size; }

/// How many pieces of `size` bytes, on their boundaries, hold a byte of these, which are in order.
uint64_t touched(const Bytes* bytes, unsigned count, uintptr_t size) {
  uint64_t sum = 0;
  uintptr_t next = 0;  // piece
  for (unsigned i = 0; i < count; ++i) {
    const uintptr_t first = std::max(bytes[i].begin / size, next), end = (bytes[i].end - 1) / size + 1;
    if (end <= first) continue;
    sum += end - first;
    next = end;
  }
  return sum;
}

struct Cost {
  uint64_t cost, fewest;
};

/// All lanes that want a byte of a sector have it with the sector.
Cost cost_of_global(const Bytes* bytes, unsigned count) {
  return {touched(bytes, count, SECTOR), pieces(touched(bytes, count, 1), SECTOR)};
}

/// A bank gives one word a time, to all lanes that want it; atomic operations on a word take turns.
Cost cost_of_shared(const Bytes* bytes, unsigned count, bool atomic) {
  unsigned wanted[BANKS] = {}, words = 0;
  uintptr_t next = 0;
  for (unsigned i = 0; i < count; ++i)
    for (uintptr_t word = bytes[i].begin / WORD; word * WORD < bytes[i].end; ++word) {
      if (word < next && !atomic) continue;
      next = word + 1;
      ++wanted[word % BANKS];
      ++words;
    }
  return {*std::max_element(wanted, wanted + BANKS), pieces(words, BANKS)};
}

struct Site {
  AccessCounts sum;
  void add(const uintptr_t (&address)[WARP], uint32_t lanes) {
    // Lanes of 8 bytes are served by half warps in shared memory, those of 16 by quarters.
    const unsigned group = !sum.shared || sum.bytes <= WORD ? WARP : sum.bytes <= 2 * WORD ? 2 * QUARTER : QUARTER;
    for (unsigned first = 0; first < WARP; first += group) {
      Bytes bytes[WARP];
      unsigned count = 0;
      for (unsigned i = first; i < first + group; ++i)
        if (lanes >> i & 1) bytes[count++] = {address[i], address[i] + sum.bytes};
      if (count == 0) continue;
      std::sort(bytes, bytes + count);
      const Cost c =
          sum.shared ? cost_of_shared(bytes, count, sum.access == Access::atomic) : cost_of_global(bytes, count);
      sum.cost += c.cost;
      sum.fewest += c.fewest;
    }
    ++sum.requests;
    sum.lanes += unsigned(std::popcount(lanes));
  }
};

/// Which request of a site a lane has a part in: its `turn`-th there since it last waited.
struct RequestKey {
  uint32_t site, warp, waits, turn;
  bool operator==(const RequestKey&) const = default;
};
struct Hash {
  size_t operator()(const RequestKey& k) const {
    return ((uint64_t(k.site) << 32 | k.waits) * 0x9E3779B97F4A7C15ULL) ^
           ((uint64_t(k.warp) << 32 | k.turn) * 0xC2B2AE3D27D4EB4FULL);
  }
};
struct Request {
  uint32_t lanes = 0;
  uintptr_t address[WARP];
};
struct Turn {
  uint64_t block = 0;
  uint32_t waits = 0, next = 0;
};

/// A block's requests since its last barrier: nobody comes back to those before it.
struct Pending {
  uint64_t block = 0;
  uint32_t barriers = 0;
  std::unordered_map<RequestKey, Request, Hash> requests;
  std::vector<Turn> turns;  // of each thread at each site
};

using SiteKey = std::tuple<uintptr_t, bool, Access, size_t>;
struct SiteHash {
  size_t operator()(const SiteKey& k) const {
    return (std::get<0>(k) * 4 + std::get<1>(k)) * 0x9E3779B97F4A7C15ULL ^ std::get<3>(k) * 8 ^ size_t(std::get<2>(k));
  }
};

struct Counter {
  std::vector<Site> sites;
  std::unordered_map<SiteKey, uint32_t, SiteHash> by_key;
  std::vector<Pending> pending;  // by resident block

  void finish(Pending& p) {
    for (const auto& [key, request] : p.requests) sites[key.site].add(request.address, request.lanes);
    p.requests.clear();
  }
  void add(const Runner& r, uint32_t site, uintptr_t address) {
    if (pending.size() <= r.slot) pending.resize(r.slot + 1);
    Pending& p = pending[r.slot];
    if (p.block != r.block || p.barriers != r.barriers) finish(p);
    p.block = r.block;
    p.barriers = r.barriers;
    const size_t at = site * size_t(MOST_THREADS) + r.warp * WARP + r.lane;
    if (p.turns.size() <= at) p.turns.resize(sites.size() * MOST_THREADS);
    Turn& turn = p.turns[at];
    if (turn.block != r.block || turn.waits != r.waits) turn = {r.block, r.waits, 0};
    Request& request = p.requests[{site, r.warp, r.waits, turn.next++}];
    request.lanes |= 1u << r.lane;
    request.address[r.lane] = address;
  }
};
Counter& counter() {
  static Counter* const c = new Counter;
  return *c;
}

/// Where a launch's arguments lie before each thread has its copy: constant memory on a GPU.
bool on_stack_of_host(uintptr_t address) {
  struct Stack {
    uintptr_t begin, bytes;
    Stack() {
      pthread_attr_t attributes;
      void* start = nullptr;
      size_t size = 0;
      pthread_getattr_np(pthread_self(), &attributes);
      pthread_attr_getstack(&attributes, &start, &size);
      pthread_attr_destroy(&attributes);
      begin = reinterpret_cast<uintptr_t>(start), bytes = size;
    }
  };
  static thread_local const Stack stack;
  return address - stack.begin < stack.bytes;
}

/// threadIdx and its like, and constants.
bool in_module(uintptr_t address) {
  return address >= reinterpret_cast<uintptr_t>(__ehdr_start) && address < reinterpret_cast<uintptr_t>(_end);
}

void count_at(const void* place, Access access, const void* p, size_t bytes) {
  if (Uncounted::alive) return;
  const Runner r = runner();
  const uintptr_t address = reinterpret_cast<uintptr_t>(p);
  if (!r.block || is_local(p) || in_module(address) || on_stack_of_host(address)) return;
  constexpr size_t MOST = 16;  // at once
  Counter& c = counter();
  const uintptr_t file_place = reinterpret_cast<uintptr_t>(place) - reinterpret_cast<uintptr_t>(__ehdr_start) - 1;
  for (size_t done = 0; done < bytes; done += MOST) {
    const size_t size = std::min(MOST, bytes - done);
    const bool shared = is_shared(p);
    const auto [found, fresh] = c.by_key.try_emplace({file_place, shared, access, size}, uint32_t(c.sites.size()));
    if (fresh) c.sites.push_back({{file_place, shared, access, uint32_t(size), 0, 0, 0, 0}});
    c.add(r, found->second, address + done);
  }
}

}  // namespace

void count_access(Access access, const void* p, size_t bytes) {
  count_at(__builtin_return_address(0), access, p, bytes);
}

std::vector<AccessCounts> take_access_counts() {
  Counter& c = counter();
  for (Pending& p : c.pending) c.finish(p);
  std::vector<AccessCounts> all;
  for (const Site& s : c.sites) all.push_back(s.sum);
  c = {};
  return all;
}

}  // namespace lamina::emulator

// What g++ calls with -fsanitize=thread: here instead of libtsan's.
using lamina::emulator::Access;
using lamina::emulator::count_at;
#define SEEN(bytes)                                                                                   \
  void __tsan_read##bytes(void* p) { count_at(__builtin_return_address(0), Access::load, p, bytes); } \
  void __tsan_write##bytes(void* p) { count_at(__builtin_return_address(0), Access::store, p, bytes); }
#define SEEN_UNALIGNED(bytes)                                                                                   \
  void __tsan_unaligned_read##bytes(void* p) { count_at(__builtin_return_address(0), Access::load, p, bytes); } \
  void __tsan_unaligned_write##bytes(void* p) { count_at(__builtin_return_address(0), Access::store, p, bytes); }
// atomics.h counts them.
#define SEEN_ATOMIC(bits)                                                                                  \
  uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t* p, int) {                       \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                           \
  }                                                                                                        \
  bool __tsan_atomic##bits##_compare_exchange_strong(volatile uint##bits##_t* p, uint##bits##_t* expected, \
                                                     uint##bits##_t value, int, int) {                     \
    return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);     \
  }
extern "C" {
void __tsan_init() {}
void __tsan_vptr_update(void*, void*) {}
SEEN(1)
SEEN(2)
SEEN(4)
SEEN(8)
SEEN(16)
SEEN_UNALIGNED(2)
SEEN_UNALIGNED(4)
SEEN_UNALIGNED(8)
SEEN_UNALIGNED(16)
SEEN_ATOMIC(8)
SEEN_ATOMIC(16)
SEEN_ATOMIC(32)
SEEN_ATOMIC(64)
void __tsan_read_range(void* p, size_t bytes) { count_at(__builtin_return_address(0), Access::load, p, bytes); }
void __tsan_write_range(void* p, size_t bytes) { count_at(__builtin_return_address(0), Access::store, p, bytes); }
}
