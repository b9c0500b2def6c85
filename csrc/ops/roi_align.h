// RoIAlign: boxes cut out of feature maps, each to the same number of bins; and its gradient.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

/// x (images, height, width, channels), boxes (regions, 4) of (x_min, y_min, x_max, y_max), index (regions,): the image
/// of each, y (regions, rows, columns, channels).
///
/// A box times `scale`, less half a pixel where `aligned` and else at least a pixel long, is cut into bins. A bin is
/// the mean of samples x samples points spread evenly in it: `samples`, or if that is 0, ceil(length of a bin) along
/// each axis. A point reads its four pixels bilinearly, up to a pixel beyond the edge what is at the edge; from there
/// on 0.
///
/// A point's weights are products of one along each axis, and so are a bin's: along an axis, a pixel's weight is the
/// sum of those of the points that read it, in their order, divided by the number of points. The bin is the sum over
/// its pixels, row by row, by fused multiply-adds; a product of two weights is rounded once.
/// Boxes that are NaN, or beyond REGION_REACH pixels from 0, give zeros.
struct RoiAlign {
  int64_t images, height, width, channels, regions, rows, columns;
  double scale;
  int64_t samples;
  bool aligned;
};
constexpr double REGION_REACH = 1e6;

template <class Target, class T>
void roi_align_forward(const RoiAlign& s, const T* x, const T* boxes, const int64_t* index, T* y);

/// dx: every pixel sums the bins that read it, in the order of regions and bins; threads share out pixels. Written
/// over.
template <class Target, class T>
void roi_align_backward(const RoiAlign& s, const T* dy, const T* boxes, const int64_t* index, T* dx);

namespace cuda {  // the same, and the same bits, over device memory; a region of no image gives zeros

template <class T>
void roi_align_forward(const RoiAlign& s, const T* x, const T* boxes, const int64_t* index, T* y, Stream stream);

template <class T>
void roi_align_backward(const RoiAlign& s, const T* dy, const T* boxes, const int64_t* index, T* dx, Stream stream);

}  // namespace cuda
}  // namespace lamina
