#include "ops/reduce_sum.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/parallel.h"
#include "ops/gemm.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr double WORK = 0.15;  // nanoseconds an element
constexpr int64_t PIECE = ROW_LANES * CHAIN;

/// The sum of one piece of a row: n <= PIECE values.
template <class T>
INLINE T sum_of_piece(int64_t n, const T* x) {
  Row<T> sums = Row<T>::filled(0);
  int64_t i = 0;
  for (; i + ROW_LANES <= n; i += ROW_LANES)
    unroll<Row<T>::PARTS>([&](auto p) INLINE_LAMBDA { sums.part[p] += load(x + i + p * lanes<T>); });
  if (i < n)
    unroll<Row<T>::PARTS>([&](auto p) INLINE_LAMBDA {
      const Mask<T> mask = first<T>(n - i - p * lanes<T>);
      sums.part[p] = select(mask, sums.part[p] + load(x + i + p * lanes<T>, mask), sums.part[p]);
    });
  return sums.sum();
}

/// GROUP whole pieces, one after the other in memory: chains that do not wait for each other.
template <int GROUP, class T>
INLINE void sums_of_pieces(const T* x, T* y) {
  Row<T> sums[GROUP];
  unroll<GROUP>([&](auto g) INLINE_LAMBDA { sums[g] = Row<T>::filled(0); });
  for (int64_t i = 0; i < PIECE; i += ROW_LANES)
    unroll<GROUP>([&](auto g) INLINE_LAMBDA {
      unroll<Row<T>::PARTS>([&](auto p) INLINE_LAMBDA { sums[g].part[p] += load(x + g * PIECE + i + p * lanes<T>); });
    });
  unroll<GROUP>([&](auto g) INLINE_LAMBDA { y[g] = sums[g].sum(); });
}

/// y[i] = the sum over `count` <= CHAIN rows of x[row * inner + i], in order from 0.
template <class T>
INLINE void sum_of_chain(int64_t count, int64_t inner, const T* x, T* y) {
  constexpr int64_t BLOCK = 2048;  // columns whose sums stay in L1
  constexpr int ROWS = 8;
  for (int64_t begin = 0; begin < inner; begin += BLOCK) {
    const int64_t columns = min_of(BLOCK, inner - begin);
    T* const sums = y + begin;
    each_vector<T>(columns, [&](int64_t i, auto mask) INLINE_LAMBDA { store(sums + i, zero<T>(), mask); });
    int64_t r = 0;
    for (; r + ROWS <= count; r += ROWS)
      each_vector<T>(columns, [&](int64_t i, auto mask) INLINE_LAMBDA {
        V<T> sum = load(sums + i, mask);
        unroll<ROWS>([&](auto k) INLINE_LAMBDA { sum += load(x + (r + k) * inner + begin + i, mask); });
        store(sums + i, sum, mask);
      });
    for (; r < count; ++r)
      each_vector<T>(columns, [&](int64_t i, auto mask) INLINE_LAMBDA {
        store(sums + i, load(sums + i, mask) + load(x + r * inner + begin + i, mask), mask);
      });
  }
}

template <class T>
INLINE void sum_rows(int64_t outer, int64_t reduced, const T* x, T* y) {
  constexpr int GROUP = 4;
  const int64_t pieces = ceil_div(reduced, PIECE);
  if (pieces == 1) {
    parallel_for(outer, reduced * WORK, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      for (int64_t o = begin; o < end; ++o) y[o] = sum_of_piece(reduced, x + o * reduced);
    });
    return;
  }
  T* const sums = scratch_for<T>(Slot::caller, outer * pieces);
  const int64_t groups = ceil_div(pieces, GROUP);
  parallel_for(outer * groups, GROUP * PIECE * WORK, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t o = task / groups, from = task % groups * GROUP;
      const T* const row = x + o * reduced;
      T* const to = sums + o * pieces;
      if ((from + GROUP) * PIECE <= reduced) {
        sums_of_pieces<GROUP>(row + from * PIECE, to + from);
      } else {
        for (int64_t p = from; p < pieces; ++p)
          to[p] = sum_of_piece(min_of(PIECE, reduced - p * PIECE), row + p * PIECE);
      }
    }
  });
  for (int64_t o = 0; o < outer; ++o) {
    T total = 0;
    for (int64_t p = 0; p < pieces; ++p) total += sums[o * pieces + p];
    y[o] = total;
  }
}

template <class T>
INLINE void sum_columns(int64_t outer, int64_t reduced, int64_t inner, const T* x, T* y) {
  const int64_t chains = ceil_div(reduced, CHAIN);
  T* const sums = chains == 1 ? y : scratch_for<T>(Slot::caller, outer * chains * inner);
  parallel_for(outer * chains, min_of(reduced, CHAIN) * inner * WORK, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t o = task / chains, from = task % chains * CHAIN;
      sum_of_chain(min_of(CHAIN, reduced - from), inner, x + (o * reduced + from) * inner, sums + task * inner);
    }
  });
  if (chains == 1) return;
  parallel_for(outer, chains * inner * WORK, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t o = begin; o < end; ++o)
      each_vector<T>(inner, [&](int64_t i, auto mask) INLINE_LAMBDA {
        V<T> total = zero<T>();
        for (int64_t c = 0; c < chains; ++c) total += load(sums + (o * chains + c) * inner + i, mask);
        store(y + o * inner + i, total, mask);
      });
  });
}

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <class Target, class T>
void reduce_sum(int64_t outer, int64_t reduced, int64_t inner, const T* x, T* y) {
  if (outer == 0 || inner == 0) return;
  if (reduced == 0)
    for (int64_t i = 0; i < outer * inner; ++i) y[i] = 0;
  else if (inner == 1)
    sum_rows(outer, reduced, x, y);
  else
    sum_columns(outer, reduced, inner, x, y);
}

template void reduce_sum<Target>(int64_t, int64_t, int64_t, const float*, float*);
DOUBLE template void reduce_sum<Target>(int64_t, int64_t, int64_t, const double*, double*);

}  // namespace lamina
