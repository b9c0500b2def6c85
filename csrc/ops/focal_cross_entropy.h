// Categorical focal cross entropy over rows, fused with its gradient.
//
// With s[j] = scale * t[j] + shift: loss = weight * -sum s[j] (1 - p[j])^gamma log p[j], where
//   softmax_focal_cross_entropy      p = softmax(x), log p as in softmax_cross_entropy
//   categorical_focal_cross_entropy  p = c(x / sum x), c(v) = min(max(v, 1e-7), 1 - 1e-7); no gradient where it cuts
// The gradient is that of all of it, the division by the sum included; times weight / divisor.
// Reference: Lin et al. 2017, "Focal Loss for Dense Object Detection", arXiv:1708.02002.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

/// x, t: (rows, n); weights: (rows,) or null; losses: (rows,), not divided by divisor; dx: (rows, n) or null.
template <class Target, class T>
void softmax_focal_cross_entropy(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor,
                                 T* losses, T* dx, T scale, T shift, T gamma);
template <class Target, class T>
void categorical_focal_cross_entropy(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor,
                                     T* losses, T* dx, T scale, T shift, T gamma);

namespace cuda {  // the same, and the same bits, over device memory

template <class T>
void softmax_focal_cross_entropy(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor,
                                 T* losses, T* dx, T scale, T shift, T gamma, Stream stream);
template <class T>
void categorical_focal_cross_entropy(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor,
                                     T* losses, T* dx, T scale, T shift, T gamma, Stream stream);

}  // namespace cuda
}  // namespace lamina
