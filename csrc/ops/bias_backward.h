// bias_backward: what the gradient of a dense or convolutional layer starts with, in one pass over (rows, n):
//   dz = dy * activation'(y)       the derivative from the output: relu y > 0, sigmoid y (1 - y), tanh 1 - y^2
//   db[j] = sum over rows of dz[i][j]
#pragma once
#include <cstdint>

#include "ops/activation.h"
#include "support/stream.h"

namespace lamina {

/// dz may be null for Activation::linear (it would be dy), y too; db is skipped when null.
/// The sum over rows is cut into chains of CHAIN rows; the chains are added in order.
template <class Target, class T>
void bias_backward(int64_t rows, int64_t n, const T* y, const T* dy, Activation activation, T* dz, T* db);

namespace cuda {  // the same, and the same bits, over device memory; of float16 and bfloat16 too, with float32 within

template <class T>
void bias_backward(int64_t rows, int64_t n, const T* y, const T* dy, Activation activation, T* dz, T* db,
                   Stream stream);

}  // namespace cuda
}  // namespace lamina
