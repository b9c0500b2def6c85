// What every loss shares: the sum of the samples' losses, and gradients scaled in backward.
//
// A loss computes its gradient in the forward pass, while inputs are in cache. Rows (samples) are independent, so a
// sample's loss and gradient do not depend on the batch; only the sum over samples does, in an order that depends on
// their number alone.
#pragma once
#include <cstdint>

#include "support/setting.h"
#include "support/stream.h"

namespace lamina {

/// (losses[0] + ... + losses[n - 1]) / divisor.
template <class Target, class T>
T loss_sum(int64_t n, const T* losses, T divisor);

/// y[r, :] = x[r, :] * factors[r * step]; x, y: (rows, n); step 0: one factor for all.
template <class Target, class T>
void scale_rows(int64_t rows, int64_t n, const T* x, const T* factors, int64_t step, T* y);

namespace cuda {  // the same, and the same bits, over device memory

/// To *total, in device memory. divisor: a number, or a place in device memory.
template <class T>
void loss_sum(int64_t n, const T* losses, Setting<double> divisor, T* total, Stream stream);

/// S: float16 and bfloat16 too, with T = float.
template <class S, class T>
void scale_rows(int64_t rows, int64_t n, const S* x, const T* factors, int64_t step, S* y, Stream stream);

}  // namespace cuda
}  // namespace lamina
