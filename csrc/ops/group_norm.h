// group_norm: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with the mean and (biased) variance of each
// sample's groups of channels: x is samples x pixels x channels, a group is channels / groups neighbours of them over
// all pixels. As many groups as channels: instance normalisation.
//
// Numerics. A channel's statistics are batch_norm's (support/moments.h), those of a group join them in order, in
// float64. A sample has the same bits alone as in any batch. Gradients' sums over pixels are chains over parts of 512,
// joined in order in float64; then over samples, in order.
//
// Bytes an element in float32: forward 12, backward 20; 8 and 12 where a sample stays in the cache.
//
// Reference: Wu & He 2018, arXiv:1803.08494; Ulyanov et al. 2016, arXiv:1607.08022 (instance).
#pragma once
#include <cstdint>

#include "support/narrow.h"
#include "support/stream.h"

namespace lamina {

/// x is stored as S; gamma is float32 where S has 16 bits.
template <class S>
struct GroupNorm {
  int64_t samples, pixels, channels, groups;
  const S* x;
  const Computed<S>* gamma;  // a channel; null: 1
};

/// mean and inverse: samples x groups, written. beta: a channel, or null.
template <class Target, class T>
void group_norm_forward(const GroupNorm<T>& s, const T* beta, double epsilon, T* mean, T* inverse, T* y);

/// dx, dgamma (channels) and dbeta (channels) may be null.
template <class Target, class T>
void group_norm_backward(const GroupNorm<T>& s, const T* mean, const T* inverse, const T* dy, T* dx, T* dgamma,
                         T* dbeta);

namespace cuda {  // the same, and the same bits, over device memory; S: float16 and bfloat16 too, with T = float

template <class S, class T>
void group_norm_forward(const GroupNorm<S>& s, const T* beta, double epsilon, T* mean, T* inverse, S* y, Stream stream);

template <class S, class T>
void group_norm_backward(const GroupNorm<S>& s, const T* mean, const T* inverse, const S* dy, S* dx, T* dgamma,
                         T* dbeta, Stream stream);

}  // namespace cuda
}  // namespace lamina
