// Which of 128 successive elements dropout keeps: the flags of ops/dropout.h, for whoever drops.
#pragma once
#include "cpu/support/simd.h"
#include "support/philox.h"

namespace lamina::LAMINA_ISA {

constexpr int64_t KEEP_TILE = 128;

/// -1 where element 128 * tile + i stays, else 0.
INLINE void keep_flags(uint64_t tile, uint64_t stream, uint64_t seed, int dropped, int32_t* keep) {
  philox_tile(tile, stream, seed, [&](auto word, int i, I<float> bits) INLINE_LAMBDA {
    const I<float> low = (bits & 0xffff) >= dropped, high = ((bits >> 16) & 0xffff) >= dropped;
    std::memcpy(keep + 32 * word + i, &low, sizeof low);
    std::memcpy(keep + 32 * word + 16 + i, &high, sizeof high);
  });
}

INLINE I<float> flags_at(const int32_t* keep, float) {
  I<float> flags;
  std::memcpy(&flags, keep, sizeof flags);
  return flags;
}
INLINE I<double> flags_at(const int32_t* keep, double) {
  typedef int32_t Narrow __attribute__((vector_size(sizeof(I<double>) / 2)));
  Narrow flags;
  std::memcpy(&flags, keep, sizeof flags);
  return __builtin_convertvector(flags, I<double>);
}

}  // namespace lamina::LAMINA_ISA
