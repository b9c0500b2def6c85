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
///
/// Four vectors are read before any is written: where y lies just ahead of an x modulo 4096, the processor takes the
/// next read for one of what is being written, and waits for it (NumPy's arrays lie so; 4 times slower for sigmoid).
template <class T, class F, class... In>
INLINE void map(int64_t n, double work, F&& f, T* y, const In*... x) {
  const bool past_caches = n * int64_t(sizeof(T)) >= STREAM_BYTES && reinterpret_cast<uintptr_t>(y) % 64 == 0;
  each_part(n, work, [&](int64_t begin, int64_t count) INLINE_LAMBDA {
    T* const to = y + begin;
    int64_t i = 0;
    const auto groups = [&](auto size, auto&& write) INLINE_LAMBDA {
      for (; i + size * lanes<T> <= count; i += size * lanes<T>) {
        V<T> values[size];
        unroll<size>([&](auto k) INLINE_LAMBDA { values[k] = f(load(x + begin + i + k * lanes<T>)...); });
        unroll<size>([&](auto k) INLINE_LAMBDA { write(to + i + k * lanes<T>, values[k]); });
      }
    };
    const auto whole = [&](auto&& write) INLINE_LAMBDA {
      if constexpr (sizeof(V<T>) > 16) groups(Int<4>{}, write);  // elsewhere arithmetic is what takes time
      groups(Int<1>{}, write);
    };
    if (past_caches) {
      whole([](T* p, V<T> v) INLINE_LAMBDA { stream(p, v); });
      stream_fence();
    } else {
      whole([](T* p, V<T> v) INLINE_LAMBDA { store(p, v); });
    }
    if (i < count) {
      const Mask<T> rest = first<T>(count - i);
      store(to + i, f(load(x + begin + i, rest)...), rest);
    }
  });
}

}  // namespace lamina::LAMINA_ISA
