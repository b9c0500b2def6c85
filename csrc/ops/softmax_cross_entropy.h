// softmax cross entropy over rows of logits, fused with its gradient.
//
// With p = softmax(x) over the row and a label c, or probabilities t for labels:
//   loss = weight * -log p[c]            dx = weight / divisor * (p - onehot(c))
//   loss = weight * -sum t[j] log p[j]   dx = weight / divisor * (p sum t - t)
// where log p[j] = x[j] - max x - log(sum e^(x - max x)), so that nothing overflows and no log meets 0.
#pragma once
#include <cstdint>

namespace lamina {

/// Where the first label outside [0, classes) is, or -1. Label: int32_t, int64_t.
template <class Target, class Label>
int64_t find_bad_label(int64_t n, int64_t classes, const Label* labels);

/// losses: (rows,), not divided by divisor; weights: (rows,) or null; dx: (rows, n) or null. All labels in [0, n).
template <class Target, class T, class Label>
void softmax_cross_entropy(int64_t rows, int64_t n, const T* x, const Label* labels, const T* weights, T divisor,
                           T* losses, T* dx);

/// The same with probabilities t: (rows, n).
template <class Target, class T>
void softmax_cross_entropy_soft(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor, T* losses,
                                T* dx);

/// From probabilities q: (rows, n) that need not sum to 1, as Keras takes them. With p = q / sum q and
/// c(p) = min(max(p, 1e-7), 1 - 1e-7): loss = weight * -sum t[j] log c(p[j]). Where c cuts, no gradient flows.
template <class Target, class T>
void cross_entropy_from_probabilities(int64_t rows, int64_t n, const T* q, const T* t, const T* weights, T divisor,
                                      T* losses, T* dq);

}  // namespace lamina
