// Norms of rows: each row of x, rows x n, is shifted and scaled by statistics of its own.
//
//   layer: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with the row's mean and (biased) variance
//   rms:   y = gamma * x / sqrt(mean of x^2 + epsilon) + beta
//   unit:  y = gamma * x / max(|x|, epsilon) + beta, |x| the Euclidean norm
//
// Numerics. The sums of a row are Row's; the variance is a second sum, of (x - mean)^2. A row has the same bits alone
// as in any batch. Sums over rows (dgamma, dbeta) are chains over parts of as many rows as n alone says, joined in
// order in float64.
//
// Bytes an element in float32: forward 8, backward 12 (the second reading of a row comes from the cache).
//
// Reference: Ba, Kiros & Hinton 2016, arXiv:1607.06450 (layer); Zhang & Sennrich 2019, arXiv:1910.07467 (rms).
#pragma once
#include <cstdint>

#include "support/narrow.h"
#include "support/stream.h"

namespace lamina {

enum class RowNormKind { layer, rms, unit };

/// x is stored as S; gamma is float32 where S has 16 bits.
template <class S>
struct RowNorm {
  RowNormKind kind;
  int64_t rows, n;
  const S* x;
  const Computed<S>* gamma;  // n; null: 1
  double epsilon;
};

/// mean (layer alone; else null) and inverse, what (x - mean) is multiplied by, are written, one a row. beta: n, or
/// null.
template <class Target, class T>
void row_norm_forward(const RowNorm<T>& s, const T* beta, T* mean, T* inverse, T* y);

/// dx, dgamma (n) and dbeta (n) may be null.
template <class Target, class T>
void row_norm_backward(const RowNorm<T>& s, const T* mean, const T* inverse, const T* dy, T* dx, T* dgamma, T* dbeta);

namespace cuda {  // the same, and the same bits, over device memory; S: float16 and bfloat16 too, with T = float

template <class S, class T>
void row_norm_forward(const RowNorm<S>& s, const T* beta, T* mean, T* inverse, S* y, Stream stream);

template <class S, class T>
void row_norm_backward(const RowNorm<S>& s, const T* mean, const T* inverse, const S* dy, S* dx, T* dgamma, T* dbeta,
                       Stream stream);

}  // namespace cuda
}  // namespace lamina
