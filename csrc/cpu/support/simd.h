// Vectors, one wrapper for every instruction set. Included only by files that are compiled once per ISA.
//
// V<T> is a native vector of lanes<T> values (T: float, double), so + - * / and unary - are the compiler's
// own; Mask<T> holds one flag a lane. -ffp-contract=off: a fused multiply-add happens where fma() or fnma()
// is written and nowhere else. Everything here lives in the namespace of its ISA and is always inlined, and
// no std:: template is used: the linker keeps one copy of a shared template, and it must not be the AVX-512
// one for everybody.
#pragma once
#include <cstdint>
#include <cstring>

#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))
#define OUT_OF_LINE [[gnu::noinline, maybe_unused]] static

// What is long: a call where an x86 has no AVX2. Time counts little there, and a quarter less of it goes into
// compiling.
#if defined(__x86_64__) && !defined(__AVX2__)
#define CALLED inline __attribute__((noinline))
#else
#define CALLED INLINE
#endif

// `DOUBLE template void kernel<Target>(...)`: the instance for double. There is none in v4, whose doubles run v3's
// code (see dispatch).
#if defined(__AVX512F__)
#define DOUBLE extern
#else
#define DOUBLE
#endif

#if defined(__AVX512F__)
#include "cpu/support/simd_v4.h"
#elif defined(__AVX2__)
#include "cpu/support/simd_v3.h"
#else
#include "cpu/support/simd_portable.h"
#endif

#include "support/unroll.h"

namespace lamina::LAMINA_ISA {

/// Sums inside a row run over 16 virtual lanes on every ISA: value i goes to lane i % 16. A Row is those
/// lanes.
constexpr int ROW_LANES = 16;
template <class T>
struct Row {
  static constexpr int PARTS = ROW_LANES / lanes<T>;
  V<T> part[PARTS];

  static INLINE Row filled(T value) {
    Row r;
    unroll<PARTS>([&](auto i) INLINE_LAMBDA { r.part[i] = set(value); });
    return r;
  }
  /// The lanes, folded in one fixed order: lane i with i + 8, then i + 4, i + 2, i + 1.
  template <class F>
  INLINE T fold(F&& f) const {
    alignas(64) T lane[ROW_LANES];
    unroll<PARTS>([&](auto i) INLINE_LAMBDA { store(lane + i * lanes<T>, part[i]); });
    for (int half = ROW_LANES / 2; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) lane[i] = f(lane[i], lane[i + half]);
    return lane[0];
  }
  INLINE T sum() const {
    return fold([](T a, T b) INLINE_LAMBDA { return a + b; });
  }
};

/// f(i, mask of the lanes inside n) for the vectors of a row of n values.
/// Whole vectors come with a mask of all lanes through f(i), the rest through f(i, mask).
template <class T, class F>
INLINE void each_vector(int64_t n, F&& f) {
  int64_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) f(i, All{});
  if (i < n) f(i, first<T>(n - i));
}
template <class T>
INLINE V<T> load(const T* p, All) {
  return load(p);
}
template <class T>
INLINE void store(T* p, V<T> v, All) {
  store(p, v);
}

/// How many lanes a mask of each_vector holds, `rest` values before the end of the row.
template <class T>
INLINE constexpr int64_t lanes_of(All, int64_t) {
  return lanes<T>;
}
template <class T>
INLINE constexpr int64_t lanes_of(Mask<T>, int64_t rest) {
  return rest;
}

/// The first `count` whole numbers at p, kept narrower in memory (P: uint8_t, int32_t) than in the lanes of T.
template <class T, class P>
INLINE I<T> widen(const P* p, int64_t count) {
  if (count >= lanes<T>) return widen<T>(p);
  P part[lanes<T>] = {};
  for (int64_t i = 0; i < count; ++i) part[i] = p[i];
  return widen<T>(part);
}
template <class P, class Ints>
INLINE void narrow(P* p, Ints v, int64_t count) {
  if (count >= int64_t(sizeof v / sizeof v[0])) return narrow(p, v);
  P part[sizeof v / sizeof v[0]];
  narrow(part, v);
  for (int64_t i = 0; i < count; ++i) p[i] = part[i];
}
/// The same whole number in every lane.
template <class T>
INLINE I<T> whole(int64_t value) {
  return I<T>{} + static_cast<decltype(I<T>{}[0] + 0)>(value);
}
/// The lanes whose narrow number is `value`; count: how many there are.
template <class T, class P>
INLINE Mask<T> matches(const P* p, int64_t value, int64_t count) {
#ifdef __AVX512VL__
  if constexpr (sizeof(P) == 1 && sizeof(T) == 4)
    if (count >= lanes<T>)
      return {_mm_cmpeq_epi8_mask(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), _mm_set1_epi8(char(value)))};
#endif
  return equal(widen<T>(p, count), whole<T>(value));
}

}  // namespace lamina::LAMINA_ISA
