// Random arrays, a thread for each random number: four words, or what is made of them, 16 places apart.
#include "cuda/support/elementwise.cuh"
#include "ops/random.h"
#include "support/circle.h"
#include "support/philox.h"

namespace lamina::cuda {
namespace random_op {

INLINE Philox<uint64_t> random_number(uint64_t number, uint64_t stream, uint64_t seed) {
  return philox<uint64_t>(number, number >> 32, stream, seed);
}

/// The numbers of a random number's words: 4 floats or 2 doubles, whole multiples of UNIT less it.
template <class T>
constexpr int DRAWN = sizeof(T) == 4 ? 4 : 2;
template <class T>
constexpr T UNIT = sizeof(T) == 4 ? T(0x1p-24) : T(0x1p-53);

INLINE void draw(const Philox<uint64_t>& random, float (&drawn)[4]) {
  for (int w = 0; w < 4; ++w) drawn[w] = float(uint32_t(random.word[w]) >> 8);
}
INLINE void draw(const Philox<uint64_t>& random, double (&drawn)[2]) {
  for (int half = 0; half < 2; ++half)
    drawn[half] = double(uint64_t(uint32_t(random.word[2 * half])) << 21 | uint32_t(random.word[2 * half + 1]) >> 11);
}

/// A tile is 16 random numbers: draw w of number i is its element 16 w + i.
template <class T, class Change>
struct Tiles {
  int64_t n;
  Setting<uint64_t> seed, stream;
  Change change;
  T* y;
  __device__ void operator()(int64_t number) const {
    T drawn[DRAWN<T>];
    draw(random_number(uint64_t(number), stream.get(), seed.get()), drawn);
    change(drawn);
    const int64_t first = number / 16 * (16 * DRAWN<T>)+number % 16;
    for (int w = 0; w < DRAWN<T>; ++w)
      if (first + 16 * w < n) y[first + 16 * w] = drawn[w];
  }
};

template <class T>
struct Uniform {
  T span, low;
  __device__ void operator()(T (&drawn)[DRAWN<T>]) const {
    for (int w = 0; w < DRAWN<T>; ++w) drawn[w] = fma(drawn[w], span, low);
  }
};

/// Pairs of draws are a radius and an angle.
template <class T>
struct Normal {
  T mean, deviation;
  __device__ void operator()(T (&drawn)[DRAWN<T>]) const {
    for (int w = 0; w < DRAWN<T>; w += 2) {
      const T u = (drawn[w] + T(1)) * UNIT<T>;
      const T radius = sqrt(log(u) * T(-2)) * deviation;
      const Circle<T> at = circle<T>(drawn[w + 1] * UNIT<T>);
      drawn[w] = fma(radius, at.cos, mean);
      drawn[w + 1] = fma(radius, at.sin, mean);
    }
  }
};

template <class T, class Change>
void fill_tiles(int64_t n, Setting<uint64_t> seed, Setting<uint64_t> stream_number, T* y, Stream stream,
                Change change) {
  each(ceil_div(n, 16 * DRAWN<T>) * 16, stream, Tiles<T, Change>{n, seed, stream_number, change, y});
}

struct Words {
  int64_t n;
  uint64_t first;
  Setting<uint64_t> seed, stream;
  uint32_t* y;
  __device__ void operator()(int64_t i) const {
    const Philox<uint64_t> random = random_number(first + uint64_t(i), stream.get(), seed.get());
    for (int w = 0; w < 4; ++w)
      if (4 * i + w < n) y[4 * i + w] = uint32_t(random.word[w]);
  }
};

}  // namespace random_op
using namespace random_op;

void random_words(int64_t n, uint64_t first, Setting<uint64_t> seed, Setting<uint64_t> stream_number, uint32_t* y,
                  Stream stream) {
  each(ceil_div(n, 4), stream, random_op::Words{n, first, seed, stream_number, y});
}

template <class T>
void random_uniform(int64_t n, T low, T high, Setting<uint64_t> seed, Setting<uint64_t> stream_number, T* y,
                    Stream stream) {
  fill_tiles(n, seed, stream_number, y, stream, Uniform<T>{(high - low) * UNIT<T>, low});
}

template <class T>
void random_normal(int64_t n, T mean, T deviation, Setting<uint64_t> seed, Setting<uint64_t> stream_number, T* y,
                   Stream stream) {
  fill_tiles(n, seed, stream_number, y, stream, Normal<T>{mean, deviation});
}

template void random_uniform(int64_t, float, float, Setting<uint64_t>, Setting<uint64_t>, float*, Stream);
template void random_uniform(int64_t, double, double, Setting<uint64_t>, Setting<uint64_t>, double*, Stream);
template void random_normal(int64_t, float, float, Setting<uint64_t>, Setting<uint64_t>, float*, Stream);
template void random_normal(int64_t, double, double, Setting<uint64_t>, Setting<uint64_t>, double*, Stream);

}  // namespace lamina::cuda
