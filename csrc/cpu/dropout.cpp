#include "ops/dropout.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/elementwise.h"
#include "cpu/support/keep_flags.h"

namespace lamina {
using namespace LAMINA_ISA;

template <class Target, class T>
void dropout(int64_t n, const T* x, int dropped, uint64_t seed, uint64_t stream_number, T* y) {
  const V<T> scale = set(dropped < 65536 ? T(65536) / T(65536 - dropped) : T(0));
  const bool past_caches = n * int64_t(sizeof(T)) >= STREAM_BYTES && reinterpret_cast<uintptr_t>(y) % 64 == 0;
  parallel_for(ceil_div(n, KEEP_TILE), 0.4 * KEEP_TILE, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    alignas(64) int32_t keep[KEEP_TILE];
    for (int64_t tile = begin; tile < end; ++tile) {
      keep_flags(uint64_t(tile), stream_number, seed, dropped, keep);
      const T* const from = x + tile * KEEP_TILE;
      T* const to = y + tile * KEEP_TILE;
      const auto value = [&](int64_t i, auto mask) INLINE_LAMBDA {
        return from_bits(bits(load(from + i, mask) * scale) & flags_at(keep + i, T()));
      };
      const int64_t count = min_of(KEEP_TILE, n - tile * KEEP_TILE);
      if (past_caches && count == KEEP_TILE)
        for (int64_t i = 0; i < KEEP_TILE; i += lanes<T>) stream(to + i, value(i, All{}));
      else
        each_vector<T>(count, [&](int64_t i, auto mask) INLINE_LAMBDA { store(to + i, value(i, mask), mask); });
    }
    if (past_caches) stream_fence();
  });
}

template void dropout<Target>(int64_t, const float*, int, uint64_t, uint64_t, float*);
DOUBLE template void dropout<Target>(int64_t, const double*, int, uint64_t, uint64_t, double*);

}  // namespace lamina
