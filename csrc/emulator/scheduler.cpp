#include "emulator/scheduler.h"

#include <sys/mman.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "emulator/counters.h"
#include "emulator/fiber.h"

namespace lamina::emulator {

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace {

enum class State { ready, at_barrier, in_warp, done };

struct Block;

struct Thread {
  Fiber fiber;
  Block* block;
  uint3 index;
  int lane, warp;
  State state;
  Place where;    // it waits here
  uint32_t mask;  // of the warp operation that it is in
  void* request;
  Operation operation;
  uint32_t waits;
  bool fence;
  Copies copies;
};

struct Warp {
  Thread* lane[WARP];
  uint32_t live, waiting, phase;
  char tag[2];
};

struct Shared {
  const void* key;
  void* memory;
  size_t bytes;
};

struct Block {
  uint64_t number;
  uint32_t slot;
  uint3 index;
  int live, waiting;
  uint32_t phase;
  char tag[2];
  Place barrier;
  Warp warp[MOST_THREADS / WARP];
  std::vector<Shared> shared;
  void* of_launch;
  size_t bytes_used;
  char* arena;  // where ARENA is set
};

constexpr int64_t MOST_RESIDENT = 16384;    // threads at once: stacks are mappings, of which there are not many more
constexpr uint64_t MOST_MOMENTS = 1000000;  // of waiting in which nothing happens
constexpr size_t ARENA_BYTES = size_t(256) << 10;
#ifdef LAMINA_EMULATOR_TSAN
constexpr bool TSAN = true;
#else
constexpr bool TSAN = false;
#endif
/// A block's shared memory lies together, in a fresh mapping: ThreadSanitizer would take an allocation for a write, and
/// banks follow from where it begins.
constexpr bool ARENA = TSAN || COUNTED;

/// One launch at a time, in one thread of the operating system.
struct Scheduler {
  std::mutex busy;
  Counts counts{};
  std::vector<std::unique_ptr<Thread>> pool;
  std::vector<Thread*> resident;
  std::vector<std::unique_ptr<Block>> blocks;

  std::vector<Thread*> ready;  // a ring
  size_t first = 0, number = 0;
  Thread* running = nullptr;
  Fiber main;
  int64_t live = 0;
  uint64_t random_state = 0, moments = 0;
  Settings now;
  void (*call)(void*) = nullptr;
  void* closure = nullptr;
  size_t shared_bytes = 0;
  Place launched;
  std::string error;
  char launch_tag;

  uint64_t random() {  // xorshift64*
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (random_state * 0x2545F4914F6CDD1DULL) >> 33;
  }
  void make_ready(Thread* t) {
    t->state = State::ready;
    ready[(first + number++) % ready.size()] = t;
  }
  Thread* next_ready() {
    if (now.order == Order::random) std::swap(ready[first], ready[(first + random() % number) % ready.size()]);
    Thread* const t = ready[first];
    first = (first + 1) % ready.size();
    --number;
    return t;
  }
  /// Leaves the running thread for the next one that can run, or for the launch at the end.
  void go_on(bool ends = false);
  void run_resident();
};

Scheduler& scheduler() {
  static Scheduler* const s = new Scheduler;  // never destroyed, as its fibers are not
  return *s;
}

std::string text(const char* format, va_list arguments) {
  char buffer[1024];
  vsnprintf(buffer, sizeof buffer, format, arguments);
  return buffer;
}

const char* short_name(const char* path) {
  const char* const slash = std::strrchr(path, '/');
  return slash ? slash + 1 : path;
}

std::string place_text(const Place& p) {
  return std::string(short_name(p.file_name())) + ":" + std::to_string(p.line());
}

std::string at(const Thread& t) {
  const uint3 b = t.block->index, i = t.index;
  char buffer[160];
  snprintf(buffer, sizeof buffer, "block (%u, %u, %u), thread (%u, %u, %u)", b.x, b.y, b.z, i.x, i.y, i.z);
  return buffer;
}

std::string launch_text() {
  const Place& p = scheduler().launched;
  return "kernel launched at " + place_text(p) + " in " + p.function_name();
}

/// Every thread waits: says for what.
std::string deadlock() {
  Scheduler& s = scheduler();
  std::string message = "deadlock: a barrier or warp operation that not all its threads come to";
  int told = 0;
  const Thread* last = nullptr;
  for (const Thread* t : s.resident) {
    if (t->state == State::done || (last && last->where.line() == t->where.line())) continue;
    last = t;
    if (++told > 6) break;
    message += "\n  " + at(*t) + " waits at " + place_text(t->where) +
               (t->state == State::at_barrier ? " for its block" : " for its warp");
  }
  return message;
}

/// A wave of blocks is over, or has failed: back to launch_grid.
void back_to_launch(bool ends) {
  Scheduler& s = scheduler();
  Fiber& from = s.running->fiber;
  s.running = nullptr;
  Fiber::change(from, s.main, ends);
}

void Scheduler::go_on(bool ends) {
  if (live == 0) return back_to_launch(ends);
  if (number == 0) {
    error = deadlock();
    return back_to_launch(true);
  }
  Thread *const from = running, *const to = next_ready();
  if (from == to) return;
  running = to;
  ++counts.switches;
  threadIdx = to->index;
  blockIdx = to->block->index;
  Fiber::change(from ? from->fiber : main, to->fiber, ends);
}

/// The lanes or threads for which `ready` holds go on, in the order of the schedule.
template <class Threads, class F>
void release(const Threads& threads, int count, F&& waits) {
  Scheduler& s = scheduler();
  const bool reverse = s.now.order == Order::reverse;
  for (int i = 0; i < count; ++i) {
    Thread* const t = threads(reverse ? count - 1 - i : i);
    if (t && waits(*t)) s.make_ready(t);
  }
}

void release_block(Block& b) {
  b.waiting = 0;
  ++b.phase;
  release([&](int i) { return b.warp[i / WARP].lane[i % WARP]; }, MOST_THREADS,
          [](const Thread& t) { return t.state == State::at_barrier; });
}

/// If all lanes of t's operation have come: runs it and lets them go on, all but the one that runs now.
bool complete_warp(Warp& w, const Thread& t) {
  const uint32_t wanted = t.mask & w.live;
  if ((w.waiting & wanted) != wanted) return false;
  void* requests[WARP] = {};
  for (int i = 0; i < WARP; ++i) {
    if (!(wanted >> i & 1)) continue;
    const Thread& other = *w.lane[i];
    if (other.mask != t.mask)
      fail(t.where, "one warp operation with two masks: lane %d has %08x, lane %d has %08x", t.lane, t.mask, i,
           other.mask);
    if (other.where.line() != t.where.line())
      fail(t.where, "lanes %d and %d of a warp are in two operations: lines %u and %u", t.lane, i,
           unsigned(t.where.line()), unsigned(other.where.line()));
    requests[i] = other.request;
  }
  t.operation(requests, wanted);
  w.waiting &= ~wanted;
  ++w.phase;
  release([&](int i) { return wanted >> i & 1 ? w.lane[i] : nullptr; }, WARP,
          [](const Thread& other) { return &other != scheduler().running; });
  return true;
}

/// What the fiber of a thread runs.
void run_thread() {
  Scheduler& s = scheduler();
  happens_after(&s.launch_tag);
  s.call(s.closure);
  happens_before(&s.main);
  Thread& t = *s.running;
  Block& b = *t.block;
  Warp& w = b.warp[t.warp];
  t.state = State::done;
  --s.live;
  s.moments = 0;
  if (s.now.strict && b.waiting) fail(b.barrier, "a thread returned while others of its block wait here");
  for (int i = 0; i < WARP && s.now.strict; ++i)
    if (w.waiting >> i & 1 && w.lane[i]->mask >> t.lane & 1)
      fail(w.lane[i]->where, "lane %d returned while others of its warp wait for it here", t.lane);
  w.live &= ~(1u << t.lane);
  --b.live;
  // Threads that have returned hold nobody back.
  if (b.live && b.waiting == b.live) release_block(b);
  for (int i = 0; i < WARP; ++i)
    if (w.waiting >> i & 1) complete_warp(w, *w.lane[i]);
  s.go_on(true);
}

void check_size(dim3 grid, dim3 block, size_t shared_bytes, bool cooperative, int64_t threads, int64_t blocks) {
  const auto refuse = [&](const std::string& what) {
    throw std::runtime_error("emulator: " + launch_text() + ": " + what);
  };
  if (threads < 1 || threads > MOST_THREADS || block.z > 64)
    refuse("a block of " + std::to_string(threads) + " threads");
  if (blocks < 1 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
    refuse("a grid of " + std::to_string(grid.x) + " x " + std::to_string(grid.y) + " x " + std::to_string(grid.z) +
           " blocks");
  if (shared_bytes > settings().shared_bytes) refuse(std::to_string(shared_bytes) + " bytes of shared memory");
  if (cooperative && blocks * threads > MOST_RESIDENT) refuse("a cooperative grid that is not resident at once");
}

void free_shared(Block& b) {
  if (ARENA) {
    munmap(b.arena, ARENA_BYTES);
  } else {
    for (const Shared& s : b.shared) free(s.memory);
    free(b.of_launch);
  }
}

/// Shared memory of exactly this size, so that AddressSanitizer sees its ends.
void* allocate_shared(Block& b, size_t bytes, size_t align, Place where) {
  const size_t before = b.bytes_used;
  b.bytes_used = (before + bytes + 127) / 128 * 128;
  if (b.bytes_used > scheduler().now.shared_bytes) fail(where, "%zu bytes of shared memory", b.bytes_used);
  void* memory;
  if (ARENA)
    memory = b.arena + before;
  else if (posix_memalign(&memory, align < 16 ? 16 : align, bytes))
    fail(where, "no memory");
  auto* const byte = static_cast<volatile unsigned char*>(memory);  // not memset: ThreadSanitizer watches that
  for (size_t i = 0; i < bytes; ++i) byte[i] = 0xff;                // NaN, for every type
  return memory;
}

void prepare_block(Block& b, int64_t number, dim3 grid, int threads) {
  b.index = {unsigned(number % grid.x), unsigned(number / grid.x % grid.y), unsigned(number / grid.x / grid.y)};
  b.live = threads;
  b.waiting = 0;
  b.phase = 0;
  b.bytes_used = 0;
  b.shared.clear();
  std::memset(b.warp, 0, sizeof b.warp);
  if (ARENA)
    b.arena = static_cast<char*>(
        mmap(nullptr, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  const size_t bytes = scheduler().shared_bytes;
  b.of_launch = bytes ? allocate_shared(b, bytes, 128, scheduler().launched) : nullptr;
}

void prepare_thread(Thread& t, Block& b, int number, dim3 block) {
  t.block = &b;
  t.index = {number % block.x, number / block.x % block.y, number / block.x / block.y};
  t.lane = number % WARP;
  t.warp = number / WARP;
  t.waits = 0;
  t.fence = false;
  t.copies.count = t.copies.done = t.copies.groups = t.copies.groups_done = 0;
  t.fiber.restart(&run_thread);
  Warp& w = b.warp[t.warp];
  w.lane[t.lane] = &t;
  w.live |= 1u << t.lane;
}

/// Runs the threads that are resident until all have returned.
void Scheduler::run_resident() {
  ready.resize(resident.size());
  first = number = 0;
  const size_t count = resident.size();
  for (size_t i = 0; i < count; ++i) make_ready(resident[now.order == Order::reverse ? count - 1 - i : i]);
  live = int64_t(count);
  moments = 0;
  main.adopt();
  happens_before(&launch_tag);
  go_on();
}

Settings from_environment() {
  Settings s;
  if (const char* schedule = std::getenv("LAMINA_EMULATOR_SCHEDULE")) {
    if (!std::strcmp(schedule, "reverse")) s.order = Order::reverse;
    if (!std::strncmp(schedule, "random", 6)) {
      s.order = Order::random;
      s.seed = schedule[6] == ':' ? std::strtoull(schedule + 7, nullptr, 10) : 0;
    }
  }
  if (const char* copies = std::getenv("LAMINA_EMULATOR_COPIES")) s.lazy_copies = std::strcmp(copies, "eager") != 0;
  return s;
}

}  // namespace

Settings& settings() {
  static Settings s = from_environment();
  return s;
}

Counts counts() { return scheduler().counts; }

void fail(Place where, const char* format, ...) {
  Scheduler& s = scheduler();
  va_list arguments;
  va_start(arguments, format);
  s.error =
      at(*s.running) + " at " + place_text(where) + " (" + where.function_name() + "): " + text(format, arguments);
  va_end(arguments);
  back_to_launch(true);
  __builtin_unreachable();
}

void launch_grid(dim3 grid, dim3 block, size_t shared_bytes, bool cooperative, void (*call)(void*), void* closure) {
  Scheduler& s = scheduler();
  const std::lock_guard<std::mutex> one_at_a_time(s.busy);
  const int64_t threads = int64_t(block.x) * block.y * block.z, blocks = int64_t(grid.x) * grid.y * grid.z;
  s.launched = grid.where;
  check_size(grid, block, shared_bytes, cooperative, threads, blocks);
  s.now = settings();
  s.call = call;
  s.closure = closure;
  s.shared_bytes = shared_bytes;
  s.error.clear();
  s.random_state = (s.now.seed + 1) * 0x9E3779B97F4A7C15ULL;
  blockDim = block;
  gridDim = grid;
  ++s.counts.launches;

  std::vector<int64_t> order(static_cast<size_t>(blocks));
  for (int64_t i = 0; i < blocks; ++i) order[i] = s.now.order == Order::reverse ? blocks - 1 - i : i;
  if (s.now.order == Order::random)
    for (int64_t i = blocks - 1; i > 0; --i) std::swap(order[i], order[s.random() % uint64_t(i + 1)]);

  const int64_t wave = cooperative ? blocks : 1;
  for (int64_t begin = 0; begin < blocks && s.error.empty(); begin += wave) {
    // ThreadSanitizer: the next block's threads are other fibers, or what two blocks do would seem to be in order.
    const size_t slot = TSAN && begin / wave % 2 ? size_t(wave * threads) : 0;
    while (s.pool.size() < slot + size_t(wave * threads)) s.pool.push_back(std::make_unique<Thread>());
    while (s.blocks.size() < size_t(wave)) s.blocks.push_back(std::make_unique<Block>());
    s.resident.clear();
    for (int64_t i = 0; i < wave; ++i) {
      Block& b = *s.blocks[i];
      prepare_block(b, order[begin + i], grid, int(threads));
      b.slot = uint32_t(i);
      b.number = s.counts.blocks + uint64_t(i) + 1;
      for (int64_t t = 0; t < threads; ++t) {
        Thread& thread = *s.pool[slot + size_t(i * threads + t)];
        prepare_thread(thread, b, int(t), block);
        s.resident.push_back(&thread);
      }
    }
    s.counts.blocks += uint64_t(wave);
    s.counts.threads += uint64_t(wave * threads);
    s.run_resident();
    for (int64_t i = 0; i < wave; ++i) free_shared(*s.blocks[i]);
  }
  happens_after(&s.main);
  if (!s.error.empty()) throw std::runtime_error("emulator: " + launch_text() + ": " + s.error);
}

void wait_for_block(Place where) {
  Scheduler& s = scheduler();
  Thread& t = *s.running;
  Block& b = *t.block;
  t.where = where;
  ++t.waits;
  s.moments = 0;
  if (s.now.strict && b.live < int(blockDim.x * blockDim.y * blockDim.z))
    fail(where, "a barrier that a thread of the block returned before");
  char* const tag = &b.tag[b.phase & 1];  // one a phase, or a fast thread's next barrier would hide a race
  happens_before(tag);
  if (b.waiting++ == 0)
    b.barrier = where;
  else if (b.barrier.line() != where.line())
    fail(where, "threads of a block wait at two barriers: lines %u and %u", unsigned(b.barrier.line()),
         unsigned(where.line()));
  if (b.waiting == b.live) {
    release_block(b);
  } else {
    t.state = State::at_barrier;
    s.go_on();
  }
  happens_after(tag);
}

void wait_a_moment(Place where) {
  Scheduler& s = scheduler();
  s.running->where = where;
  if (++s.moments > MOST_MOMENTS) fail(where, "a loop that waits for what never comes (a launch not cooperative?)");
  s.make_ready(s.running);
  s.go_on();
}

void wait_for_warp(uint32_t mask, Operation operation, void* request, Place where) {
  Scheduler& s = scheduler();
  Thread& t = *s.running;
  Warp& w = t.block->warp[t.warp];
  s.moments = 0;
  if (!(mask >> t.lane & 1)) fail(where, "lane %d is not in its own mask %08x", t.lane, mask);
  t.where = where;
  ++t.waits;
  t.mask = mask;
  t.operation = operation;
  t.request = request;
  w.waiting |= 1u << t.lane;
  char* const tag = &w.tag[w.phase & 1];
  happens_before(tag);
  if (!complete_warp(w, t)) {
    t.state = State::in_warp;
    s.go_on();
  }
  happens_after(tag);
}

int lane_of_thread() { return scheduler().running->lane; }
uint32_t live_lanes() {
  const Thread& t = *scheduler().running;
  return t.block->warp[t.warp].live;
}

void* shared_memory(const void* key, size_t bytes, size_t align, Place where) {
  Block& b = *scheduler().running->block;
  for (const Shared& s : b.shared)
    if (s.key == key) return s.memory;
  void* const memory = allocate_shared(b, bytes, align, where);
  b.shared.push_back({key, memory, bytes});
  return memory;
}

void* shared_memory_of_launch(Place where) {
  Block& b = *scheduler().running->block;
  if (!b.of_launch) fail(where, "dynamic shared memory is used, but the launch asked for none");
  return b.of_launch;
}

Runner runner() {
  const Thread* const t = scheduler().running;
  if (!t) return {};
  return {t->block->number, t->block->slot, uint32_t(t->warp), uint32_t(t->lane), t->block->phase, t->waits};
}
bool is_local(const void* p) { return scheduler().running->fiber.has_on_stack(p); }
bool is_shared(const void* p) {
  const Block& b = *scheduler().running->block;
  return ARENA && p >= b.arena && p < b.arena + ARENA_BYTES;
}

Copies& copies_of_thread() { return scheduler().running->copies; }
void set_fence() { scheduler().running->fence = true; }
bool take_fence() {
  Thread& t = *scheduler().running;
  const bool was = t.fence;
  t.fence = false;
  return was;
}

#ifdef LAMINA_EMULATOR_ASAN
/// Called before a report: who was it?
extern "C" void __asan_on_error() {
  const Scheduler& s = scheduler();
  if (s.running) fprintf(stderr, "emulator: %s: %s\n", launch_text().c_str(), at(*s.running).c_str());
}
#endif

}  // namespace lamina::emulator
