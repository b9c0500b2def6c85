// Reductions inside a row: over the 16 virtual lanes of Row, folded in one fixed order on every ISA.
#pragma once
#include "cpu/support/elementwise.h"

namespace lamina::LAMINA_ISA {

/// The same fold as Row::fold, in registers: f takes two vectors, or two numbers.
template <class T, int N>
struct LanesOf {
  typedef T type __attribute__((vector_size(N * sizeof(T))));
};
template <class T, int N, class F>
INLINE T fold_lanes(typename LanesOf<T, N>::type v, F&& f) {
  if constexpr (N == 2)
    return f(T(v[0]), T(v[1]));
  else if constexpr (N == 4)
    return fold_lanes<T, 2>(f(__builtin_shufflevector(v, v, 0, 1), __builtin_shufflevector(v, v, 2, 3)), f);
  else if constexpr (N == 8)
    return fold_lanes<T, 4>(f(__builtin_shufflevector(v, v, 0, 1, 2, 3), __builtin_shufflevector(v, v, 4, 5, 6, 7)), f);
  else
    return fold_lanes<T, 8>(f(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7),
                              __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15)),
                            f);
}
template <class T, class F>
INLINE T fold(const Row<T>& row, F&& f) {
  Row<T> r = row;
  constexpr int PARTS = Row<T>::PARTS;
  if constexpr (PARTS >= 8) unroll<4>([&](auto i) INLINE_LAMBDA { r.part[i] = f(r.part[i], r.part[i + 4]); });
  if constexpr (PARTS >= 4) unroll<2>([&](auto i) INLINE_LAMBDA { r.part[i] = f(r.part[i], r.part[i + 2]); });
  if constexpr (PARTS >= 2) r.part[0] = f(r.part[0], r.part[1]);
  return fold_lanes<T, lanes<T>>(r.part[0], f);
}

/// f(i, mask, accumulator) for the vectors of [begin, end), each with the accumulator of its virtual lanes. What f
/// does to an accumulator in lanes outside the mask is forgotten.
template <class T, class F>
INLINE Row<T> accumulate(int64_t begin, int64_t end, T start, F&& f) {
  constexpr int PARTS = Row<T>::PARTS;
  Row<T> row = Row<T>::filled(start);
  int64_t i = begin;
  for (; i + ROW_LANES <= end; i += ROW_LANES)
    unroll<PARTS>([&](auto p) INLINE_LAMBDA { f(i + p * lanes<T>, All{}, row.part[p]); });
  if (i >= end) return row;
  Row<T> last = row;
  const auto add_end = [&](auto p) INLINE_LAMBDA {
    if (i + p * lanes<T> >= end) return;
    const Mask<T> mask = first<T>(end - i - p * lanes<T>);
    V<T> changed = last.part[p];
    f(i + p * lanes<T>, mask, changed);
    last.part[p] = select(mask, changed, last.part[p]);
  };
  if constexpr (PARTS <= 2) {
    unroll<PARTS>(add_end);
  } else {  // `last` in memory: a loop serves all parts, and f is compiled once
#pragma GCC unroll 1
    for (int p = 0; p < PARTS; ++p) add_end(p);
  }
  return last;
}

/// A sum over a row of n: f adds to its accumulator. Chains are at most 512 long: blocks of 512 x 16 values, their
/// sums added in order.
template <class T, class F>
INLINE T sum_row(int64_t n, F&& f) {
  constexpr int64_t BLOCK = 512 * ROW_LANES;
  T total = 0;
  for (int64_t begin = 0; begin < n; begin += BLOCK) {
    const T sum = fold(accumulate<T>(begin, min_of(begin + BLOCK, n), T(0), f),
                       [](auto a, auto b) INLINE_LAMBDA { return a + b; });
    total = begin == 0 ? sum : total + sum;
  }
  return total;
}

/// The largest value of a row; a NaN may be passed over.
template <class T>
INLINE T largest(int64_t n, const T* x) {
  const auto larger = [&](int64_t i, auto mask, V<T>& most) INLINE_LAMBDA { most = max(most, load(x + i, mask)); };
  return fold(accumulate<T>(0, n, -T(__builtin_inf()), larger),
              [](auto a, auto b) INLINE_LAMBDA { return a > b ? a : b; });
}

/// The sum of the squares of f(i, mask) over a row of n.
template <class T, class F>
INLINE double squares_of_row(int64_t n, F&& f) {
  return double(sum_row<T>(n, [&](int64_t i, auto mask, V<T>& sum) INLINE_LAMBDA {
    const V<T> x = f(i, mask);
    sum = fma(x, x, sum);
  }));
}

/// y[i] = f(i, mask) for a row of n, past the caches where stream_rows said so.
template <class T, class F>
INLINE void write_row(int64_t n, T* y, bool past_caches, F&& f) {
  if (past_caches)
    for (int64_t i = 0; i < n; i += lanes<T>) stream(y + i, f(i, All{}));
  else
    each_vector<T>(n, [&](int64_t i, auto mask) INLINE_LAMBDA { store(y + i, f(i, mask), mask); });
}

}  // namespace lamina::LAMINA_ISA
