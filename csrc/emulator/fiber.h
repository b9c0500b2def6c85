// Fibers: stacks of their own in one thread of the operating system, switched by hand.
//
// On x86-64 a switch is a dozen instructions; elsewhere it is swapcontext, some 20 times slower. AddressSanitizer and
// ThreadSanitizer are told of every switch. This file and fiber.cpp are compiled without them.
#pragma once
#include <cstddef>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace lamina::emulator {

/// A context to switch to. The one made by default stands for the caller's own stack.
class Fiber {
 public:
  Fiber() = default;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  /// Makes this a fresh fiber, which runs entry() when it is first switched to; entry may never return. A stack from
  /// before is used again, whatever state it was left in.
  void restart(void (*entry)());
  /// Takes this for the stack that runs now.
  void adopt();
  /// Stops `from`, goes on with `to`; `from_ends`: it will not be switched to again before a restart.
  static void change(Fiber& from, Fiber& to, bool from_ends = false);
  bool has_on_stack(const void* p) const { return p >= stack_ && p < stack_ + STACK_BYTES; }

 private:
  static constexpr size_t STACK_BYTES = size_t(128) << 10, GUARD_BYTES = 4096;
  static void begin();
  static void arrived();

  char* stack_ = nullptr;  // above a page that must not be touched: what overflows, faults
  void (*entry_)() = nullptr;
#if defined(__x86_64__)
  void* stack_pointer_ = nullptr;
#else
  ucontext_t context_;
#endif
  // What the sanitizers keep of a fiber.
  void* fake_stack_ = nullptr;
  const void* sanitizer_stack_ = nullptr;
  size_t sanitizer_size_ = 0;
  void* thread_ = nullptr;
  bool own_thread_ = false;
};

// ThreadSanitizer's view of what happens before what; nothing without it.
void happens_before(void* tag);
void happens_after(void* tag);

}  // namespace lamina::emulator
