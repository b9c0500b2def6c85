// Connectionist temporal classification, fused with its gradient.
//
// x: (batch, time, classes) logits, p = softmax(x) over the classes. A sample's labels l_1 ... l_L, with a blank
// before, between and behind them, are its S = 2L + 1 states z. A path takes, from step to step, the same state, the
// next, or the one behind that where it is another label than the last; it begins in state 0 or 1 and ends in S - 2 or
// S - 1.
//     loss = -log of the sum over all paths of the product over t of p[t][z of the path at t]
//     dx[t][c] = p[t][c] - the share of the paths, by their products, that are in a state of class c at t
// where t is below the sample's input length; dx is 0 from there on.
//
// Sums of products are kept as logarithms; those of a step are taken relative to their largest, whose sum goes beside
// them in float64: so that float32 has the same relative error after a thousand steps as after one. Steps, states and
// classes are added in one fixed order; threads split the batch.
//
// Where no path fits (L and its repetitions want more steps than there are) the loss is infinite and dx NaN, or both
// are 0 where zero_infinity is set. (Graves et al. 2006, "Connectionist Temporal Classification")
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

struct CtcLoss {
  int64_t batch, time, classes, labels;  // labels: the width of targets
  int64_t blank;
  bool zero_infinity;
  const int64_t *targets, *target_lengths, *input_lengths;  // (batch, labels), (batch,), (batch,)
};

/// losses: (batch,); dx: like x, or null.
template <class Target, class T>
void ctc_loss(const CtcLoss& s, const T* x, T* losses, T* dx);

namespace cuda {  // the same, and the same bits, over device memory

/// A sample with a length or a label out of range has a loss and a gradient of NaN: the host does not look at them.
template <class T>
void ctc_loss(const CtcLoss& s, const T* x, T* losses, T* dx, Stream stream);

}  // namespace cuda
}  // namespace lamina
