// Philox4x32-10: random numbers from a counter and a key, with no state between them.
//
// Random number b of a stream is four 32-bit words: the bijection of the counter (b, stream) under the key (seed), all
// three 64 bits wide. Whatever computes it, in whatever order, gets the same. Written over W, words of 64 bits whose
// lower halves count: uint64_t, or vectors of them (Words of cpu/support/simd.h; include that first).
//
// Reference: Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3".
#pragma once
#include <cstdint>

#ifndef INLINE
#error "include cpu/support/simd.h before support/philox.h"
#endif

namespace lamina::LAMINA_ISA {

INLINE uint64_t multiply_low(uint64_t a, uint64_t b) { return uint64_t(uint32_t(a)) * uint32_t(b); }

/// Four words; only the lower halves of W mean anything.
template <class W>
struct Philox {
  W word[4];
};

/// The random words of numbers `counter` (lower halves) and `counter_high` of a stream.
template <class W>
INLINE Philox<W> philox(W counter, W counter_high, uint64_t stream, uint64_t seed) {
  const W zero = counter ^ counter, first = zero + 0xD2511F53u, second = zero + 0xCD9E8D57u;
  W a = counter, b = counter_high, c = zero + (stream & 0xffffffffu), d = zero + (stream >> 32);
  uint32_t key = uint32_t(seed), key_high = uint32_t(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const W p = multiply_low(first, a), q = multiply_low(second, c);
    a = (q >> 32) ^ b ^ uint64_t(key);
    b = q;
    c = (p >> 32) ^ d ^ uint64_t(key_high);
    d = p;
    key += 0x9E3779B9u;
    key_high += 0xBB67AE85u;
  }
  return {{a, b, c, d}};
}

/// The words of 16 successive numbers, from number 16 * tile: words(w, i, vector) for word w of numbers
/// [i, i + lanes<float>) of the 16, in order.
template <class F>
INLINE void philox_tile(uint64_t tile, uint64_t stream, uint64_t seed, F&& words) {
  constexpr int HALF = lanes<double>;
  alignas(64) uint64_t even_lanes[HALF];
  for (int i = 0; i < HALF; ++i) even_lanes[i] = 2 * i;
  Words even_numbers;
  __builtin_memcpy(&even_numbers, even_lanes, sizeof even_numbers);
  for (int i = 0; i < 16; i += lanes<float>) {
    const Words number = even_numbers + (tile * 16 + i);
    const Philox<Words> even = philox<Words>(number, number >> 32, stream, seed);
    const Philox<Words> odd = philox<Words>(number + 1, (number + 1) >> 32, stream, seed);
    unroll<4>([&](auto w) INLINE_LAMBDA {
      words(w, i, reinterpret_cast<I<float>>((even.word[w] & 0xffffffffu) | (odd.word[w] << 32)));
    });
  }
}

}  // namespace lamina::LAMINA_ISA
