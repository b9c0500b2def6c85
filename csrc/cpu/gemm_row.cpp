// One row times a matrix that comes from memory: the matrix is read once, so it is read the way memory likes best,
// whole rows of it, eight at a time, each from its beginning to its end. Sums wait in L1.
#include "cpu/runtime/isa.h"
#include "cpu/support/activation.h"
#include "cpu/support/elementwise.h"
#include "ops/gemm.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr int TOGETHER = 8;                          // rows of B
constexpr int64_t LEAST_BYTES = int64_t(4) << 20;    // of B: below, it may be in a cache, and tiles save the sums' way
constexpr int64_t LEAST_COLUMNS = 512;               // fewer: too few for threads to share
constexpr int64_t MOST_COLUMNS = 2048, SHARED = 64;  // in L1 at a time; the least that one thread has

/// sums[j] (+)= a[0] * b[0][j] + ... + a[R - 1] * b[R - 1][j].
template <int R, class T>
INLINE void add_rows(int64_t n, const T* a, const T* b, int64_t ldb, T* sums, bool starts) {
  V<T> factors[R];
  unroll<R>([&](auto r) INLINE_LAMBDA { factors[r] = set(a[r]); });
  each_vector<T>(n, [&](int64_t j, auto mask) INLINE_LAMBDA {
    V<T> sum = starts ? zero<T>() : load(sums + j, mask);
    unroll<R>([&](auto r) INLINE_LAMBDA { sum = fma(factors[r], load(b + r * ldb + j, mask), sum); });
    store(sums + j, sum, mask);
  });
}

/// Columns [0, n) of the product: chain after chain.
template <class T>
void row_of_product(const Gemm<T>& g, int64_t n, const T* b, const T* bias, T* c, T* sums) {
  for (int64_t k0 = 0; k0 < g.k; k0 += CHAIN) {
    const int64_t end = min_of(g.k, k0 + CHAIN);
    T* const chain = k0 == 0 ? c : sums;
    int64_t k = k0;
    for (; k + TOGETHER <= end; k += TOGETHER) add_rows<TOGETHER>(n, g.a + k, b + k * g.ldb, g.ldb, chain, k == k0);
    for (; k < end; ++k) add_rows<1>(n, g.a + k, b + k * g.ldb, g.ldb, chain, k == k0);
    if (k0 > 0)
      each_vector<T>(
          n, [&](int64_t j, auto mask) INLINE_LAMBDA { store(c + j, load(c + j, mask) + load(sums + j, mask), mask); });
  }
  if (bias)
    each_vector<T>(
        n, [&](int64_t j, auto mask) INLINE_LAMBDA { store(c + j, load(c + j, mask) + load(bias + j, mask), mask); });
  apply_activation(c, n, g.activation);
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
bool gemm_row(const Gemm<T>& g) {
  const bool fits = g.m == 1 && g.n >= LEAST_COLUMNS && (!g.transpose_a || g.lda == 1) && !g.transpose_b && !g.addend;
  if (!fits || g.k * g.n * int64_t(sizeof(T)) < LEAST_BYTES) return false;
  parallel_for(ceil_div(g.n, SHARED), 0.2 * double(g.k * SHARED), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    T* const sums = scratch_for<T>(Slot::gemm, MOST_COLUMNS);
    const int64_t stop = min_of(g.n, end * SHARED);
    for (int64_t j = begin * SHARED; j < stop; j += MOST_COLUMNS)
      row_of_product(g, min_of(MOST_COLUMNS, stop - j), g.b + j, g.bias ? g.bias + j : nullptr, g.c + j, sums);
  });
  return true;
}

template bool gemm_row<Target>(const Gemm<float>&);
DOUBLE template bool gemm_row<Target>(const Gemm<double>&);

}  // namespace lamina
