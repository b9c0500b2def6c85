#include "ops/grid_sample.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"
#include "support/grid_sample.h"

namespace lamina {
namespace LAMINA_ISA {

/// The pixels that one output reads: where they lie in the image and their weights (or what stands in for those), and
/// the sum of those of the pixels beyond the image.
template <class T>
struct Pixels {
  int count;
  int64_t at[MOST_TAPS * MOST_TAPS];
  T weight[MOST_TAPS * MOST_TAPS];
  T beyond;
};
template <class T>
INLINE void pixels_of(const AxisTaps<T>& h, const AxisTaps<T>& w, const T* h_weight, const T* w_weight,
                      const GridSample& s, Pixels<T>& pixels) {
  pixels.count = 0;
  pixels.beyond = 0;
  for (int i = 0; i < h.count; ++i)
    for (int j = 0; j < w.count; ++j) {
      const T weight = h_weight[i] * w_weight[j];
      if (h.index[i] < 0 || w.index[j] < 0) {
        pixels.beyond += weight;
      } else {
        pixels.at[pixels.count] = (h.index[i] * s.width + w.index[j]) * s.channels;
        pixels.weight[pixels.count++] = weight;
      }
    }
}

/// The weighted sum of the pixels at channels c to c + lanes.
template <class T, class M>
INLINE V<T> weighted(const Pixels<T>& pixels, const T* image, int64_t c, T fill, M mask) {
  V<T> sum = set(pixels.beyond * fill);
  if (pixels.count == 4) {
    unroll<4>([&](auto t)
                  INLINE_LAMBDA { sum = fma(load(image + pixels.at[t] + c, mask), set(pixels.weight[t]), sum); });
  } else {
    for (int t = 0; t < pixels.count; ++t) sum = fma(load(image + pixels.at[t] + c, mask), set(pixels.weight[t]), sum);
  }
  return sum;
}

INLINE double pixel_work(const GridSample& s) {
  const int taps = s.sampling == Sampling::nearest ? 1 : s.sampling == Sampling::bilinear ? 4 : 16;
  return 10 + 0.1 * double(taps) * double(max_of(s.channels, 8));
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void grid_sample_forward(const GridSample& shape, const T* x, const T* grid, T* y) {
  const int64_t outputs = shape.rows * shape.columns;
  parallel_for(shape.images * outputs, pixel_work(shape), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    const GridSample s = shape;
    const T fill = T(s.fill);
    Pixels<T> pixels;
    for (int64_t o = begin; o < end; ++o) {
      const T* const image = x + o / outputs * s.height * s.width * s.channels;
      const AxisTaps<T> w = taps_at(grid[2 * o], s.width, s), h = taps_at(grid[2 * o + 1], s.height, s);
      pixels_of(h, w, h.weight, w.weight, s, pixels);
      each_vector<T>(s.channels, [&](int64_t c, auto mask) INLINE_LAMBDA {
        store(y + o * s.channels + c, weighted(pixels, image, c, fill, mask), mask);
      });
    }
  });
}

template <class Target, class T>
void grid_sample_backward_input(const GridSample& shape, const T* dy, const T* grid, T* dx) {
  // A task is a band of rows of one image: it goes through all of the image's outputs and adds those that read it.
  const int64_t outputs = shape.rows * shape.columns;
  const int64_t bands = min_of(shape.height, ceil_div(num_threads(), max_of(1, shape.images)));
  const int64_t band = ceil_div(shape.height, bands);
  const double work = pixel_work(shape) * double(outputs) / double(bands) + 5 * double(outputs);
  parallel_for(shape.images * bands, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    const GridSample s = shape;
    const int64_t pixels_in_row = s.width * s.channels;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t n = task / bands, top = task % bands * band, bottom = min_of(top + band, s.height);
      T* const image = dx + n * s.height * pixels_in_row;
      if (top < bottom) std::memset(image + top * pixels_in_row, 0, size_t((bottom - top) * pixels_in_row) * sizeof(T));
      for (int64_t o = n * outputs; o < (n + 1) * outputs; ++o) {
        const AxisTaps<T> h = taps_at(grid[2 * o + 1], s.height, s);
        bool inside = false;
        for (int i = 0; i < h.count; ++i) inside |= h.index[i] >= top && h.index[i] < bottom;
        if (!inside) continue;
        const AxisTaps<T> w = taps_at(grid[2 * o], s.width, s);
        for (int i = 0; i < h.count; ++i) {
          if (h.index[i] < top || h.index[i] >= bottom) continue;
          for (int j = 0; j < w.count; ++j) {
            if (w.index[j] < 0) continue;
            T* const to = image + h.index[i] * pixels_in_row + w.index[j] * s.channels;
            const V<T> weight = set(h.weight[i] * w.weight[j]);
            each_vector<T>(s.channels, [&](int64_t c, auto mask) INLINE_LAMBDA {
              store(to + c, fma(load(dy + o * s.channels + c, mask), weight, load(to + c, mask)), mask);
            });
          }
        }
      }
    }
  });
}

template <class Target, class T>
void grid_sample_backward_grid(const GridSample& shape, const T* dy, const T* x, const T* grid, T* dgrid) {
  const int64_t outputs = shape.rows * shape.columns;
  parallel_for(shape.images * outputs, 2 * pixel_work(shape), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    const GridSample s = shape;
    const T fill = T(s.fill);
    Pixels<T> pixels;
    for (int64_t o = begin; o < end; ++o) {
      const T* const image = x + o / outputs * s.height * s.width * s.channels;
      const AxisTaps<T> w = taps_at(grid[2 * o], s.width, s), h = taps_at(grid[2 * o + 1], s.height, s);
      const auto slope = [&](const T* h_weight, const T* w_weight) INLINE_LAMBDA {
        pixels_of(h, w, h_weight, w_weight, s, pixels);
        return sum_row<T>(s.channels, [&](int64_t c, auto mask, V<T>& sum) INLINE_LAMBDA {
          sum = fma(load(dy + o * s.channels + c, mask), weighted(pixels, image, c, fill, mask), sum);
        });
      };
      dgrid[2 * o] = slope(h.weight, w.slope);
      dgrid[2 * o + 1] = slope(h.slope, w.weight);
    }
  });
}

template void grid_sample_forward<Target>(const GridSample&, const float*, const float*, float*);
DOUBLE template void grid_sample_forward<Target>(const GridSample&, const double*, const double*, double*);
template void grid_sample_backward_input<Target>(const GridSample&, const float*, const float*, float*);
DOUBLE template void grid_sample_backward_input<Target>(const GridSample&, const double*, const double*, double*);
template void grid_sample_backward_grid<Target>(const GridSample&, const float*, const float*, const float*, float*);
DOUBLE template void grid_sample_backward_grid<Target>(const GridSample&, const double*, const double*, const double*,
                                                       double*);

}  // namespace lamina
