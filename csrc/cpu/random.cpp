#include "ops/random.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/parallel.h"
#include "support/circle.h"
#include "support/philox.h"

namespace lamina {
using namespace LAMINA_ISA;

namespace LAMINA_ISA {

/// A tile is 16 random numbers: 64 floats (one a word) or 32 doubles (one of two words).
template <class T>
constexpr int64_t TILE = sizeof(T) == 4 ? 64 : 32;

/// Uniform numbers in [0, 1) as whole multiples of 2^-24 (float) or 2^-53 (double), divided by that.
INLINE void draw(uint64_t tile, uint64_t stream, uint64_t seed, float* y) {
  philox_tile(tile, stream, seed, [&](auto word, int i, I<float> bits) INLINE_LAMBDA {
    store(y + 16 * word + i, __builtin_convertvector((bits >> 8) & 0xffffff, V<float>));
  });
}
INLINE void draw(uint64_t tile, uint64_t stream, uint64_t seed, double* y) {
  alignas(64) uint32_t words[4][16];
  philox_tile(tile, stream, seed,
              [&](auto word, int i, I<float> bits) INLINE_LAMBDA { std::memcpy(&words[word][i], &bits, sizeof bits); });
  for (int half = 0; half < 2; ++half)
    for (int i = 0; i < 16; ++i)
      y[16 * half + i] = double((uint64_t(words[2 * half][i]) << 21) | (words[2 * half + 1][i] >> 11));
}

/// fill(memory for a tile, its number) for every tile of y.
template <class T, class F>
INLINE void each_tile(int64_t n, double work, T* y, F&& fill) {
  parallel_for(ceil_div(n, TILE<T>), work * TILE<T>, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    alignas(64) T drawn[TILE<T>];
    for (int64_t tile = begin; tile < end; ++tile) {
      fill(drawn, uint64_t(tile));
      each_vector<T>(min_of(TILE<T>, n - tile * TILE<T>),
                     [&](int64_t i, auto mask) INLINE_LAMBDA { store(y + tile * TILE<T> + i, load(drawn + i), mask); });
    }
  });
}

template <class T>
constexpr T UNIT = sizeof(T) == 4 ? T(0x1p-24) : T(0x1p-53);

}  // namespace LAMINA_ISA

template <class Target>
void random_words(int64_t n, uint64_t first_number, uint64_t seed, uint64_t stream, uint32_t* y) {
  for (int64_t i = 0; i < n; i += 4) {
    const uint64_t number = first_number + uint64_t(i / 4);
    const Philox<uint64_t> random = philox<uint64_t>(number, number >> 32, stream, seed);
    for (int64_t w = 0; w < 4 && i + w < n; ++w) y[i + w] = uint32_t(random.word[w]);
  }
}

template <class Target, class T>
void random_uniform(int64_t n, T low, T high, uint64_t seed, uint64_t stream, T* y) {
  const V<T> span = set((high - low) * UNIT<T>), start = set(low);
  each_tile(n, 0.5, y, [&](T* drawn, uint64_t tile) INLINE_LAMBDA {
    draw(tile, stream, seed, drawn);
    each_vector<T>(TILE<T>,
                   [&](int64_t i, auto) INLINE_LAMBDA { store(drawn + i, fma(load(drawn + i), span, start)); });
  });
}

template <class Target, class T>
void random_normal(int64_t n, T mean, T deviation, uint64_t seed, uint64_t stream, T* y) {
  // Of 32 drawn numbers, 16 are radii and 16 are angles; their cosines come first, then their sines.
  each_tile(n, 1.5, y, [&](T* drawn, uint64_t tile) INLINE_LAMBDA {
    draw(tile, stream, seed, drawn);
    for (int64_t i = 0; i < TILE<T>; i += i % 32 + lanes<T> == 16 ? 16 + lanes<T> : lanes<T>) {
      const V<T> u = (load(drawn + i) + set(T(1))) * set(UNIT<T>);
      const V<T> radius = sqrt(log(u) * set(T(-2))) * set(deviation);
      const Circle<T> at = circle<T>(load(drawn + i + 16) * set(UNIT<T>));
      store(drawn + i, fma(radius, at.cos, set(mean)));
      store(drawn + i + 16, fma(radius, at.sin, set(mean)));
    }
  });
}

template void random_words<Target>(int64_t, uint64_t, uint64_t, uint64_t, uint32_t*);
template void random_uniform<Target>(int64_t, float, float, uint64_t, uint64_t, float*);
DOUBLE template void random_uniform<Target>(int64_t, double, double, uint64_t, uint64_t, double*);
template void random_normal<Target>(int64_t, float, float, uint64_t, uint64_t, float*);
DOUBLE template void random_normal<Target>(int64_t, double, double, uint64_t, uint64_t, double*);

}  // namespace lamina
