// Loops over whole arrays: threaded, vectorised, one pass.
#pragma once
#include "cpu/support/parallel.h"

namespace lamina::LAMINA_ISA {

/// From here on an output is written past the caches: it would push everything else out of them.
constexpr int64_t STREAM_BYTES = int64_t(16) << 20;

/// Whether rows x columns outputs are better written past the caches: they are many, and every vector of a row is whole
/// and aligned.
template <class T>
INLINE bool stream_rows(const T* y, int64_t rows, int64_t columns) {
  return columns * int64_t(sizeof(T)) % 64 == 0 && reinterpret_cast<uintptr_t>(y) % 64 == 0 &&
         rows * columns * int64_t(sizeof(T)) >= STREAM_BYTES;
}

/// body(first, count) for parts of [0, n) that start on multiples of 64 elements. work: nanoseconds an
/// element.
template <class F>
INLINE void each_part(int64_t n, double work, F&& body) {
  constexpr int64_t UNIT = 64;
  parallel_for(ceil_div(n, UNIT), work * UNIT, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    body(begin * UNIT, min_of(end * UNIT, n) - begin * UNIT);
  });
}

/// y[i] = f(x[i]...) for vectors x of any number of inputs; y may be one of them.
template <class T, class F, class... In>
INLINE void map(int64_t n, double work, F&& f, T* y, const In*... x) {
  const bool past_caches = n * int64_t(sizeof(T)) >= STREAM_BYTES && reinterpret_cast<uintptr_t>(y) % 64 == 0;
  each_part(n, work, [&](int64_t begin, int64_t count) INLINE_LAMBDA {
    T* const to = y + begin;
    int64_t i = 0;
    if (past_caches) {
      for (; i + lanes<T> <= count; i += lanes<T>) stream(to + i, f(load(x + begin + i)...));
      stream_fence();
    } else {
      for (; i + lanes<T> <= count; i += lanes<T>) store(to + i, f(load(x + begin + i)...));
    }
    if (i < count) {
      const Mask<T> rest = first<T>(count - i);
      store(to + i, f(load(x + begin + i, rest)...), rest);
    }
  });
}

}  // namespace lamina::LAMINA_ISA
