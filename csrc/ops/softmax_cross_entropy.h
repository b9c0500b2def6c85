// softmax cross entropy over rows of logits, fused with its gradient; and the same from probabilities.
//
// With p = softmax(x) over the row and a label c, or probabilities t for labels:
//   loss = weight * -((1 - s) log p[c] + s / n sum log p[j])    dx = weight / divisor * (p - (1 - s) onehot(c) - s / n)
//   loss = weight * -sum t[j] log p[j]                          dx = weight / divisor * (p sum t - t)
// where log p[j] = x[j] - max x - log(sum e^(x - max x)), so that nothing overflows and no log meets 0; s smooths.
//
// Rows with the label `ignored` have a loss and a gradient of 0, whatever x holds there.
#pragma once
#include <cstdint>

#include "support/setting.h"
#include "support/stream.h"

namespace lamina {

/// No label is ignored.
constexpr int64_t NONE_IGNORED = INT64_MIN;

/// Where the first label is that is neither in [0, classes) nor ignored, or -1.
template <class Target>
int64_t find_bad_label(int64_t n, int64_t classes, const int64_t* labels, int64_t ignored);

/// losses: (rows,), not divided by divisor; weights: (rows,) or null; dx: (rows, n) or null.
template <class Target, class T>
void softmax_cross_entropy(int64_t rows, int64_t n, const T* x, const int64_t* labels, int64_t ignored, T smoothing,
                           const T* weights, T divisor, T* losses, T* dx);

/// The same with probabilities t: (rows, n).
template <class Target, class T>
void softmax_cross_entropy_soft(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor, T* losses,
                                T* dx);

/// From probabilities q: (rows, n) that need not sum to 1, as Keras takes them. With p = q / sum q and
/// c(p) = min(max(p, 1e-7), 1 - 1e-7): loss = weight * -log c(p[label]). Where c cuts, no gradient flows.
template <class Target, class T>
void cross_entropy_from_probabilities(int64_t rows, int64_t n, const T* q, const int64_t* labels, int64_t ignored,
                                      const T* weights, T divisor, T* losses, T* dq);

/// The same with probabilities t for labels: loss = weight * -sum t[j] log c(p[j]).
template <class Target, class T>
void cross_entropy_from_probabilities_soft(int64_t rows, int64_t n, const T* q, const T* t, const T* weights, T divisor,
                                           T* losses, T* dq);

namespace cuda {  // the same, and the same bits, over device memory. S: float16 and bfloat16 too, with
                  // T = float: weights and losses stay float32. divisor: a number, or a place in device memory

/// A row whose label is out of range has a loss and a gradient of NaN: the host does not look at labels.
template <class S, class T>
void softmax_cross_entropy(int64_t rows, int64_t n, const S* x, const int64_t* labels, int64_t ignored, T smoothing,
                           const T* weights, Setting<double> divisor, T* losses, S* dx, Stream stream);

template <class S, class T>
void softmax_cross_entropy_soft(int64_t rows, int64_t n, const S* x, const S* t, const T* weights,
                                Setting<double> divisor, T* losses, S* dx, Stream stream);

/// Labels out of range: as above.
template <class S, class T>
void cross_entropy_from_probabilities(int64_t rows, int64_t n, const S* q, const int64_t* labels, int64_t ignored,
                                      const T* weights, Setting<double> divisor, T* losses, S* dq, Stream stream);

template <class S, class T>
void cross_entropy_from_probabilities_soft(int64_t rows, int64_t n, const S* q, const S* t, const T* weights,
                                           Setting<double> divisor, T* losses, S* dq, Stream stream);

}  // namespace cuda
}  // namespace lamina
