// Loops that the front end unrolls, and arithmetic of sizes: what files compiled once per ISA use in place of std::,
// and kernels for a GPU too. Include cpu/support/simd.h or cuda/support/lane.cuh first.
#pragma once
#include <cstdint>
#include <utility>

#ifndef INLINE
#error "include cpu/support/simd.h or cuda/support/lane.cuh before support/unroll.h"
#endif

namespace lamina::LAMINA_ISA {

/// f(Int<0>{}), ..., f(Int<N-1>{}): unrolled by the front end, before any pass can leave an array in memory.
/// Not by recursion: the compiler would copy the last call into the one before, both into the one before that, and so
/// on.
template <int I>
struct Int {
  constexpr operator int() const { return I; }
};
template <class F, int... I>
INLINE constexpr void unroll_over(F&& f, std::integer_sequence<int, I...>) {
  (f(Int<I>{}), ...);
}
template <int N, class F>
INLINE constexpr void unroll(F&& f) {
  unroll_over(f, std::make_integer_sequence<int, N>{});
}

/// f(Int<n>{}) for a run-time n in 1..MAX: a run-time choice becomes a template argument.
template <class F, int... I>
INLINE void with_constant_over(int n, F&& f, std::integer_sequence<int, I...>) {
  const bool found = ((n == I + 1 && (f(Int<I + 1>{}), true)) || ...);
  if (!found) f(Int<sizeof...(I) + 1>{});
}
template <int MAX, class F>
INLINE void with_constant(int n, F&& f) {
  with_constant_over(n, f, std::make_integer_sequence<int, MAX - 1>{});
}

constexpr int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }
constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

/// Of plain numbers, on the CPU and on a GPU.
INLINE int leading_zeros(uint64_t x) {
#ifdef __CUDA_ARCH__
  return __clzll(int64_t(x));
#else
  return __builtin_clzll(x);
#endif
}
INLINE double fused(double a, double b, double c) {
#ifdef __CUDA_ARCH__
  return ::fma(a, b, c);
#else
  return __builtin_fma(a, b, c);
#endif
}

}  // namespace lamina::LAMINA_ISA
