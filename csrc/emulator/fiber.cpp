#include "emulator/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <new>

#ifdef LAMINA_EMULATOR_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef LAMINA_EMULATOR_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace lamina::emulator {

static thread_local Fiber *current, *previous;

#if defined(__x86_64__)
// Saves what a function must keep, changes the stack, restores.
extern "C" void lamina_emulator_switch(void** from, void* to);
asm(R"(
.text
.hidden lamina_emulator_switch
.globl lamina_emulator_switch
.type lamina_emulator_switch,@function
lamina_emulator_switch:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
.size lamina_emulator_switch,.-lamina_emulator_switch
)");
#endif

Fiber::~Fiber() {
#ifdef LAMINA_EMULATOR_TSAN
  if (own_thread_) __tsan_destroy_fiber(thread_);
#endif
  if (stack_) munmap(stack_ - GUARD_BYTES, STACK_BYTES + GUARD_BYTES);
}

void Fiber::restart(void (*entry)()) {
  if (!stack_) {
    void* const memory = mmap(nullptr, STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    mprotect(memory, GUARD_BYTES, PROT_NONE);
    stack_ = static_cast<char*>(memory) + GUARD_BYTES;
  }
  entry_ = entry;
  sanitizer_stack_ = stack_;
  sanitizer_size_ = STACK_BYTES;
  fake_stack_ = nullptr;
#ifdef LAMINA_EMULATOR_ASAN
  __asan_unpoison_memory_region(stack_, STACK_BYTES);  // frames that were left, not returned from
#endif
#ifdef LAMINA_EMULATOR_TSAN
  if (!own_thread_) thread_ = __tsan_create_fiber(0);
  own_thread_ = true;
#endif
#if defined(__x86_64__)
  void** top = reinterpret_cast<void**>(stack_ + STACK_BYTES - 64);
  *--top = nullptr;  // where begin would return to
  *--top = reinterpret_cast<void*>(&begin);
  top -= 6;
  std::memset(top, 0, 6 * sizeof(void*));
  stack_pointer_ = top;
#else
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack_;
  context_.uc_stack.ss_size = STACK_BYTES;
  context_.uc_link = nullptr;
  makecontext(&context_, &begin, 0);
#endif
}

void Fiber::adopt() {
  current = this;
#ifdef LAMINA_EMULATOR_TSAN
  thread_ = __tsan_get_current_fiber();
#endif
}

void Fiber::begin() {
  arrived();
  current->entry_();
  __builtin_unreachable();
}

/// On the new stack.
void Fiber::arrived() {
#ifdef LAMINA_EMULATOR_ASAN
  const void* stack = nullptr;
  size_t size = 0;
  __sanitizer_finish_switch_fiber(current->fake_stack_, &stack, &size);
  if (!previous->stack_) {  // an adopted stack's bounds are known once it is left
    previous->sanitizer_stack_ = stack;
    previous->sanitizer_size_ = size;
  }
#endif
}

void Fiber::change(Fiber& from, Fiber& to, [[maybe_unused]] bool from_ends) {
  if (&from == &to) return;
  current = &to;
  previous = &from;
#ifdef LAMINA_EMULATOR_ASAN
  __sanitizer_start_switch_fiber(from_ends ? nullptr : &from.fake_stack_, to.sanitizer_stack_, to.sanitizer_size_);
#endif
#ifdef LAMINA_EMULATOR_TSAN
  __tsan_switch_to_fiber(to.thread_, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(__x86_64__)
  lamina_emulator_switch(&from.stack_pointer_, to.stack_pointer_);
#else
  swapcontext(&from.context_, &to.context_);
#endif
  arrived();
}

void happens_before([[maybe_unused]] void* tag) {
#ifdef LAMINA_EMULATOR_TSAN
  __tsan_release(tag);
#endif
}
void happens_after([[maybe_unused]] void* tag) {
#ifdef LAMINA_EMULATOR_TSAN
  __tsan_acquire(tag);
#endif
}

}  // namespace lamina::emulator
