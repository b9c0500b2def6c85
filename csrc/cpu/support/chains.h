// How weight gradients cut their sum over the pixels of a batch: by the shape without N alone.
#pragma once
#include "cpu/support/gather.h"
#include "ops/gemm.h"
#include "support/pixel_chains.h"

namespace lamina::LAMINA_ISA {

/// dw = the sum of `chains` chains. run(chain0, chain1, task0, task1, to) adds some of them, in order, to the part of
/// `to` (size values) that its tasks stand for. A small sum is made of parts of PART chains, added in order, and
/// threads share out the parts (few parts: their tasks as well); a large one shares out the tasks. work: nanoseconds a
/// chain, all tasks.
template <class T, class F>
INLINE void sum_chains(int64_t chains, int64_t size, int64_t tasks, double work, F&& run, T* dw) {
  constexpr int64_t PARTS = 64;
  fill_zero(dw, size);
  if (size > SMALL) {
    parallel_for(tasks, work * double(chains) / double(tasks),
                 [&](int64_t begin, int64_t end) INLINE_LAMBDA { run(int64_t(0), chains, begin, end, dw); });
    return;
  }
  T* const sums = scratch_for<T>(Slot::caller, min_of(PARTS, ceil_div(chains, PART)) * size);
  for (int64_t chain = 0; chain < chains; chain += PARTS * PART) {
    const int64_t parts = min_of(PARTS, ceil_div(chains - chain, PART));
    const int64_t wanted = 3 * num_threads(), shares = parts < wanted ? min_of(tasks, ceil_div(wanted, parts)) : 1;
    for (int64_t part = 0; shares > 1 && part < parts; ++part) fill_zero(sums + part * size, size);
    parallel_for(parts * shares, work * PART / double(shares), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t part = i / shares, share = i % shares, first = chain + part * PART;
        T* const to = sums + part * size;
        if (shares == 1) fill_zero(to, size);
        run(first, min_of(first + PART, chains), tasks * share / shares, tasks * (share + 1) / shares, to);
      }
    });
    parallel_for(ceil_div(size, BLOCK), double(BLOCK * parts) * 0.1, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      for (int64_t part = 0; part < parts; ++part)
        each_vector<T>(min_of(end * BLOCK, size) - begin * BLOCK, [&](int64_t i, auto mask) INLINE_LAMBDA {
          T* const to = dw + begin * BLOCK + i;
          store(to, load(to, mask) + load(sums + part * size + begin * BLOCK + i, mask), mask);
        });
    });
  }
}

}  // namespace lamina::LAMINA_ISA
