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

/// y[i] = f(x[i]...) for `count` values, whole groups of four vectors. `f` is the function behind its address, so that
/// what goes around it is compiled once for all functions (map_parts).
///
/// Four vectors are read before any is written: where y lies just ahead of an x modulo 4096, the processor takes the
/// next read for one of what is being written, and waits for it (NumPy's arrays lie so; 4 times slower for sigmoid).
template <class T>
using MapBody = void (*)(const void* f, int64_t count, T* y, const T* const* x, bool past_caches);
template <class F, int... INPUT, class T>
INLINE void map_groups(const F& f, int64_t count, T* y, const T* const* x, bool past_caches,
                       std::integer_sequence<int, INPUT...>) {
  constexpr int GROUP = sizeof(V<T>) > 16 ? 4 : 1;  // elsewhere arithmetic is what takes time
  for (int64_t i = 0; i < count; i += GROUP * lanes<T>) {
    V<T> values[GROUP];
    unroll<GROUP>([&](auto k) INLINE_LAMBDA { values[k] = f(load(x[INPUT] + i + k * lanes<T>)...); });
    if (past_caches)
      unroll<GROUP>([&](auto k) INLINE_LAMBDA { stream(y + i + k * lanes<T>, values[k]); });
    else
      unroll<GROUP>([&](auto k) INLINE_LAMBDA { store(y + i + k * lanes<T>, values[k]); });
  }
}

/// map for any function and number of inputs. The end that is no whole group goes through a copy.
template <class T>
[[gnu::noinline]] void map_parts(int64_t n, double work, MapBody<T> body, const void* f, T* y, const T* const* x,
                                 int inputs) {
  constexpr int64_t UNIT = 64, MOST = 3;
  const bool past_caches = n * int64_t(sizeof(T)) >= STREAM_BYTES && reinterpret_cast<uintptr_t>(y) % 64 == 0;
  each_part(n, work, [&](int64_t begin, int64_t count) INLINE_LAMBDA {
    alignas(64) T spare[UNIT], ends[MOST][UNIT];
    const T* from[MOST];
    const auto start_at = [&](int64_t i) INLINE_LAMBDA {
      for (int k = 0; k < inputs; ++k) from[k] = x[k] + begin + i;
    };
    const int64_t whole = count / UNIT * UNIT, rest = count - whole;
    start_at(0);
    body(f, whole, y + begin, from, past_caches);
    if (past_caches) stream_fence();
    if (rest == 0) return;
    start_at(whole);
    const int64_t groups = round_up(rest, 4 * lanes<T>);
    for (int k = 0; k < inputs; ++k) {
      for (int64_t i = 0; i < groups; i += lanes<T>) store(ends[k] + i, load(from[k] + i, first<T>(rest - i)));
      from[k] = ends[k];
    }
    body(f, groups, spare, from, false);
    for (int64_t i = 0; i < rest; i += lanes<T>) store(y + begin + whole + i, load(spare + i), first<T>(rest - i));
  });
}

/// y[i] = f(x[i]...) for vectors x of one to three inputs; y may be one of them.
template <class T, class F, class... In>
INLINE void map(int64_t n, double work, F&& f, T* y, const In*... x) {
  const T* const from[] = {x...};
  const MapBody<T> body = [](const void* function, int64_t count, T* to, const T* const* all, bool past_caches) {
    map_groups(*static_cast<decltype(&f)>(const_cast<void*>(function)), count, to, all, past_caches,
               std::make_integer_sequence<int, sizeof...(In)>{});
  };
  map_parts(n, work, body, &f, y, from, int(sizeof...(In)));
}

}  // namespace lamina::LAMINA_ISA
