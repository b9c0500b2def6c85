#include "ops/reduce_extreme.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr double WORK = 0.15;  // nanoseconds an element
constexpr int64_t PIECE = 16384, ROWS = 512;

/// The larger of two (the negated smaller ones, where the smallest is sought); NaN if either is one.
template <bool LARGEST, class T>
INLINE V<T> further(V<T> most, V<T> v) {
  const V<T> winner = LARGEST ? max(v, most) : min(v, most);  // most wins if v is NaN
  return select(unordered(v, v), v, winner);
}
template <bool LARGEST, class T>
INLINE T further_of(T a, T b) {
  if (a != a) return a;
  if (b != b) return b;
  return (LARGEST ? a > b : a < b) ? a : b;
}
/// One NaN for all, and 0 for -0.
template <class T>
INLINE T settled(T value) {
  return value != value ? T(__builtin_nan("")) : value + T(0);
}

/// In any order: it changes nothing.
template <bool LARGEST, class T>
INLINE T of_row(int64_t n, const T* x) {
  constexpr int W = lanes<T>, AT_ONCE = 4;
  const auto better = [](auto a, auto b) INLINE_LAMBDA { return (LARGEST ? a > b : a < b) ? a : b; };
  V<T> most[AT_ONCE];
  for (auto& m : most) m = set(x[0]);
  Mask<T> strange = unordered(most[0], most[0]);
  int64_t i = 0;
  for (; i + AT_ONCE * W <= n; i += AT_ONCE * W) {
    V<T> v[AT_ONCE];
    unroll<AT_ONCE>([&](auto k) INLINE_LAMBDA { v[k] = load(x + i + k * W); });
    unroll<AT_ONCE>([&](auto k) INLINE_LAMBDA { most[k] = LARGEST ? max(v[k], most[k]) : min(v[k], most[k]); });
    unroll<AT_ONCE / 2>([&](auto k) INLINE_LAMBDA { strange = strange | unordered(v[2 * k], v[2 * k + 1]); });
  }
  for (; i < n; i += W) {
    const Mask<T> exist = first<T>(n - i);
    const V<T> v = select(exist, load(x + i, exist), set(x[0]));
    most[0] = LARGEST ? max(v, most[0]) : min(v, most[0]);
    strange = strange | unordered(v, v);
  }
  if (any(strange)) return T(__builtin_nan(""));
  unroll<AT_ONCE - 1>([&](auto k)
                          INLINE_LAMBDA { most[0] = LARGEST ? max(most[k + 1], most[0]) : min(most[k + 1], most[0]); });
  return fold_lanes<T, W>(most[0], better);
}

template <bool LARGEST, class T>
INLINE void over_rows(int64_t outer, int64_t reduced, const T* x, T* y) {
  const int64_t pieces = ceil_div(reduced, PIECE);
  T* const found = pieces == 1 ? y : scratch_for<T>(Slot::caller, outer * pieces);
  parallel_for(outer * pieces, min_of(reduced, PIECE) * WORK, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t from = task % pieces * PIECE;
      found[task] = settled(of_row<LARGEST>(min_of(PIECE, reduced - from), x + task / pieces * reduced + from));
    }
  });
  if (pieces == 1) return;
  for (int64_t o = 0; o < outer; ++o) {
    T most = found[o * pieces];
    for (int64_t p = 1; p < pieces; ++p) most = further_of<LARGEST>(most, found[o * pieces + p]);
    y[o] = most;
  }
}

/// y[i] = the extreme of `count` rows of inner values each.
template <bool LARGEST, class T>
INLINE void of_columns(int64_t count, int64_t inner, const T* x, T* y) {
  constexpr int64_t BLOCK = 2048;  // columns that stay in L1
  for (int64_t begin = 0; begin < inner; begin += BLOCK) {
    const int64_t columns = min_of(BLOCK, inner - begin);
    const T* row = x + begin;
    each_vector<T>(columns,
                   [&](int64_t i, auto mask) INLINE_LAMBDA { store(y + begin + i, load(row + i, mask), mask); });
    for (int64_t r = 1; r < count; r += 4) {
      const int64_t here = min_of(4, count - r);
      each_vector<T>(columns, [&](int64_t i, auto mask) INLINE_LAMBDA {
        V<T> most = load(y + begin + i, mask);
        for (int64_t k = 0; k < here; ++k) most = further<LARGEST, T>(most, load(row + (r + k) * inner + i, mask));
        store(y + begin + i, most, mask);
      });
    }
  }
}

template <bool LARGEST, class T>
INLINE void over_columns(int64_t outer, int64_t reduced, int64_t inner, const T* x, T* y) {
  const int64_t parts = ceil_div(reduced, ROWS);
  T* const found = parts == 1 ? y : scratch_for<T>(Slot::caller, outer * parts * inner);
  parallel_for(outer * parts, min_of(reduced, ROWS) * inner * WORK, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t o = task / parts, from = task % parts * ROWS;
      T* const to = found + task * inner;
      of_columns<LARGEST>(min_of(ROWS, reduced - from), inner, x + (o * reduced + from) * inner, to);
      if (parts == 1)
        for (int64_t i = 0; i < inner; ++i) to[i] = settled(to[i]);
    }
  });
  if (parts == 1) return;
  parallel_for(outer, parts * inner * WORK, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t o = begin; o < end; ++o) {
      of_columns<LARGEST>(parts, inner, found + o * parts * inner, y + o * inner);
      for (int64_t i = 0; i < inner; ++i) y[o * inner + i] = settled(y[o * inner + i]);
    }
  });
}

template <class T>
INLINE Mask<T> chosen(V<T> v, V<T> extreme) {
  return equal(v, extreme) | (unordered(v, v) & unordered(extreme, extreme));
}

template <class T>
INLINE void spread_over_row(int64_t n, const T* x, T extreme, T dy, T* dx) {
  const V<T> sought = set(extreme);
  const T count = sum_row<T>(n, [&](int64_t i, auto mask, V<T>& sum) INLINE_LAMBDA {
    sum = sum + select(chosen<T>(load(x + i, mask), sought), set(T(1)), zero<T>());
  });
  const V<T> share = set(dy / count);
  each_vector<T>(n, [&](int64_t i, auto mask) INLINE_LAMBDA {
    store(dx + i, select(chosen<T>(load(x + i, mask), sought), share, zero<T>()), mask);
  });
}

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <class Target, class T>
void reduce_extreme(bool largest, int64_t outer, int64_t reduced, int64_t inner, const T* x, T* y) {
  if (outer == 0 || inner == 0) return;
  if (inner == 1)
    largest ? over_rows<true>(outer, reduced, x, y) : over_rows<false>(outer, reduced, x, y);
  else
    largest ? over_columns<true>(outer, reduced, inner, x, y) : over_columns<false>(outer, reduced, inner, x, y);
}

template <class Target, class T>
void reduce_extreme_backward(int64_t outer, int64_t reduced, int64_t inner, const T* x, const T* y, const T* dy,
                             T* dx) {
  if (inner == 1)
    return parallel_for(outer, reduced * 2 * WORK, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      for (int64_t o = begin; o < end; ++o) spread_over_row(reduced, x + o * reduced, y[o], dy[o], dx + o * reduced);
    });
  // Columns in blocks of vectors: each block of an outer index is a task.
  constexpr int64_t WIDE = 4 * lanes<T>;
  const int64_t blocks = ceil_div(inner, WIDE);
  parallel_for(outer * blocks, reduced * WIDE * 3 * WORK, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t o = task / blocks, column = task % blocks * WIDE, start = o * reduced * inner + column;
      each_vector<T>(min_of(WIDE, inner - column), [&](int64_t i, auto mask) INLINE_LAMBDA {
        const int64_t at = o * inner + column + i;
        const V<T> sought = load(y + at, mask);
        V<T> count = zero<T>();
        for (int64_t r = 0; r < reduced; ++r)
          count = count + select(chosen<T>(load(x + start + r * inner + i, mask), sought), set(T(1)), zero<T>());
        const V<T> share = load(dy + at, mask) / count;
        for (int64_t r = 0; r < reduced; ++r) {
          const int64_t to = start + r * inner + i;
          store(dx + to, select(chosen<T>(load(x + to, mask), sought), share, zero<T>()), mask);
        }
      });
    }
  });
}

template void reduce_extreme<Target>(bool, int64_t, int64_t, int64_t, const float*, float*);
DOUBLE template void reduce_extreme<Target>(bool, int64_t, int64_t, int64_t, const double*, double*);
template void reduce_extreme_backward<Target>(int64_t, int64_t, int64_t, const float*, const float*, const float*,
                                              float*);
DOUBLE template void reduce_extreme_backward<Target>(int64_t, int64_t, int64_t, const double*, const double*,
                                                     const double*, double*);

}  // namespace lamina
