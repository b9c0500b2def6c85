// Losses of whole rows, fused with their gradients.
//
//   cosine_similarity  loss = weight * -sum x[j] a t[j] b, where a = min(1 / |x|, 1e7) and b = min(1 / |t|, 1e7), |.|
//                      the Euclidean norm; dx = weight / divisor * (-a b t + a^3 b (sum x t) x, the second term only
//                      where a is not cut)
//   categorical_hinge  loss = weight * max(1 + max over j of (1 - t[j]) x[j] - sum t[j] x[j], 0);
//                      where it is not 0, dx = weight / divisor * (-t + (1 - t) at the largest, shared out among
//                      equals)
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

enum class RowLoss { cosine_similarity, categorical_hinge };

/// x, t: (rows, n); weights: (rows,) or null; losses: (rows,), not divided by divisor; dx: (rows, n) or null.
template <class Target, class T>
void row_loss(RowLoss loss, int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor, T* losses,
              T* dx);

namespace cuda {  // the same, and the same bits, over device memory. S: float16 and bfloat16 too, with
                  // T = float: weights and losses stay float32

template <class S, class T>
void row_loss(RowLoss loss, int64_t rows, int64_t n, const S* x, const S* t, const T* weights, T divisor, T* losses,
              S* dx, Stream stream);

}  // namespace cuda
}  // namespace lamina
