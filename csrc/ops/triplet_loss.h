// Triplet margin loss over rows, fused with its gradients.
//
// d(u, v) = |u - v + 1e-6|, the Euclidean norm (as PyTorch measures it); loss = weight * max(d(x, p) - e + margin, 0)
// with e = d(x, q), or, with `swap`, min(d(x, q), d(p, q)). The gradients are those times weight / divisor; at the edge
// (loss 0, not cut) they flow, as in PyTorch.
// Reference: Balntas et al. 2016, "Learning local feature descriptors with triplets and shallow CNNs".
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

/// x (anchors), p (positives), q (negatives): (rows, n); weights: (rows,) or null; losses: (rows,), not divided by
/// divisor; dx, dp, dq: (rows, n), or all null.
template <class Target, class T>
void triplet_loss(int64_t rows, int64_t n, const T* x, const T* p, const T* q, const T* weights, T divisor, T* losses,
                  T* dx, T* dp, T* dq, T margin, bool swap);

namespace cuda {  // the same, and the same bits, over device memory

template <class T>
void triplet_loss(int64_t rows, int64_t n, const T* x, const T* p, const T* q, const T* weights, T divisor, T* losses,
                  T* dx, T* dp, T* dq, T margin, bool swap, Stream stream);

}  // namespace cuda
}  // namespace lamina
