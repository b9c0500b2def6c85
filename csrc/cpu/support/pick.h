// Four values, and vectors whose lanes each take one of them.
#pragma once
#include "cpu/support/simd.h"

namespace lamina::LAMINA_ISA {

/// pick(fours(p), index): lane l is p[index[l] % 4].
#if defined(__AVX512F__)
INLINE V<float> fours(const float* p) { return _mm512_broadcast_f32x4(_mm_loadu_ps(p)); }
INLINE V<float> pick(V<float> four, I<float> index) { return _mm512_permutevar_ps(four, __m512i(index)); }
INLINE V<double> fours(const double* p) { return _mm512_broadcast_f64x4(_mm256_loadu_pd(p)); }
INLINE V<double> pick(V<double> four, I<double> index) { return permute(four, index & 3); }
#elif defined(__AVX2__)
INLINE V<float> fours(const float* p) { return _mm256_broadcast_ps(reinterpret_cast<const __m128*>(p)); }
INLINE V<float> pick(V<float> four, I<float> index) { return _mm256_permutevar_ps(four, __m256i(index)); }
INLINE V<double> fours(const double* p) { return load(p); }
INLINE V<double> pick(V<double> four, I<double> index) { return permute(four, index & 3); }
#else
template <class T>
INLINE const T* fours(const T* p) {
  return p;
}
template <class T>
CALLED V<T> pick(const T* four, I<T> index) {
  V<T> v{};
  for (int l = 0; l < lanes<T>; ++l) v[l] = four[index[l] & 3];
  return v;
}
#endif

/// to[4 * i ...] = a[i], b[i], c[i], d[i] for i in [0, count), and up to three more.
template <class T>
INLINE void zip_fours(int64_t count, const T* a, const T* b, const T* c, const T* d, T* to) {
  typedef T Four __attribute__((vector_size(4 * sizeof(T))));
  const auto read = [](const T* p) INLINE_LAMBDA {
    Four v;
    std::memcpy(&v, p, sizeof v);
    return v;
  };
  const auto write = [](T* p, Four v) INLINE_LAMBDA { std::memcpy(p, &v, sizeof v); };
  for (int64_t i = 0; i < count; i += 4) {
    const Four va = read(a + i), vb = read(b + i), vc = read(c + i), vd = read(d + i);
    const Four ab = __builtin_shufflevector(va, vb, 0, 4, 1, 5);
    const Four cd = __builtin_shufflevector(vc, vd, 0, 4, 1, 5);
    const Four ab_end = __builtin_shufflevector(va, vb, 2, 6, 3, 7);
    const Four cd_end = __builtin_shufflevector(vc, vd, 2, 6, 3, 7);
    write(to + 4 * i, __builtin_shufflevector(ab, cd, 0, 1, 4, 5));
    write(to + 4 * i + 4, __builtin_shufflevector(ab, cd, 2, 3, 6, 7));
    write(to + 4 * i + 8, __builtin_shufflevector(ab_end, cd_end, 0, 1, 4, 5));
    write(to + 4 * i + 12, __builtin_shufflevector(ab_end, cd_end, 2, 3, 6, 7));
  }
}

}  // namespace lamina::LAMINA_ISA
