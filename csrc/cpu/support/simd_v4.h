// AVX-512 (x86-64-v4): 512-bit vectors, mask registers. See simd.h.
#pragma once
#include <immintrin.h>

namespace lamina::LAMINA_ISA {

template <class T>
struct VecOf;
template <>
struct VecOf<float> {
  using type = __m512;
  using mask = __mmask16;
  using ints = int32_t __attribute__((vector_size(64)));
};
template <>
struct VecOf<double> {
  using type = __m512d;
  using mask = __mmask8;
  using ints = int64_t __attribute__((vector_size(64)));
};
template <class T>
using V = typename VecOf<T>::type;
template <class T>
using I = typename VecOf<T>::ints;  // integers as wide as T, for bit work
template <class T>
struct Mask {
  typename VecOf<T>::mask bits;
};
struct All {};
template <class T>
constexpr int lanes = 64 / sizeof(T);
constexpr int REGISTERS = 32;

INLINE V<float> set(float x) { return _mm512_set1_ps(x); }
INLINE V<double> set(double x) { return _mm512_set1_pd(x); }
template <class T>
INLINE V<T> zero() {
  return V<T>{};
}
INLINE V<float> load(const float* p) { return _mm512_loadu_ps(p); }
INLINE V<double> load(const double* p) { return _mm512_loadu_pd(p); }
INLINE V<float> load(const float* p, Mask<float> m) { return _mm512_maskz_loadu_ps(m.bits, p); }
INLINE V<double> load(const double* p, Mask<double> m) { return _mm512_maskz_loadu_pd(m.bits, p); }
INLINE void store(float* p, V<float> v) { _mm512_storeu_ps(p, v); }
INLINE void store(double* p, V<double> v) { _mm512_storeu_pd(p, v); }
INLINE void store(float* p, V<float> v, Mask<float> m) { _mm512_mask_storeu_ps(p, m.bits, v); }
INLINE void store(double* p, V<double> v, Mask<double> m) { _mm512_mask_storeu_pd(p, m.bits, v); }
/// Past the caches; p on a vector's boundary; stream_fence() before anyone else reads.
INLINE void stream(float* p, V<float> v) { _mm512_stream_ps(p, v); }
INLINE void stream(double* p, V<double> v) { _mm512_stream_pd(p, v); }
INLINE void stream_fence() { _mm_sfence(); }
INLINE void prefetch(const void* p) { _mm_prefetch(p, _MM_HINT_T0); }
INLINE void prefetch_far(const void* p) { _mm_prefetch(p, _MM_HINT_T1); }

/// a * b + c, rounded once; fnma: c - a * b.
INLINE V<float> fma(V<float> a, V<float> b, V<float> c) { return _mm512_fmadd_ps(a, b, c); }
INLINE V<double> fma(V<double> a, V<double> b, V<double> c) { return _mm512_fmadd_pd(a, b, c); }
INLINE V<float> fnma(V<float> a, V<float> b, V<float> c) { return _mm512_fnmadd_ps(a, b, c); }
INLINE V<double> fnma(V<double> a, V<double> b, V<double> c) { return _mm512_fnmadd_pd(a, b, c); }
/// a > b ? a : b, and a < b ? a : b: the second operand wins on NaN and on equal zeros.
INLINE V<float> max(V<float> a, V<float> b) { return _mm512_max_ps(a, b); }
INLINE V<double> max(V<double> a, V<double> b) { return _mm512_max_pd(a, b); }
INLINE V<float> min(V<float> a, V<float> b) { return _mm512_min_ps(a, b); }
INLINE V<double> min(V<double> a, V<double> b) { return _mm512_min_pd(a, b); }
INLINE V<float> sqrt(V<float> a) { return _mm512_sqrt_ps(a); }
INLINE V<double> sqrt(V<double> a) { return _mm512_sqrt_pd(a); }
/// a 2^n for a whole number n, rounded once.
#define LAMINA_SCALES 1
INLINE V<float> scaled_by_power(V<float> a, V<float> n) { return _mm512_scalef_ps(a, n); }
INLINE V<double> scaled_by_power(V<double> a, V<double> n) { return _mm512_scalef_pd(a, n); }
/// To the nearest whole number, halves to even.
INLINE V<float> nearest(V<float> a) { return _mm512_roundscale_ps(a, 8); }
INLINE V<double> nearest(V<double> a) { return _mm512_roundscale_pd(a, 8); }

INLINE Mask<float> less(V<float> a, V<float> b) { return {_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ)}; }
INLINE Mask<double> less(V<double> a, V<double> b) { return {_mm512_cmp_pd_mask(a, b, _CMP_LT_OQ)}; }
INLINE Mask<float> equal(V<float> a, V<float> b) { return {_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ)}; }
INLINE Mask<double> equal(V<double> a, V<double> b) { return {_mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ)}; }
INLINE Mask<float> unordered(V<float> a, V<float> b) { return {_mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q)}; }
INLINE Mask<double> unordered(V<double> a, V<double> b) { return {_mm512_cmp_pd_mask(a, b, _CMP_UNORD_Q)}; }
template <class T>
INLINE Mask<T> operator|(Mask<T> a, Mask<T> b) {
  return {static_cast<typename VecOf<T>::mask>(a.bits | b.bits)};
}
template <class T>
INLINE Mask<T> operator&(Mask<T> a, Mask<T> b) {
  return {static_cast<typename VecOf<T>::mask>(a.bits & b.bits)};
}
template <class T>
INLINE bool any(Mask<T> m) {
  return m.bits != 0;
}
/// Lane by lane m ? yes : no.
INLINE V<float> select(Mask<float> m, V<float> yes, V<float> no) { return _mm512_mask_mov_ps(no, m.bits, yes); }
INLINE V<double> select(Mask<double> m, V<double> yes, V<double> no) { return _mm512_mask_mov_pd(no, m.bits, yes); }
/// The first n lanes (all if n is larger, none if n <= 0).
template <class T>
INLINE Mask<T> first(int64_t n) {
  return {static_cast<typename VecOf<T>::mask>(n >= lanes<T> ? ~0u : n <= 0 ? 0u : (1u << n) - 1)};
}

/// Lane l of the result is lane index[l] of v.
INLINE V<float> permute(V<float> v, I<float> index) { return _mm512_permutexvar_ps(__m512i(index), v); }
INLINE V<double> permute(V<double> v, I<double> index) { return _mm512_permutexvar_pd(__m512i(index), v); }

INLINE I<float> bits(V<float> v) { return reinterpret_cast<I<float>>(v); }
INLINE I<double> bits(V<double> v) { return reinterpret_cast<I<double>>(v); }
INLINE V<float> from_bits(I<float> v) { return reinterpret_cast<V<float>>(v); }
INLINE V<double> from_bits(I<double> v) { return reinterpret_cast<V<double>>(v); }
INLINE Mask<float> equal(I<float> a, I<float> b) { return {_mm512_cmpeq_epi32_mask(__m512i(a), __m512i(b))}; }
INLINE Mask<double> equal(I<double> a, I<double> b) { return {_mm512_cmpeq_epi64_mask(__m512i(a), __m512i(b))}; }

/// Whole numbers kept narrower in memory than in the lanes of T: widen<T>(p), narrow(p, v).
template <class T>
INLINE I<T> widen(const uint8_t* p) {
  if constexpr (sizeof(T) == 4)
    return I<T>(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  else
    return I<T>(_mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
template <class T>
INLINE I<T> widen(const int32_t* p) {
  if constexpr (sizeof(T) == 4)
    return I<T>(_mm512_loadu_si512(p));
  else
    return I<T>(_mm512_cvtepi32_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
}
INLINE void narrow(uint8_t* p, I<float> v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(__m512i(v)));
}
INLINE void narrow(uint8_t* p, I<double> v) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm512_cvtepi64_epi8(__m512i(v)));
}
INLINE void narrow(int32_t* p, I<float> v) { _mm512_storeu_si512(p, __m512i(v)); }
INLINE void narrow(int32_t* p, I<double> v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi64_epi32(__m512i(v)));
}

/// 64-bit words; multiply_low: the products of their lower halves.
using Words = uint64_t __attribute__((vector_size(64)));
INLINE Words multiply_low(Words a, Words b) {
  return reinterpret_cast<Words>(_mm512_mul_epu32(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
}

}  // namespace lamina::LAMINA_ISA
