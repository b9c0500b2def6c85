#include "ops/softmax.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"
#include "ops/gemm.h"  // CHAIN
#include "support/math.h"

namespace lamina {
namespace LAMINA_ISA {

template <Softmax KIND, class T>
void rows_forward(int64_t rows, int64_t n, const T* x, T* y) {
  const bool past_caches = stream_rows(y, rows, n);
  parallel_for(rows, 10 + n * 1.0, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    T* const kept = past_caches ? scratch_for<T>(Slot::worker, n) : nullptr;
    for (int64_t r = begin; r < end; ++r) {
      const T* const from = x + r * n;
      T* const to = y + r * n;
      T* const e = past_caches ? kept : to;
      const V<T> most = set(largest<T>(n, from));
      const T sum = sum_row<T>(n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA {
        const V<T> below = load(from + i, mask) - most, power = exp(below);
        store(e + i, KIND == Softmax::plain ? power : below, mask);
        total = total + power;
      });
      if constexpr (KIND == Softmax::plain) {
        const V<T> scale = set(T(1) / sum);
        write_row(n, to, past_caches, [&](int64_t i, auto mask) INLINE_LAMBDA { return load(e + i, mask) * scale; });
      } else {
        const V<T> shift = log(set(sum));
        write_row(n, to, past_caches, [&](int64_t i, auto mask) INLINE_LAMBDA { return load(e + i, mask) - shift; });
      }
    }
    if (past_caches) stream_fence();
  });
}

template <Softmax KIND, class T>
void rows_backward(int64_t rows, int64_t n, const T* y, const T* dy, T* dx) {
  const bool past_caches = stream_rows(dx, rows, n);
  parallel_for(rows, 5 + n * (KIND == Softmax::plain ? 0.4 : 0.8), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t r = begin; r < end; ++r) {
      const T *const out = y + r * n, *const d = dy + r * n;
      const V<T> inner = set(sum_row<T>(n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA {
        if constexpr (KIND == Softmax::plain)
          total = fma(load(out + i, mask), load(d + i, mask), total);
        else
          total = total + load(d + i, mask);
      }));
      write_row(n, dx + r * n, past_caches, [&](int64_t i, auto mask) INLINE_LAMBDA {
        if constexpr (KIND == Softmax::plain)
          return load(out + i, mask) * (load(d + i, mask) - inner);
        else
          return fnma(exp(load(out + i, mask)), inner, load(d + i, mask));
      });
    }
    if (past_caches) stream_fence();
  });
}

/// Columns that are done together: two lines of memory at a time, and what they need stays in the caches.
template <class T>
constexpr int64_t COLUMNS = 128 / sizeof(T);

/// The sum of f(k) for k in [0, n), in chains of CHAIN.
template <class T, class Term>
INLINE V<T> sum_down(int64_t n, Term&& add) {
  V<T> total = zero<T>();
  for (int64_t begin = 0; begin < n; begin += CHAIN) {
    V<T> chain = zero<T>();
    for (int64_t k = begin; k < min_of(begin + CHAIN, n); ++k) chain = add(k, chain);
    total = begin == 0 ? chain : total + chain;
  }
  return total;
}

/// body(first, count, outer) for blocks of columns.
template <class T, class Body>
INLINE void each_block(int64_t outer, int64_t n, int64_t inner, double work, Body&& body) {
  const int64_t blocks = ceil_div(inner, COLUMNS<T>);
  parallel_for(outer * blocks, work * double(n) * double(min_of(inner, COLUMNS<T>)),
               [&](int64_t begin, int64_t end) INLINE_LAMBDA {
                 for (int64_t task = begin; task < end; ++task) {
                   const int64_t column = task % blocks * COLUMNS<T>;
                   body(task / blocks * n * inner + column, min_of(COLUMNS<T>, inner - column));
                 }
                 stream_fence();
               });
}

template <Softmax KIND, class T>
void columns_forward(int64_t outer, int64_t n, int64_t inner, const T* x, T* y) {
  const bool past_caches = stream_rows(y, outer * n, inner) && n <= 2048;
  each_block<T>(outer, n, inner, 1.0, [&](int64_t first, int64_t count) INLINE_LAMBDA {
    T* const kept = past_caches ? scratch_for<T>(Slot::worker, n * lanes<T>) : nullptr;
    each_vector<T>(count, [&](int64_t c, auto mask) INLINE_LAMBDA {
      const T* const from = x + first + c;
      T* const to = y + first + c;
      T* const e = past_caches ? kept : to;
      const int64_t step = past_caches ? lanes<T> : inner;
      V<T> most = load(from, mask);
      for (int64_t k = 1; k < n; ++k) most = max(most, load(from + k * inner, mask));
      const V<T> sum = sum_down<T>(n, [&](int64_t k, V<T> chain) INLINE_LAMBDA {
        const V<T> below = load(from + k * inner, mask) - most, power = exp(below);
        store(e + k * step, KIND == Softmax::plain ? power : below, mask);
        return chain + power;
      });
      const V<T> last = KIND == Softmax::plain ? set(T(1)) / sum : log(sum);
      for (int64_t k = 0; k < n; ++k) {
        const V<T> v = load(e + k * step, mask);
        const V<T> out = KIND == Softmax::plain ? v * last : v - last;
        past_caches ? stream(to + k * inner, out) : store(to + k * inner, out, mask);
      }
    });
  });
}

template <Softmax KIND, class T>
void columns_backward(int64_t outer, int64_t n, int64_t inner, const T* y, const T* dy, T* dx) {
  const bool past_caches = stream_rows(dx, outer * n, inner);
  each_block<T>(outer, n, inner, 0.5, [&](int64_t first, int64_t count) INLINE_LAMBDA {
    each_vector<T>(count, [&](int64_t c, auto mask) INLINE_LAMBDA {
      const T *const out = y + first + c, *const d = dy + first + c;
      T* const to = dx + first + c;
      const V<T> sum = sum_down<T>(n, [&](int64_t k, V<T> chain) INLINE_LAMBDA {
        if constexpr (KIND == Softmax::plain)
          return fma(load(out + k * inner, mask), load(d + k * inner, mask), chain);
        else
          return chain + load(d + k * inner, mask);
      });
      for (int64_t k = 0; k < n; ++k) {
        const V<T> v = load(out + k * inner, mask), g = load(d + k * inner, mask);
        const V<T> result = KIND == Softmax::plain ? v * (g - sum) : fnma(exp(v), sum, g);
        past_caches ? stream(to + k * inner, result) : store(to + k * inner, result, mask);
      }
    });
  });
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void softmax_forward(Softmax kind, int64_t outer, int64_t n, int64_t inner, const T* x, T* y) {
  if (n == 0) return;
  if (kind == Softmax::plain)
    inner == 1 ? rows_forward<Softmax::plain>(outer, n, x, y) : columns_forward<Softmax::plain>(outer, n, inner, x, y);
  else
    inner == 1 ? rows_forward<Softmax::logarithm>(outer, n, x, y)
               : columns_forward<Softmax::logarithm>(outer, n, inner, x, y);
}

template <class Target, class T>
void softmax_backward(Softmax kind, int64_t outer, int64_t n, int64_t inner, const T* y, const T* dy, T* dx) {
  if (n == 0) return;
  if (kind == Softmax::plain)
    inner == 1 ? rows_backward<Softmax::plain>(outer, n, y, dy, dx)
               : columns_backward<Softmax::plain>(outer, n, inner, y, dy, dx);
  else
    inner == 1 ? rows_backward<Softmax::logarithm>(outer, n, y, dy, dx)
               : columns_backward<Softmax::logarithm>(outer, n, inner, y, dy, dx);
}

template void softmax_forward<Target>(Softmax, int64_t, int64_t, int64_t, const float*, float*);
DOUBLE template void softmax_forward<Target>(Softmax, int64_t, int64_t, int64_t, const double*, double*);
template void softmax_backward<Target>(Softmax, int64_t, int64_t, int64_t, const float*, const float*, float*);
DOUBLE template void softmax_backward<Target>(Softmax, int64_t, int64_t, int64_t, const double*, const double*,
                                              double*);

}  // namespace lamina
