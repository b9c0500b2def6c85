// Sums of many rows of 16 lanes: eight at a time, folded as Row folds one.
#pragma once
#include "cpu/support/simd.h"

namespace lamina::LAMINA_ISA {

using Eight = float __attribute__((vector_size(32)));
using Order = int32_t __attribute__((vector_size(32)));

/// The sums of eight rows of 16 lanes: lane i with i + 8, then i + 4, i + 2, i + 1.
INLINE Eight fold(const float* lanes) {
  Eight v[8];
  for (int i = 0; i < 8; ++i) {
    Eight low, high;
    __builtin_memcpy(&low, lanes + 16 * i, 32);
    __builtin_memcpy(&high, lanes + 16 * i + 8, 32);
    v[i] = low + high;
  }
  const auto both = [](Eight a, Eight b, Order first, Order second)
                        INLINE_LAMBDA { return __builtin_shuffle(a, b, first) + __builtin_shuffle(a, b, second); };
  Eight w[4];
  for (int i = 0; i < 4; ++i)
    w[i] = both(v[i], v[i + 4], Order{0, 1, 2, 3, 8, 9, 10, 11}, Order{4, 5, 6, 7, 12, 13, 14, 15});
  const Order pairs{0, 1, 8, 9, 4, 5, 12, 13}, others{2, 3, 10, 11, 6, 7, 14, 15};
  const Eight x = both(w[0], w[1], pairs, others), y = both(w[2], w[3], pairs, others);
  return both(x, y, Order{0, 2, 8, 10, 4, 6, 12, 14}, Order{1, 3, 9, 11, 5, 7, 13, 15});
}

}  // namespace lamina::LAMINA_ISA
