#include "ops/bias_backward.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/activation.h"
#include "cpu/support/parallel.h"
#include "ops/gemm.h"

namespace lamina {
namespace LAMINA_ISA {

/// dz of COUNT vectors of columns over `rows` rows, and their sum on top of `sum`.
template <class T, Activation A, int COUNT, class M>
INLINE void column_block(int64_t rows, int64_t n, const T* y, const T* dy, T* dz, T* sum, M last) {
  constexpr int W = lanes<T>;
  V<T> total[COUNT];
  unroll<COUNT - 1>([&](auto v) INLINE_LAMBDA { total[v] = load(sum + v * W); });
  total[COUNT - 1] = load(sum + (COUNT - 1) * W, last);
  const auto step = [&](int64_t at, V<T>& s, auto mask) INLINE_LAMBDA {
    V<T> d = load(dy + at, mask);
    if constexpr (A != Activation::linear) {
      d = activation_gradient<A, T>(load(y + at, mask), d);
      store(dz + at, d, mask);
    }
    s = s + d;
  };
  for (int64_t i = 0; i < rows; ++i) {
    unroll<COUNT - 1>([&](auto v) INLINE_LAMBDA { step(i * n + v * W, total[v], All{}); });
    step(i * n + (COUNT - 1) * W, total[COUNT - 1], last);
  }
  unroll<COUNT - 1>([&](auto v) INLINE_LAMBDA { store(sum + v * W, total[v]); });
  store(sum + (COUNT - 1) * W, total[COUNT - 1], last);
}

template <class T, Activation A>
void bias_backward_rows(int64_t rows, int64_t n, const T* y, const T* dy, T* dz, T* sum) {
  constexpr int W = lanes<T>, MOST = 4;
  constexpr int64_t ROWS = 32;  // a block of rows stays in L1 while the columns are gone through
  for (int64_t i = 0; i < rows; i += ROWS) {
    const int64_t count = min_of(rows - i, ROWS);
    const T *y_rows = y ? y + i * n : nullptr, *dy_rows = dy + i * n;
    T* const dz_rows = dz ? dz + i * n : nullptr;
    int64_t j = 0;
    const auto block = [&](auto vectors, auto last) INLINE_LAMBDA {
      column_block<T, A, vectors>(count, n, y_rows ? y_rows + j : nullptr, dy_rows + j, dz_rows ? dz_rows + j : nullptr,
                                  sum + j, last);
      j += vectors * W;
    };
    while (j + MOST * W <= n) block(Int<MOST>{}, All{});
    while (j + W <= n) block(Int<1>{}, All{});
    if (j < n) block(Int<1>{}, first<T>(n - j));
  }
}

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <class Target, class T>
void bias_backward(int64_t rows, int64_t n, const T* y, const T* dy, Activation activation, T* dz, T* db) {
  const int64_t chains = ceil_div(rows, CHAIN);
  T* const partial = scratch_for<T>(Slot::caller, max_of(chains, 1) * n);
  for (int64_t i = 0; i < max_of(chains, 1) * n; ++i) partial[i] = 0;
  with_activation(activation, [&](auto a) INLINE_LAMBDA {
    parallel_for(chains, double(CHAIN * n) * 0.3, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) {
        const int64_t at = c * CHAIN * n;
        bias_backward_rows<T, a.value>(min_of(rows - c * CHAIN, CHAIN), n, y ? y + at : nullptr, dy + at,
                                       dz ? dz + at : nullptr, partial + c * n);
      }
    });
  });
  if (!db) return;
  each_vector<T>(n, [&](int64_t j, auto mask) INLINE_LAMBDA {
    V<T> sum = load(partial + j, mask);
    for (int64_t c = 1; c < chains; ++c) sum = sum + load(partial + c * n + j, mask);
    store(db + j, sum, mask);
  });
}

template void bias_backward<Target>(int64_t, int64_t, const float*, const float*, Activation, float*, float*);
DOUBLE template void bias_backward<Target>(int64_t, int64_t, const double*, const double*, Activation, double*,
                                           double*);

}  // namespace lamina
