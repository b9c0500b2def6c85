// AVX2 + FMA (x86-64-v3): 256-bit vectors; a mask is a vector of all-ones and all-zeros lanes. See simd.h.
#pragma once
#include <immintrin.h>

namespace lamina::LAMINA_ISA {

template <class T>
struct VecOf;
template <>
struct VecOf<float> {
  using type = __m256;
  using ints = int32_t __attribute__((vector_size(32)));
};
template <>
struct VecOf<double> {
  using type = __m256d;
  using ints = int64_t __attribute__((vector_size(32)));
};
template <class T>
using V = typename VecOf<T>::type;
template <class T>
using I = typename VecOf<T>::ints;  // integers as wide as T, for bit work
template <class T>
struct Mask {
  V<T> bits;
};
struct All {};
template <class T>
constexpr int lanes = 32 / sizeof(T);
constexpr int REGISTERS = 16;

INLINE V<float> set(float x) { return _mm256_set1_ps(x); }
INLINE V<double> set(double x) { return _mm256_set1_pd(x); }
template <class T>
INLINE V<T> zero() {
  return V<T>{};
}
INLINE V<float> load(const float* p) { return _mm256_loadu_ps(p); }
INLINE V<double> load(const double* p) { return _mm256_loadu_pd(p); }
INLINE V<float> load(const float* p, Mask<float> m) { return _mm256_maskload_ps(p, _mm256_castps_si256(m.bits)); }
INLINE V<double> load(const double* p, Mask<double> m) { return _mm256_maskload_pd(p, _mm256_castpd_si256(m.bits)); }
INLINE void store(float* p, V<float> v) { _mm256_storeu_ps(p, v); }
INLINE void store(double* p, V<double> v) { _mm256_storeu_pd(p, v); }
INLINE void store(float* p, V<float> v, Mask<float> m) { _mm256_maskstore_ps(p, _mm256_castps_si256(m.bits), v); }
INLINE void store(double* p, V<double> v, Mask<double> m) { _mm256_maskstore_pd(p, _mm256_castpd_si256(m.bits), v); }
/// Past the caches; p on a vector's boundary; stream_fence() before anyone else reads.
INLINE void stream(float* p, V<float> v) { _mm256_stream_ps(p, v); }
INLINE void stream(double* p, V<double> v) { _mm256_stream_pd(p, v); }
INLINE void stream_fence() { _mm_sfence(); }
INLINE void prefetch(const void* p) { _mm_prefetch(p, _MM_HINT_T0); }
INLINE void prefetch_far(const void* p) { _mm_prefetch(p, _MM_HINT_T1); }

/// a * b + c, rounded once; fnma: c - a * b.
INLINE V<float> fma(V<float> a, V<float> b, V<float> c) { return _mm256_fmadd_ps(a, b, c); }
INLINE V<double> fma(V<double> a, V<double> b, V<double> c) { return _mm256_fmadd_pd(a, b, c); }
INLINE V<float> fnma(V<float> a, V<float> b, V<float> c) { return _mm256_fnmadd_ps(a, b, c); }
INLINE V<double> fnma(V<double> a, V<double> b, V<double> c) { return _mm256_fnmadd_pd(a, b, c); }
/// a > b ? a : b, and a < b ? a : b: the second operand wins on NaN and on equal zeros.
INLINE V<float> max(V<float> a, V<float> b) { return _mm256_max_ps(a, b); }
INLINE V<double> max(V<double> a, V<double> b) { return _mm256_max_pd(a, b); }
INLINE V<float> min(V<float> a, V<float> b) { return _mm256_min_ps(a, b); }
INLINE V<double> min(V<double> a, V<double> b) { return _mm256_min_pd(a, b); }
INLINE V<float> sqrt(V<float> a) { return _mm256_sqrt_ps(a); }
INLINE V<double> sqrt(V<double> a) { return _mm256_sqrt_pd(a); }
/// To the nearest whole number, halves to even.
INLINE V<float> nearest(V<float> a) { return _mm256_round_ps(a, 8); }
INLINE V<double> nearest(V<double> a) { return _mm256_round_pd(a, 8); }

INLINE Mask<float> less(V<float> a, V<float> b) { return {_mm256_cmp_ps(a, b, _CMP_LT_OQ)}; }
INLINE Mask<double> less(V<double> a, V<double> b) { return {_mm256_cmp_pd(a, b, _CMP_LT_OQ)}; }
INLINE Mask<float> equal(V<float> a, V<float> b) { return {_mm256_cmp_ps(a, b, _CMP_EQ_OQ)}; }
INLINE Mask<double> equal(V<double> a, V<double> b) { return {_mm256_cmp_pd(a, b, _CMP_EQ_OQ)}; }
INLINE Mask<float> unordered(V<float> a, V<float> b) { return {_mm256_cmp_ps(a, b, _CMP_UNORD_Q)}; }
INLINE Mask<double> unordered(V<double> a, V<double> b) { return {_mm256_cmp_pd(a, b, _CMP_UNORD_Q)}; }
INLINE Mask<float> operator|(Mask<float> a, Mask<float> b) { return {_mm256_or_ps(a.bits, b.bits)}; }
INLINE Mask<double> operator|(Mask<double> a, Mask<double> b) { return {_mm256_or_pd(a.bits, b.bits)}; }
INLINE Mask<float> operator&(Mask<float> a, Mask<float> b) { return {_mm256_and_ps(a.bits, b.bits)}; }
INLINE Mask<double> operator&(Mask<double> a, Mask<double> b) { return {_mm256_and_pd(a.bits, b.bits)}; }
INLINE bool any(Mask<float> m) { return _mm256_movemask_ps(m.bits) != 0; }
INLINE bool any(Mask<double> m) { return _mm256_movemask_pd(m.bits) != 0; }
/// Lane by lane m ? yes : no.
INLINE V<float> select(Mask<float> m, V<float> yes, V<float> no) { return _mm256_blendv_ps(no, yes, m.bits); }
INLINE V<double> select(Mask<double> m, V<double> yes, V<double> no) { return _mm256_blendv_pd(no, yes, m.bits); }
/// The first n lanes (all if n is larger, none if n <= 0).
template <class T>
INLINE Mask<T> first(int64_t n) {
  const int count = n >= lanes<T> ? lanes<T> : n <= 0 ? 0 : int(n);
  if constexpr (sizeof(T) == 4)
    return {
        _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)))};
  else
    return {_mm256_castsi256_pd(_mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3)))};
}

/// Lane l of the result is lane index[l] of v.
INLINE V<float> permute(V<float> v, I<float> index) { return _mm256_permutevar8x32_ps(v, __m256i(index)); }
INLINE V<double> permute(V<double> v, I<double> index) {
  const I<double> even = index + index, halves = even | ((even + 1) << 32);
  return _mm256_castps_pd(_mm256_permutevar8x32_ps(_mm256_castpd_ps(v), __m256i(halves)));
}

INLINE I<float> bits(V<float> v) { return reinterpret_cast<I<float>>(v); }
INLINE I<double> bits(V<double> v) { return reinterpret_cast<I<double>>(v); }
INLINE V<float> from_bits(I<float> v) { return reinterpret_cast<V<float>>(v); }
INLINE V<double> from_bits(I<double> v) { return reinterpret_cast<V<double>>(v); }
INLINE Mask<float> equal(I<float> a, I<float> b) { return {from_bits(a == b)}; }
INLINE Mask<double> equal(I<double> a, I<double> b) { return {from_bits(I<double>(a == b))}; }

/// Whole numbers kept narrower in memory than in the lanes of T: widen<T>(p), narrow(p, v).
template <class T>
INLINE I<T> widen(const uint8_t* p) {
  if constexpr (sizeof(T) == 4)
    return I<T>(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  else
    return I<T>(_mm256_cvtepu8_epi64(_mm_loadu_si32(p)));
}
template <class T>
INLINE I<T> widen(const int32_t* p) {
  if constexpr (sizeof(T) == 4)
    return I<T>(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  else
    return I<T>(_mm256_cvtepi32_epi64(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
/// The low halves of four 64-bit numbers.
INLINE __m128i low_halves(I<double> v) {
  return _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(__m256i(v), _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6)));
}
INLINE void narrow(uint8_t* p, I<float> v) {
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(__m256i(v)), _mm256_extracti128_si256(__m256i(v), 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
}
INLINE void narrow(uint8_t* p, I<double> v) {
  const __m128i words = _mm_packus_epi32(low_halves(v), low_halves(v));
  _mm_storeu_si32(p, _mm_packus_epi16(words, words));
}
INLINE void narrow(int32_t* p, I<float> v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), __m256i(v)); }
INLINE void narrow(int32_t* p, I<double> v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), low_halves(v)); }

/// 64-bit words; multiply_low: the products of their lower halves.
using Words = uint64_t __attribute__((vector_size(32)));
INLINE Words multiply_low(Words a, Words b) {
  return reinterpret_cast<Words>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
}

}  // namespace lamina::LAMINA_ISA
