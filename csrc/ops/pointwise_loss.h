// Losses that compare element by element, fused with their gradients.
//
// loss[r] = weight[r] / k * sum over j of l(x[r, j], t[r, j]); dx[r, j] = weight[r] / divisor / k * dl/dx, where k = n
// (a mean), or 1 for kl_divergence (a sum). With c(v) = min(max(v, 1e-7), 1 - 1e-7), where no gradient flows if it
// cuts:
//   sigmoid_cross_entropy      l = max(x, 0) - x t + log(1 + e^-|x|)         dl/dx = sigmoid(x) - t
//   binary_cross_entropy       l = -t log p - (1 - t) log(1 - p), p = c(x)   dl/dx = (p - t) / (p (1 - p))
//   sigmoid_focal              l = v q^gamma sigmoid_cross_entropy,          p = sigmoid(x), q = t (1 - p) + (1 - t) p,
//   binary_focal               l = v q^gamma binary_cross_entropy,           p = x, q the same, v = a t + b
//   squared_error              l = (x - t)^2                                 dl/dx = 2 (x - t)
//   absolute_error             l = |x - t|                                   dl/dx = sign(x - t), 0 at 0
//   absolute_percentage_error  l = 100 |x - t| / max(|t|, 1e-7)
//   squared_logarithmic_error  l = (log(1 + max(x, 1e-7)) - log(1 + max(t, 1e-7)))^2
//   huber                      l = d^2 / 2 for |d| <= a, a |d| - a^2 / 2 beyond, d = x - t
//   log_cosh                   l = log cosh(x - t)                           dl/dx = tanh(x - t)
//   kl_divergence              l = s log(s / p), s and p: t and x kept within [1e-7, 1]
//   poisson                    l = x - t log(x + 1e-7)
//   hinge, squared_hinge       l = max(1 - t x, 0), or its square
// For the four cross entropies and the two hinges the targets are scale * t + shift (smoothing; 0 and 1 made -1 and 1).
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

enum class PointwiseLoss {
  sigmoid_cross_entropy,
  binary_cross_entropy,
  sigmoid_focal,
  binary_focal,
  squared_error,
  absolute_error,
  absolute_percentage_error,
  squared_logarithmic_error,
  huber,
  log_cosh,
  kl_divergence,
  poisson,
  hinge,
  squared_hinge,
};

/// What a loss is told beside its arrays; each reads what its formula names.
template <class T>
struct LossParameters {
  T scale = 1, shift = 0, a = 0, b = 1, gamma = 0;
};

/// Whether every element is 0 or 1.
template <class Target, class T>
bool all_binary(int64_t n, const T* t);

/// x, t: (rows, n); weights: (rows,) or null; losses: (rows,), not divided by divisor; dx: (rows, n) or null. Returns
/// false if a target of a cross entropy is NaN or outside [0, 1]; what was written then means nothing.
template <class Target, class T>
bool pointwise_loss(PointwiseLoss loss, int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor,
                    T* losses, T* dx, const LossParameters<T>& parameters);

namespace cuda {  // the same, and the same bits, over device memory. S: float16 and bfloat16 too, with
                  // T = float: weights and losses stay float32

/// Nothing is returned, as the host would have to wait for it: where a target of a cross entropy is NaN or outside
/// [0, 1], its row's loss and its gradient are NaN.
template <class S, class T>
void pointwise_loss(PointwiseLoss loss, int64_t rows, int64_t n, const S* x, const S* t, const T* weights, T divisor,
                    T* losses, S* dx, const LossParameters<T>& parameters, Stream stream);

}  // namespace cuda
}  // namespace lamina
