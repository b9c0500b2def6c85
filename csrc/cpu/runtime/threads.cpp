#include "cpu/runtime/threads.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace lamina {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto SPIN = std::chrono::microseconds(100);  // longer than the Python between two kernels of a small step
constexpr auto MOVES_APART = std::chrono::milliseconds(20);  // where another program wants the processor, do not fight
constexpr auto GATHERING = std::chrono::microseconds(60);    // how long run_together waits for workers: one wakes in 50
constexpr int MAX_THREADS = 256;

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Waits until ready() holds: spinning first, then through sleep(). While spinning it offers the processor to others:
/// on a busy machine the thread waited for may be queued behind this one (measured: 237 us a region instead of 19).
template <class Ready, class Sleep>
void wait_until(Ready ready, Sleep sleep) {
  int rounds = 0;
  for (auto end = Clock::now() + SPIN; Clock::now() < end;) {
    for (int i = 0; i < 64; ++i) {
      if (ready()) return;
      relax();
    }
    if (++rounds > 4) std::this_thread::yield();
  }
  while (!ready()) sleep();
}

thread_local bool inside_region = false;

#ifdef __linux__
int processor() { return sched_getcpu(); }
/// Moves this thread to another processor than the one named; stays where there is no other.
void leave(int occupied) {
  cpu_set_t allowed;
  if (occupied < 0 || occupied >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  cpu_set_t others = allowed;
  CPU_CLR(occupied, &others);
  if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return;  // this moves it
  sched_setaffinity(0, sizeof allowed, &allowed);  // later moves are the system's own
}
#else
int processor() { return -1; }
void leave(int) {}
#endif

class ThreadPool {
 public:
  explicit ThreadPool(int count) { start(count - 1); }
  ~ThreadPool() { stop(); }

  int size() const { return int(workers_.size()) + 1; }
  std::mutex& mutex() { return mutex_; }

  void resize(int count) {
    if (count == size()) return;
    stop();
    start(count - 1);
  }

  /// mutex() is held by the caller. Those who took their offers in time, and the caller, begin together.
  void run_together(int most, TogetherBody body, void* context) {
    const int wanted = most < size() ? most : size();
    together_ = body;
    context_ = context;
    go_.store(0, std::memory_order_relaxed);
    joined_.store(1, std::memory_order_relaxed);
    const uint32_t round = offer(wanted);
    for (auto end = Clock::now() + GATHERING; joined_.load(std::memory_order_relaxed) < wanted && Clock::now() < end;)
      relax();
    for (int part = 1; part < wanted; ++part) {
      uint32_t open = round;  // withdrawn
      if (offers_[part].round.compare_exchange_strong(open, 0, std::memory_order_relaxed))
        pending_.fetch_sub(1, std::memory_order_relaxed);
    }
    const int parts = pending_.load(std::memory_order_relaxed) + 1;
    go_.store(parts, std::memory_order_release);
    body(context, 0, parts);
    wait_until([&] { return pending_.load(std::memory_order_acquire) == 0; }, [] { std::this_thread::yield(); });
    together_ = nullptr;
  }

  /// mutex() is held by the caller. Each thread has a part of its own, so that it finds its data in its caches. Parts
  /// that no worker has begun when the caller is done with its own (the worker sleeps, or another program has its
  /// processor) the caller runs too.
  void run(int64_t tasks, RangeBody body, void* context) {
    parts_ = int(tasks < size() ? tasks : size());
    tasks_ = tasks;
    body_ = body;
    context_ = context;
    error_ = nullptr;
    const int parts = parts_;
    const uint32_t round = offer(parts);
    run_part(0);
    for (int part = 1; part < parts; ++part) take(part, round);
    wait_until([&] { return pending_.load(std::memory_order_acquire) == 0; }, [] { std::this_thread::yield(); });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  /// A part on offer in a round; 0: taken.
  struct alignas(64) Offer {
    std::atomic<uint32_t> round{0};
  };

  /// Begins a round with an offer to each worker whose part is below `parts`.
  uint32_t offer(int parts) {
    caller_processor_.store(processor(), std::memory_order_relaxed);
    pending_.store(parts - 1, std::memory_order_relaxed);
    uint32_t round = round_.load(std::memory_order_relaxed) + 1;
    if (round == 0) round = 1;
    for (int part = 1; part < parts; ++part) offers_[part].round.store(round, std::memory_order_relaxed);
    round_.store(round, std::memory_order_release);
    round_.notify_all();
    return round;
  }
  void start(int count) {
    stopping_ = false;
    offers_ = std::make_unique<Offer[]>(size_t(count) + 1);
    for (int i = 0; i < count; ++i) workers_.emplace_back([this, i, seen = round_.load()] { work(i + 1, seen); });
  }
  void stop() {
    stopping_ = true;
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }
  void work(int part, uint32_t seen) {
    inside_region = true;
    Clock::time_point moved;
    for (;;) {
      wait_until([&] { return round_.load(std::memory_order_acquire) != seen; }, [&] { round_.wait(seen); });
      seen = round_.load(std::memory_order_acquire);
      if (stopping_) return;
      // The system may leave a worker on the caller's processor for a second.
      const int occupied = caller_processor_.load(std::memory_order_relaxed);
      if (occupied >= 0 && processor() == occupied && Clock::now() - moved > MOVES_APART) {
        leave(occupied);
        moved = Clock::now();
      }
      take(part, seen);
    }
  }
  /// Runs a part if it is still on offer. Whoever takes one may read the region: it lasts until all parts are done.
  void take(int part, uint32_t round) {
    if (!offers_[part].round.compare_exchange_strong(round, 0, std::memory_order_acquire)) return;
    if (together_)
      join();
    else
      run_part(part);
    pending_.fetch_sub(1, std::memory_order_release);
  }
  /// A worker's share in run_together: its number is the order in which it came.
  void join() {
    const int part = joined_.fetch_add(1, std::memory_order_relaxed);
    int parts = 0;
    wait_until([&] { return (parts = go_.load(std::memory_order_acquire)) != 0; }, [] { std::this_thread::yield(); });
    together_(context_, part, parts);
  }
  void run_part(int64_t part) {
    try {
      body_(context_, tasks_ * part / parts_, tasks_ * (part + 1) / parts_);
    } catch (...) {
      std::lock_guard lock(error_mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }

  std::mutex mutex_, error_mutex_;
  std::vector<std::thread> workers_;
  std::unique_ptr<Offer[]> offers_;
  std::exception_ptr error_;
  int64_t tasks_ = 0;
  int parts_ = 0;
  RangeBody body_ = nullptr;
  TogetherBody together_ = nullptr;  // null: the round is run()'s
  void* context_ = nullptr;
  std::atomic<bool> stopping_{false};
  std::atomic<int> caller_processor_{-1};
  alignas(64) std::atomic<uint32_t> round_{0};
  alignas(64) std::atomic<int> pending_{0};
  alignas(64) std::atomic<int> joined_{0}, go_{0};  // workers come; how many begin, once that is settled
};

int default_count() {
  for (const char* name : {"LAMINA_NUM_THREADS", "OMP_NUM_THREADS"})
    if (const char* text = std::getenv(name)) {
      const int count = std::atoi(text);  // OMP_NUM_THREADS may be a list: its first number
      if (count > 0) return count < MAX_THREADS ? count : MAX_THREADS;
    }
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set) < MAX_THREADS ? CPU_COUNT(&set) : MAX_THREADS;
#endif
  const unsigned count = std::thread::hardware_concurrency();
  return count ? int(count) : 1;
}

// Never destroyed: a worker may outlive static destructors. A forked child has no workers: it gets a new
// pool.
std::atomic<ThreadPool*> instance{nullptr};
std::atomic<int> wanted{0};
std::mutex creation;

ThreadPool& pool() {
  ThreadPool* p = instance.load(std::memory_order_acquire);
  if (p) return *p;
  std::lock_guard lock(creation);
  p = instance.load(std::memory_order_acquire);
  if (p) return *p;
  static const int registered = pthread_atfork([] { creation.lock(); }, [] { creation.unlock(); },
                                               [] {
                                                 creation.unlock();
                                                 instance.store(nullptr, std::memory_order_release);
                                               });
  (void)registered;
  p = new ThreadPool(num_threads());
  instance.store(p, std::memory_order_release);
  return *p;
}

struct RegionGuard {
  RegionGuard() { inside_region = true; }
  ~RegionGuard() { inside_region = false; }
};

}  // namespace

int num_threads() {
  int count = wanted.load(std::memory_order_relaxed);
  if (count == 0) {
    count = default_count();
    int none = 0;
    if (!wanted.compare_exchange_strong(none, count)) count = none;
  }
  return count;
}

void set_num_threads(int count) {
  if (count < 1 || count > MAX_THREADS)
    throw std::invalid_argument("set_num_threads: expected 1 to " + std::to_string(MAX_THREADS) + ", got " +
                                std::to_string(count));
  ThreadPool& p = pool();
  std::lock_guard lock(p.mutex());
  p.resize(count);
  wanted.store(count, std::memory_order_relaxed);
}

// For tools that find thread pools by their symbols, such as threadpoolctl.
extern "C" __attribute__((visibility("default"))) int lamina_get_num_threads() { return num_threads(); }
extern "C" __attribute__((visibility("default"))) void lamina_set_num_threads(int count) {
  set_num_threads(count < 1 ? 1 : count < MAX_THREADS ? count : MAX_THREADS);
}

void run_parallel(int64_t tasks, RangeBody body, void* context) {
  if (tasks <= 0) return;
  if (tasks == 1 || inside_region || num_threads() == 1) return body(context, 0, tasks);
  ThreadPool& p = pool();
  std::unique_lock lock(p.mutex(), std::try_to_lock);
  if (!lock) return body(context, 0, tasks);
  RegionGuard guard;
  p.run(tasks, body, context);
}

void run_together(int most, TogetherBody body, void* context) {
  if (most > 1 && !inside_region && num_threads() > 1) {
    ThreadPool& p = pool();
    std::unique_lock lock(p.mutex(), std::try_to_lock);
    if (lock) {
      RegionGuard guard;
      return p.run_together(most, body, context);
    }
  }
  body(context, 0, 1);
}

void Barrier::wait(int parties) {
  if (parties == 1) return;
  const int phase = __atomic_load_n(&phase_, __ATOMIC_RELAXED);
  if (__atomic_add_fetch(&arrived_, 1, __ATOMIC_ACQ_REL) == parties) {
    __atomic_store_n(&arrived_, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&phase_, phase + 1, __ATOMIC_RELEASE);
    return;
  }
  for (int i = 1; __atomic_load_n(&phase_, __ATOMIC_ACQUIRE) == phase; ++i)
    i % 1024 == 0 ? std::this_thread::yield() : relax();  // on a busy machine the others may be queued behind this one
}

void* scratch(Slot slot, size_t bytes) {
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  struct Buffer {
    std::unique_ptr<void, Free> data;
    size_t size = 0;
  };
  thread_local Buffer buffers[size_t(Slot::count)];
  Buffer& buffer = buffers[size_t(slot)];
  if (bytes > buffer.size) {
    buffer.data.reset();
    buffer.size = 0;
    const size_t size = (bytes + 4095) / 4096 * 4096;
    if (size < bytes) throw std::bad_alloc();
    buffer.data.reset(std::aligned_alloc(4096, size));
    if (!buffer.data) throw std::bad_alloc();
    buffer.size = size;
  }
  return buffer.data.get();
}

}  // namespace lamina
