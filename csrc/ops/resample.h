// resample: sparse linear maps along two neighbouring axes: resizing, mirrored padding, repeating, and their gradients.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

/// One axis: output j is the sum of weight[t] times input index[t] over t in [begin[j], begin[j + 1]), in this order: a
/// product, then fused multiply-adds. begin == nullptr: outputs are the inputs.
template <class T>
struct Taps {
  int64_t inputs, outputs;
  const int64_t* begin;
  const int64_t* index;
  const T* weight;
};

/// x (images, h.inputs, w.inputs, channels) -> y (images, h.outputs, w.outputs, channels): first h, then w. The
/// gradient is the same with the maps transposed. The bits of an output depend on its taps alone. y must not overlap x.
template <class Target, class T>
void resample(int64_t images, const Taps<T>& h, const Taps<T>& w, int64_t channels, const T* x, T* y);

namespace cuda {  // the same, and the same bits, over device memory

/// h_taps, w_taps: how many each map has in all (0 without one). Taps are not looked at before: one whose index is out
/// of range is left out.
template <class T>
void resample(int64_t images, const Taps<T>& h, int64_t h_taps, const Taps<T>& w, int64_t w_taps, int64_t channels,
              const T* x, T* y, Stream stream);

}  // namespace cuda
}  // namespace lamina
