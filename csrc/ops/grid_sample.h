// grid_sample: images read at any place, between their pixels and beyond their edges; and its gradients.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

enum class Sampling { nearest, bilinear, bicubic };
/// What a coordinate g of the grid means: the pixel g; or -1 and 1 are the centres of the outermost pixels; or -1 and 1
/// are their outer edges.
enum class GridUnit { pixel, centres, edges };
/// What happens to a place beyond the image before it is read: nothing; it is moved to the edge; it is mirrored at the
/// centres, or at the outer edges, of the outermost pixels.
enum class Place { free, clip, mirror, reflect };
/// What happens to a pixel number beyond the image: it is the fill value; the outermost pixel; it counts on from the
/// other side; it is mirrored at the centres (b c | d c b), or at the edges (b c d | d c b), of the outermost pixels.
enum class Beyond { fill, clip, wrap, mirror, reflect };

/// x (images, height, width, channels), grid (images, rows, columns, 2) of (across, down),
/// y (images, rows, columns, channels).
/// bilinear: y = sum over the 2 x 2 pixels around of their weights times x; bicubic: over 4 x 4 (Keys 1981, a = -3/4).
/// A product of weights is rounded once; the sum starts at the fill's part and adds by fused multiply-adds, row by row.
/// Coordinates that are NaN or beyond 10^9 pixels are 100 pixels out of the image.
struct GridSample {
  int64_t images, height, width, channels, rows, columns;
  Sampling sampling;
  GridUnit unit;
  Place place;
  Beyond beyond;
  double fill;
};

template <class Target, class T>
void grid_sample_forward(const GridSample& s, const T* x, const T* grid, T* y);

/// dx: every pixel sums the outputs that read it, in their order; threads share out pixels. Written over.
template <class Target, class T>
void grid_sample_backward_input(const GridSample& s, const T* dy, const T* grid, T* dx);

/// dgrid; a sum over the channels runs over 16 virtual lanes.
template <class Target, class T>
void grid_sample_backward_grid(const GridSample& s, const T* dy, const T* x, const T* grid, T* dgrid);

namespace cuda {  // the same, and the same bits, over device memory

template <class T>
void grid_sample_forward(const GridSample& s, const T* x, const T* grid, T* y, Stream stream);

/// Each pixel's list of the outputs that read it is linked in any order and then sorted: the sum is the CPU's.
template <class T>
void grid_sample_backward_input(const GridSample& s, const T* dy, const T* grid, T* dx, Stream stream);

template <class T>
void grid_sample_backward_grid(const GridSample& s, const T* dy, const T* x, const T* grid, T* dgrid, Stream stream);

}  // namespace cuda
}  // namespace lamina
