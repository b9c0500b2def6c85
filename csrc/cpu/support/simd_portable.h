// Any processor (aarch64 included): 128-bit vectors of the compiler's own. See simd.h.
// fma() is exact everywhere, by one instruction where the processor has it and by the C library where not:
// the portable path is slow on an x86 without FMA, and gives the same bits.
#pragma once

namespace lamina::LAMINA_ISA {

template <class T>
struct VecOf;
template <>
struct VecOf<float> {
  using type = float __attribute__((vector_size(16)));
  using ints = int32_t __attribute__((vector_size(16)));
};
template <>
struct VecOf<double> {
  using type = double __attribute__((vector_size(16)));
  using ints = int64_t __attribute__((vector_size(16)));
};
template <class T>
using V = typename VecOf<T>::type;
template <class T>
using I = typename VecOf<T>::ints;  // integers as wide as T, for bit work
template <class T>
struct Mask {
  I<T> bits;
};
struct All {};
template <class T>
constexpr int lanes = 16 / sizeof(T);
#if defined(__aarch64__)
constexpr int REGISTERS = 32;
#else
constexpr int REGISTERS = 16;
#endif

INLINE V<float> set(float x) { return V<float>{x, x, x, x}; }
INLINE V<double> set(double x) { return V<double>{x, x}; }
template <class T>
INLINE V<T> zero() {
  return V<T>{};
}
INLINE V<float> load(const float* p) {
  V<float> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
INLINE V<double> load(const double* p) {
  V<double> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
CALLED V<T> load(const T* p, Mask<T> m) {
  V<T> v{};
  for (int i = 0; i < lanes<T>; ++i)
    if (m.bits[i]) v[i] = p[i];
  return v;
}
INLINE void store(float* p, V<float> v) { std::memcpy(p, &v, sizeof v); }
INLINE void store(double* p, V<double> v) { std::memcpy(p, &v, sizeof v); }
CALLED void store(float* p, V<float> v, Mask<float> m) {
  for (int i = 0; i < lanes<float>; ++i)
    if (m.bits[i]) p[i] = v[i];
}
CALLED void store(double* p, V<double> v, Mask<double> m) {
  for (int i = 0; i < lanes<double>; ++i)
    if (m.bits[i]) p[i] = v[i];
}
INLINE void stream(float* p, V<float> v) { store(p, v); }
INLINE void stream(double* p, V<double> v) { store(p, v); }
INLINE void stream_fence() {}
INLINE void prefetch(const void* p) { __builtin_prefetch(p); }
INLINE void prefetch_far(const void* p) { __builtin_prefetch(p, 0, 2); }

/// a * b + c, rounded once; fnma: c - a * b.
CALLED V<float> fma(V<float> a, V<float> b, V<float> c) {
  V<float> r;
  for (int i = 0; i < lanes<float>; ++i) r[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return r;
}
CALLED V<double> fma(V<double> a, V<double> b, V<double> c) {
  V<double> r;
  for (int i = 0; i < lanes<double>; ++i) r[i] = __builtin_fma(a[i], b[i], c[i]);
  return r;
}
INLINE V<float> fnma(V<float> a, V<float> b, V<float> c) { return fma(-a, b, c); }
INLINE V<double> fnma(V<double> a, V<double> b, V<double> c) { return fma(-a, b, c); }
CALLED V<float> sqrt(V<float> a) {
  for (int i = 0; i < lanes<float>; ++i) a[i] = __builtin_sqrtf(a[i]);
  return a;
}
CALLED V<double> sqrt(V<double> a) {
  for (int i = 0; i < lanes<double>; ++i) a[i] = __builtin_sqrt(a[i]);
  return a;
}
/// To the nearest whole number, halves to even.
CALLED V<float> nearest(V<float> a) {
  for (int i = 0; i < lanes<float>; ++i) a[i] = __builtin_rintf(a[i]);
  return a;
}
CALLED V<double> nearest(V<double> a) {
  for (int i = 0; i < lanes<double>; ++i) a[i] = __builtin_rint(a[i]);
  return a;
}

INLINE Mask<float> less(V<float> a, V<float> b) { return {a < b}; }
INLINE Mask<double> less(V<double> a, V<double> b) { return {a < b}; }
INLINE Mask<float> equal(V<float> a, V<float> b) { return {a == b}; }
INLINE Mask<double> equal(V<double> a, V<double> b) { return {a == b}; }
INLINE Mask<float> unordered(V<float> a, V<float> b) { return {(a != a) | (b != b)}; }
INLINE Mask<double> unordered(V<double> a, V<double> b) { return {(a != a) | (b != b)}; }
template <class T>
INLINE Mask<T> operator|(Mask<T> a, Mask<T> b) {
  return {a.bits | b.bits};
}
template <class T>
INLINE Mask<T> operator&(Mask<T> a, Mask<T> b) {
  return {a.bits & b.bits};
}
template <class T>
CALLED bool any(Mask<T> m) {
  for (int i = 0; i < lanes<T>; ++i)
    if (m.bits[i]) return true;
  return false;
}
/// Lane by lane m ? yes : no.
INLINE V<float> select(Mask<float> m, V<float> yes, V<float> no) { return m.bits ? yes : no; }
INLINE V<double> select(Mask<double> m, V<double> yes, V<double> no) { return m.bits ? yes : no; }
/// a > b ? a : b, and a < b ? a : b: the second operand wins on NaN and on equal zeros.
INLINE V<float> max(V<float> a, V<float> b) { return a > b ? a : b; }
INLINE V<double> max(V<double> a, V<double> b) { return a > b ? a : b; }
INLINE V<float> min(V<float> a, V<float> b) { return a < b ? a : b; }
INLINE V<double> min(V<double> a, V<double> b) { return a < b ? a : b; }
/// The first n lanes (all if n is larger, none if n <= 0).
template <class T>
CALLED Mask<T> first(int64_t n) {
  Mask<T> m;
  for (int i = 0; i < lanes<T>; ++i) m.bits[i] = i < n ? -1 : 0;
  return m;
}

/// Lane l of the result is lane index[l] of v.
template <class T>
CALLED V<T> permute_lanes(V<T> v, I<T> index) {
  V<T> r;
  for (int l = 0; l < lanes<T>; ++l) r[l] = v[index[l]];
  return r;
}
INLINE V<float> permute(V<float> v, I<float> index) { return permute_lanes<float>(v, index); }
INLINE V<double> permute(V<double> v, I<double> index) { return permute_lanes<double>(v, index); }

INLINE I<float> bits(V<float> v) { return reinterpret_cast<I<float>>(v); }
INLINE I<double> bits(V<double> v) { return reinterpret_cast<I<double>>(v); }
INLINE V<float> from_bits(I<float> v) { return reinterpret_cast<V<float>>(v); }
INLINE V<double> from_bits(I<double> v) { return reinterpret_cast<V<double>>(v); }
INLINE Mask<float> equal(I<float> a, I<float> b) { return {a == b}; }
INLINE Mask<double> equal(I<double> a, I<double> b) { return {I<double>(a == b)}; }

/// Whole numbers kept narrower in memory than in the lanes of T: widen<T>(p), narrow(p, v).
template <class T, class P>
CALLED I<T> widen(const P* p) {
  I<T> v;
  for (int i = 0; i < lanes<T>; ++i) v[i] = p[i];
  return v;
}
template <class P>
CALLED void narrow(P* p, I<float> v) {
  for (int i = 0; i < lanes<float>; ++i) p[i] = P(v[i]);
}
template <class P>
CALLED void narrow(P* p, I<double> v) {
  for (int i = 0; i < lanes<double>; ++i) p[i] = P(v[i]);
}

/// 64-bit words; multiply_low: the products of their lower halves.
using Words = uint64_t __attribute__((vector_size(16)));
INLINE Words multiply_low(Words a, Words b) { return (a & 0xffffffffu) * (b & 0xffffffffu); }

}  // namespace lamina::LAMINA_ISA
