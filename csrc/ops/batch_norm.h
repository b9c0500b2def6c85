// batch_norm: y = activation(gamma * (x - mean) / sqrt(variance + epsilon) + beta + residual), over the last axis of x,
// seen as rows x channels; in training mean and variance are those of the column, else moving averages.
//
// Numerics. Statistics: the rows are cut into parts of 512. Within a part values are taken relative to the mean of its
// first 16 rows, so that the part's squared deviations lose at most a factor of 33 to cancellation whatever the data;
// the parts are joined in order, in float64 (Chan, Golub & LeVeque 1983). The variance is the biased one, in the moving
// average too, as in Keras. y = fma(x - mean, gamma * inverse, beta), inverse = 1 / sqrt(variance + epsilon).
// Gradients' sums run over the same parts: a chain of 512 within, then float64.
//
// Bytes an element in float32: forward 12 (two reads, one write), backward 20 (28 with relu after a residual, 32 with a
// sum of two gradients as well, whose sum in a pass of its own would be 12 more).
//
// Reference: Ioffe & Szegedy 2015, arXiv:1502.03167.
#pragma once
#include <cstdint>

#include "support/narrow.h"
#include "support/stream.h"

namespace lamina {

/// x is stored as S; what belongs to a channel is float32 where S has 16 bits.
template <class S>
struct BatchNorm {
  using T = Computed<S>;
  int64_t rows, channels;
  const S* x;         // rows x channels
  const T* gamma;     // a channel; null: 1
  const T* beta;      // a channel; null: 0
  const T* mean;      // a channel
  const T* inverse;   // a channel: 1 / sqrt(variance + epsilon)
  bool relu = false;  // the activation, or none
};

/// The columns' mean and inverse, and moving = moving * momentum + statistic * (1 - momentum) where not null. Of no
/// rows: mean and inverse are 0, and nothing moves.
template <class Target, class T>
void batch_norm_statistics(int64_t rows, int64_t channels, const T* x, double epsilon, double momentum, T* mean,
                           T* inverse, T* moving_mean, T* moving_variance);

/// inverse = 1 / sqrt(variance + epsilon).
template <class Target, class T>
void batch_norm_inverse(int64_t channels, const T* variance, double epsilon, T* inverse);

/// residual: rows x channels, or null.
template <class Target, class T>
void batch_norm_forward(const BatchNorm<T>& s, const T* residual, T* y);

/// dz = dy * activation'(y): the gradient of the residual. With relu, y and dz are both given, or both null and y is
/// computed anew from x (so where there was no residual). training: mean and inverse came from x. dx, dgamma and dbeta
/// may be null. more_dy: null, or, where dz is given, what is added to dy as it is read.
template <class Target, class T>
void batch_norm_backward(const BatchNorm<T>& s, bool training, const T* y, const T* dy, const T* more_dy, T* dz, T* dx,
                         T* dgamma, T* dbeta);

namespace cuda {  // the same, and the same bits, over device memory; S: float16 and bfloat16 too, with T = float

template <class S, class T>
void batch_norm_statistics(int64_t rows, int64_t channels, const S* x, double epsilon, double momentum, T* mean,
                           T* inverse, T* moving_mean, T* moving_variance, Stream stream);

template <class T>
void batch_norm_inverse(int64_t channels, const T* variance, double epsilon, T* inverse, Stream stream);

template <class S>
void batch_norm_forward(const BatchNorm<S>& s, const S* residual, S* y, Stream stream);

template <class S, class T>
void batch_norm_backward(const BatchNorm<S>& s, bool training, const S* y, const S* dy, const S* more_dy, S* dz, S* dx,
                         T* dgamma, T* dbeta, Stream stream);

}  // namespace cuda
}  // namespace lamina
