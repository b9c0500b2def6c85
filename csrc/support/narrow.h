// Numbers of 16 bits: Float16 (IEEE 754's binary16) and BFloat16 (the upper half of a float). They are stored, and
// computed with as floats; rounding is to nearest, halves to even. The same bits on the CPU and on a GPU.
#pragma once
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define LAMINA_ANYWHERE __host__ __device__ __forceinline__
#else
#define LAMINA_ANYWHERE [[gnu::always_inline]] inline
#endif

namespace lamina {

LAMINA_ANYWHERE uint32_t bits_of_float(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}
LAMINA_ANYWHERE float float_of_bits(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

LAMINA_ANYWHERE float bfloat16_to_float(uint16_t u) { return float_of_bits(uint32_t(u) << 16); }
LAMINA_ANYWHERE uint16_t float_to_bfloat16(float x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  uint16_t rounded;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(rounded) : "f"(x));
  return rounded;
#else
  const uint32_t u = bits_of_float(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return uint16_t(0x7fff);  // NaN, as the GPU's instruction writes it
  return uint16_t((u + 0x7fffu + (u >> 16 & 1)) >> 16);
#endif
}

LAMINA_ANYWHERE float float16_to_float(uint16_t u) {
#ifdef __CUDA_ARCH__
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(u));
  return x;
#else
  const uint32_t sign = uint32_t(u & 0x8000) << 16, magnitude = u & 0x7fff;
  if (magnitude >= 0x7c00) return float_of_bits(sign | 0x7f800000u | (magnitude & 0x3ff) << 13);
  // The exponent's bias is made up for by a product, which is exact, for denormals too.
  return float_of_bits(sign | bits_of_float(float_of_bits(magnitude << 13) * 0x1p112f));
#endif
}
LAMINA_ANYWHERE uint16_t float_to_float16(float x) {
#ifdef __CUDA_ARCH__
  uint16_t u;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(u) : "f"(x));
  return u;
#else
  const uint32_t u = bits_of_float(x), magnitude = u & 0x7fffffffu;
  const uint16_t sign = uint16_t(u >> 16 & 0x8000);
  if (magnitude > 0x7f800000u) return uint16_t(0x7fff);
  if (magnitude >= 0x477ff000u) return uint16_t(sign | 0x7c00);  // 65520 and up
  if (magnitude < 0x38800000u)                                   // denormal: a sum rounds to the right place
    return uint16_t(sign | (bits_of_float(float_of_bits(magnitude) + 0.5f) - 0x3f000000u));
  return uint16_t(sign | (magnitude - 0x38000000u + 0xfff + (magnitude >> 13 & 1)) >> 13);
#endif
}

/// What S is stored as, it is computed with as Computed<S>: an expression reads a narrow number as a float, an
/// assignment rounds.
struct Float16 {
  uint16_t bits;
  Float16() = default;
  LAMINA_ANYWHERE explicit Float16(float x) : bits(float_to_float16(x)) {}
  LAMINA_ANYWHERE Float16& operator=(float x) { return bits = float_to_float16(x), *this; }
  LAMINA_ANYWHERE operator float() const { return float16_to_float(bits); }
};
struct BFloat16 {
  uint16_t bits;
  BFloat16() = default;
  LAMINA_ANYWHERE explicit BFloat16(float x) : bits(float_to_bfloat16(x)) {}
  LAMINA_ANYWHERE BFloat16& operator=(float x) { return bits = float_to_bfloat16(x), *this; }
  LAMINA_ANYWHERE operator float() const { return bfloat16_to_float(bits); }
};

template <class S>
struct ComputedAs {
  using type = S;
};
template <>
struct ComputedAs<Float16> {
  using type = float;
};
template <>
struct ComputedAs<BFloat16> {
  using type = float;
};
/// The type that numbers stored as S are computed with.
template <class S>
using Computed = typename ComputedAs<S>::type;

}  // namespace lamina
