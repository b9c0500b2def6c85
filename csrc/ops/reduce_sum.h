// reduce_sum: y[o][i] = sum over r of x[o][r][i], for x of shape (outer, reduced, inner).
//
// Numerics: the order is fixed by `reduced` and by whether inner is 1, and by nothing else.
//   inner > 1: r is cut into chains of CHAIN = 512, each added up in order from 0, the chains then in order.
//   inner = 1: a row is cut into pieces of 16 CHAIN; in a piece, value r goes to virtual lane r % 16, the lanes are
//   folded (i with i + 8, then + 4, + 2, + 1), and the pieces are added in order.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

template <class Target, class T>
void reduce_sum(int64_t outer, int64_t reduced, int64_t inner, const T* x, T* y);

namespace cuda {  // the same, and the same bits, over device memory; of float16 and bfloat16 too, with float32 within

template <class T>
void reduce_sum(int64_t outer, int64_t reduced, int64_t inner, const T* x, T* y, Stream stream);

}  // namespace cuda
}  // namespace lamina
