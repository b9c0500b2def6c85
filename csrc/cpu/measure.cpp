#include "ops/measure.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/elementwise.h"

namespace lamina {
using namespace LAMINA_ISA;

template <class Target>
int64_t measure_fma(int64_t rounds, int64_t parts, float* sink) {
  constexpr int CHAINS = 12;  // more than latency x units of any core: 4 cycles x 2, 5 x 2
  parallel_for(parts, 1e6, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t part = begin; part < end; ++part) {
      const V<float> factor = set(0.999f), term = set(0.001f);
      V<float> chain[CHAINS];
      unroll<CHAINS>([&](auto i) INLINE_LAMBDA { chain[i] = set(1.0f + i); });
      for (int64_t r = 0; r < rounds; ++r)
        unroll<CHAINS>([&](auto i) INLINE_LAMBDA { chain[i] = fma(chain[i], factor, term); });
      V<float> sum = zero<float>();
      unroll<CHAINS>([&](auto i) INLINE_LAMBDA { sum = sum + chain[i]; });
      float values[lanes<float>];
      store(values, sum);
      sink[part] = 0;
      for (float value : values) sink[part] += value;
    }
  });
  return 2 * CHAINS * lanes<float> * rounds * parts;
}

template <class Target>
void measure_copy(int64_t n, const float* x, float* y) {
  map(n, 0.2, [](V<float> v) INLINE_LAMBDA { return v; }, y, x);
}

template int64_t measure_fma<Target>(int64_t, int64_t, float*);
template void measure_copy<Target>(int64_t, const float*, float*);

}  // namespace lamina
