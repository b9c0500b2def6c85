// A vector of one lane: with it the formulas of csrc/support, written over V<T>, are functions of plain numbers here,
// in namespace lamina::cuda, with the bits that they have on the CPU.
//
// exp, log, tanh and their like in a kernel are these: CUDA's own are others. A fused multiply-add happens where fma()
// is written (nvcc --fmad=false).
#pragma once
#include <math.h>

#include "cuda/support/cuda.cuh"

#define LAMINA_ISA cuda
#define INLINE __host__ __device__ __forceinline__
#define INLINE_LAMBDA
#ifdef LAMINA_EMULATOR
#define OUT_OF_LINE [[maybe_unused]] static
#else
#define OUT_OF_LINE [[maybe_unused]] __host__ __device__ static
#endif

#include "support/unroll.h"

namespace lamina::cuda {

template <class T>
struct IntsOf;
template <>
struct IntsOf<float> {
  using type = int32_t;
};
template <>
struct IntsOf<double> {
  using type = int64_t;
};
template <class T>
using V = T;
template <class T>
using I = typename IntsOf<T>::type;
template <class T>
using Mask = bool;
struct All {};
template <class T>
constexpr int lanes = 1;
using Words = uint64_t;

INLINE float set(float x) { return x; }
INLINE double set(double x) { return x; }
template <class T>
INLINE T zero() {
  return T(0);
}
INLINE float load(const float* p) { return *p; }
INLINE double load(const double* p) { return *p; }
INLINE void store(float* p, float v) { *p = v; }
INLINE void store(double* p, double v) { *p = v; }

/// a * b + c, rounded once; fnma: c - a * b.
INLINE float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
INLINE double fma(double a, double b, double c) { return ::fma(a, b, c); }
INLINE float fnma(float a, float b, float c) { return fma(-a, b, c); }
INLINE double fnma(double a, double b, double c) { return fma(-a, b, c); }
INLINE float sqrt(float a) { return ::sqrtf(a); }
INLINE double sqrt(double a) { return ::sqrt(a); }
INLINE float nearest(float a) { return ::rintf(a); }
INLINE double nearest(double a) { return ::rint(a); }

INLINE bool less(float a, float b) { return a < b; }
INLINE bool less(double a, double b) { return a < b; }
INLINE bool equal(float a, float b) { return a == b; }
INLINE bool equal(double a, double b) { return a == b; }
INLINE bool equal(int32_t a, int32_t b) { return a == b; }
INLINE bool equal(int64_t a, int64_t b) { return a == b; }
INLINE bool unordered(float a, float b) { return a != a || b != b; }
INLINE bool unordered(double a, double b) { return a != a || b != b; }
INLINE bool any(bool m) { return m; }
INLINE float select(bool m, float yes, float no) { return m ? yes : no; }
INLINE double select(bool m, double yes, double no) { return m ? yes : no; }
/// a > b ? a : b, and a < b ? a : b: the second operand wins on NaN and on equal zeros.
INLINE float max(float a, float b) { return a > b ? a : b; }
INLINE double max(double a, double b) { return a > b ? a : b; }
INLINE float min(float a, float b) { return a < b ? a : b; }
INLINE double min(double a, double b) { return a < b ? a : b; }

INLINE int32_t bits(float v) {
  int32_t u;
  memcpy(&u, &v, sizeof u);
  return u;
}
INLINE int64_t bits(double v) {
  int64_t u;
  memcpy(&u, &v, sizeof u);
  return u;
}
INLINE float from_bits(int32_t u) {
  float v;
  memcpy(&v, &u, sizeof v);
  return v;
}
INLINE double from_bits(int64_t u) {
  double v;
  memcpy(&v, &u, sizeof v);
  return v;
}

}  // namespace lamina::cuda

#include "support/math.h"
