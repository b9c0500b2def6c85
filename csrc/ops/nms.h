// Non-maximum suppression: of boxes that overlap, the best one stays.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

/// boxes (n, 4) of (x_min, y_min, x_max, y_max), in groups: group g is boxes [starts[g], starts[g + 1]), best first.
/// keep[i] is 1, unless a kept box before it in its group has an overlap with it above the threshold: then 0.
///
///   overlap = shared / (area + other area - shared), shared = max(0, width in common) * max(0, height in common)
///
/// each step rounded once. An overlap of 0 / 0 is above nothing.
template <class Target, class T>
void nms(int64_t groups, const int64_t* starts, const T* boxes, T threshold, uint8_t* keep);

namespace cuda {  // the same, and the same bits, over device memory

/// n: how many boxes there are; starts lie in [0, n].
template <class T>
void nms(int64_t n, int64_t groups, const int64_t* starts, const T* boxes, T threshold, uint8_t* keep, Stream stream);

}  // namespace cuda
}  // namespace lamina
