#include "ops/dropout.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/elementwise.h"
#include "support/philox.h"

namespace lamina {
using namespace LAMINA_ISA;

namespace LAMINA_ISA {

constexpr int64_t TILE = 128;

/// The masks of one tile: -1 where an element stays, else 0.
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

}  // namespace LAMINA_ISA

template <class Target, class T>
void dropout(int64_t n, const T* x, int dropped, uint64_t seed, uint64_t stream_number, T* y) {
  const V<T> scale = set(dropped < 65536 ? T(65536) / T(65536 - dropped) : T(0));
  const bool past_caches = n * int64_t(sizeof(T)) >= STREAM_BYTES && reinterpret_cast<uintptr_t>(y) % 64 == 0;
  parallel_for(ceil_div(n, TILE), 0.4 * TILE, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    alignas(64) int32_t keep[TILE];
    for (int64_t tile = begin; tile < end; ++tile) {
      keep_flags(uint64_t(tile), stream_number, seed, dropped, keep);
      const T* const from = x + tile * TILE;
      T* const to = y + tile * TILE;
      const auto value = [&](int64_t i, auto mask) INLINE_LAMBDA {
        return from_bits(bits(load(from + i, mask) * scale) & flags_at(keep + i, T()));
      };
      const int64_t count = min_of(TILE, n - tile * TILE);
      if (past_caches && count == TILE)
        for (int64_t i = 0; i < TILE; i += lanes<T>) stream(to + i, value(i, All{}));
      else
        each_vector<T>(count, [&](int64_t i, auto mask) INLINE_LAMBDA { store(to + i, value(i, mask), mask); });
    }
    if (past_caches) stream_fence();
  });
}

template void dropout<Target>(int64_t, const float*, int, uint64_t, uint64_t, float*);
template void dropout<Target>(int64_t, const double*, int, uint64_t, uint64_t, double*);

}  // namespace lamina
