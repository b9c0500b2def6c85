// Losses that compare element by element, fused with their gradients: each sample's is the mean over its last axis.
//
// loss[r] = weight[r] / n * sum over j of l(x[r, j], t[r, j]); dx[r, j] = weight[r] / divisor / n * dl/dx:
//   sigmoid_cross_entropy  l = max(x, 0) - x t + log(1 + e^-|x|)             dl/dx = sigmoid(x) - t
//   squared_error          l = (x - t)^2                                     dl/dx = 2 (x - t)
//   absolute_error         l = |x - t|                                       dl/dx = sign(x - t), 0 at 0
//   binary_cross_entropy   l = -t log p - (1 - t) log(1 - p),                dl/dx = (p - t) / (p (1 - p)),
//                          p = min(max(x, 1e-7), 1 - 1e-7), as in Keras      0 where p is cut
#pragma once
#include <cstdint>

namespace lamina {

enum class PointwiseLoss { sigmoid_cross_entropy, squared_error, absolute_error, binary_cross_entropy };

/// Whether an element is NaN or outside [0, 1].
template <class Target, class T>
bool any_outside_unit(int64_t n, const T* t);

/// x, t: (rows, n); weights: (rows,) or null; losses: (rows,), not divided by divisor; dx: (rows, n) or null.
template <class Target, class T>
void pointwise_loss(PointwiseLoss loss, int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor,
                    T* losses, T* dx);

}  // namespace lamina
