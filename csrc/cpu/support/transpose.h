// Blocks of a matrix, turned in registers: what packing a transposed operand needs.
#pragma once
#include "cpu/support/simd.h"

namespace lamina::LAMINA_ISA {

// Pieces of the float transpose.
#if defined(__AVX512F__)
/// v[4 q + j]: of rows j, j + 4, j + 8, ... the columns 4 q to 4 q + 3. Whole lines are loaded, each once: loads of 128
/// bits, put straight into their place, take half as long again.
INLINE void load_fours(V<float>* v, auto&& row) {
  unroll<4>([&](auto j) INLINE_LAMBDA {
    const V<float> a = load(row(Int<j>{})), b = load(row(Int<j + 4>{}));
    const V<float> c = load(row(Int<j + 8>{})), d = load(row(Int<j + 12>{}));
    const V<float> ab = _mm512_shuffle_f32x4(a, b, 0x44), cd = _mm512_shuffle_f32x4(c, d, 0x44);
    const V<float> ab_2 = _mm512_shuffle_f32x4(a, b, 0xee), cd_2 = _mm512_shuffle_f32x4(c, d, 0xee);
    v[j] = _mm512_shuffle_f32x4(ab, cd, 0x88);
    v[4 + j] = _mm512_shuffle_f32x4(ab, cd, 0xdd);
    v[8 + j] = _mm512_shuffle_f32x4(ab_2, cd_2, 0x88);
    v[12 + j] = _mm512_shuffle_f32x4(ab_2, cd_2, 0xdd);
  });
}
INLINE V<float> zip_low(V<float> a, V<float> b) { return _mm512_unpacklo_ps(a, b); }
INLINE V<float> zip_high(V<float> a, V<float> b) { return _mm512_unpackhi_ps(a, b); }
INLINE V<float> pairs_low(V<float> a, V<float> b) { return _mm512_shuffle_ps(a, b, 0x44); }
INLINE V<float> pairs_high(V<float> a, V<float> b) { return _mm512_shuffle_ps(a, b, 0xee); }
#elif defined(__AVX2__)
INLINE void load_fours(V<float>* v, auto&& row) {
  unroll<4>([&](auto j) INLINE_LAMBDA {
    const float *const low = row(Int<j>{}), *const high = row(Int<j + 4>{});
    unroll<2>([&](auto q) INLINE_LAMBDA {
      const V<float> left = _mm256_castps128_ps256(_mm_loadu_ps(low + 4 * q));
      v[4 * q + j] = _mm256_insertf128_ps(left, _mm_loadu_ps(high + 4 * q), 1);
    });
  });
}
INLINE V<float> zip_low(V<float> a, V<float> b) { return _mm256_unpacklo_ps(a, b); }
INLINE V<float> zip_high(V<float> a, V<float> b) { return _mm256_unpackhi_ps(a, b); }
INLINE V<float> pairs_low(V<float> a, V<float> b) { return _mm256_shuffle_ps(a, b, 0x44); }
INLINE V<float> pairs_high(V<float> a, V<float> b) { return _mm256_shuffle_ps(a, b, 0xee); }
#endif

/// to[k * stride + j] = rows[j][k] for j and k below lanes<T>: a square block, turned.
template <class T>
INLINE void transpose_block(T* to, int64_t stride, const T* const* rows) {
  for (int k = 0; k < lanes<T>; ++k)
    for (int j = 0; j < lanes<T>; ++j) to[k * stride + j] = rows[j][k];
}

#if defined(__AVX2__)
INLINE void transpose_block(float* to, int64_t stride, const float* const* rows) {
  constexpr int W = lanes<float>;
  V<float> v[W];
  load_fours(v, [&](auto r) INLINE_LAMBDA { return rows[r]; });
  unroll<W / 4>([&](auto q) INLINE_LAMBDA {
    const V<float> a = zip_low(v[q * 4], v[q * 4 + 1]), b = zip_high(v[q * 4], v[q * 4 + 1]);
    const V<float> c = zip_low(v[q * 4 + 2], v[q * 4 + 3]), d = zip_high(v[q * 4 + 2], v[q * 4 + 3]);
    float* p = to + q * 4 * stride;
    store(p, pairs_low(a, c));
    store(p + stride, pairs_high(a, c));
    store(p + 2 * stride, pairs_low(b, d));
    store(p + 3 * stride, pairs_high(b, d));
  });
}
#endif

/// to[k * padded + j] = from[j * step_j + k * step_k] for j < width, k < depth; one of the steps is 1. padded is a
/// multiple of lanes<T>; what lies beyond width is undefined (it may only reach outputs that are never stored).
template <class T>
INLINE void pack_panel(T* to, int64_t padded, int64_t width, int64_t depth, const T* from, int64_t step_j,
                       int64_t step_k) {
  constexpr int W = lanes<T>;
  if (step_j == 1) {
    const int64_t whole = width / W * W;
    const Mask<T> rest = first<T>(width - whole);
    for (int64_t k = 0; k < depth; ++k, to += padded, from += step_k) {
      for (int64_t j = 0; j < whole; j += W) store(to + j, load(from + j));
      if (whole < width) store(to + whole, load(from + whole, rest));
    }
    return;
  }
  int64_t k = 0;
  for (; k + W <= depth; k += W)
    for (int64_t j = 0; j < width; j += W) {
      const T* rows[W];
      for (int r = 0; r < W; ++r) rows[r] = from + min_of(j + r, width - 1) * step_j + k;
      for (int r = 0; r < W; ++r) prefetch_far(rows[r] + width * step_j);  // the next panel
      transpose_block(to + k * padded + j, padded, rows);
    }
  for (; k < depth; ++k)
    for (int64_t j = 0; j < width; ++j) to[k * padded + j] = from[j * step_j + k];
}

}  // namespace lamina::LAMINA_ISA
