#include "ops/grid_sample.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr int MOST_TAPS = 4;  // along one axis

/// Along one axis: the pixels that a place reads, their weights, and the slopes of these by the grid's coordinate.
template <class T>
struct AxisTaps {
  int count;
  int64_t index[MOST_TAPS];  // -1: beyond the image
  T weight[MOST_TAPS], slope[MOST_TAPS];
};

template <class T>
INLINE int64_t whole_below(T v) {
  const int64_t i = int64_t(v);
  return i - (T(i) > v);
}

/// The place mirrored into [low, high], and its slope.
template <class T>
INLINE T mirrored(T p, T low, T high, T& slope) {
  const T span = high - low;
  if (!(span > 0)) {
    slope = 0;
    return low;
  }
  T from = p - low;
  if (from < 0) {
    from = -from;
    slope = -slope;
  }
  const int64_t flips = whole_below(from / span);
  const T rest = from - T(flips) * span;
  if (flips % 2 == 0) return rest + low;
  slope = -slope;
  return span - rest + low;
}

INLINE int64_t pixel_beyond(int64_t i, int64_t size, Beyond beyond) {
  if (i >= 0 && i < size) return i;
  const auto modulo = [](int64_t a, int64_t b) INLINE_LAMBDA { return (a % b + b) % b; };
  switch (beyond) {
    case Beyond::clip:
      return i < 0 ? 0 : size - 1;
    case Beyond::wrap:
      return modulo(i, size);
    case Beyond::mirror: {
      if (size == 1) return 0;
      const int64_t at = modulo(i, 2 * (size - 1));
      return at < size ? at : 2 * (size - 1) - at;
    }
    case Beyond::reflect: {
      const int64_t at = modulo(i, 2 * size);
      return at < size ? at : 2 * size - 1 - at;
    }
    default:
      return -1;
  }
}

template <class T>
INLINE AxisTaps<T> taps_at(T g, int64_t size, const GridSample& s) {
  T p = g, slope = 1;
  if (s.unit == GridUnit::centres) {
    p = (g + T(1)) / T(2) * T(size - 1);
    slope = T(size - 1) / T(2);
  } else if (s.unit == GridUnit::edges) {
    p = ((g + T(1)) * T(size) - T(1)) / T(2);
    slope = T(size) / T(2);
  }
  if (s.place != Place::free) {
    const bool known = p > T(-1e9) && p < T(1e9);
    if (s.place == Place::mirror && known) p = mirrored(p, T(0), T(size - 1), slope);
    if (s.place == Place::reflect && known) p = mirrored(p, T(-0.5), T(size) - T(0.5), slope);
    if (!(p > 0)) {
      p = 0;
      slope = 0;
    } else if (!(p < T(size - 1))) {
      p = T(size - 1);
      slope = 0;
    }
  }
  if (!(p > T(-1e9) && p < T(1e9))) {
    p = -100;
    slope = 0;
  }
  AxisTaps<T> taps;
  const int64_t below = whole_below(p);
  const T rest = p - T(below);
  if (s.sampling == Sampling::nearest) {  // halves to even
    const bool up = rest > T(0.5) || (rest == T(0.5) && (below & 1));
    taps.count = 1;
    taps.index[0] = pixel_beyond(below + up, size, s.beyond);
    taps.weight[0] = 1;
    taps.slope[0] = 0;
  } else if (s.sampling == Sampling::bilinear) {
    taps.count = 2;
    taps.index[0] = pixel_beyond(below, size, s.beyond);
    taps.index[1] = pixel_beyond(below + 1, size, s.beyond);
    taps.weight[0] = T(1) - rest;
    taps.weight[1] = rest;
    taps.slope[0] = -slope;
    taps.slope[1] = slope;
  } else {
    constexpr T A = T(-0.75);
    taps.count = 4;
    for (int t = 0; t < 4; ++t) {
      const T d = t < 2 ? rest + T(1 - t) : T(t - 1) - rest;  // from the tap's pixel
      const bool near = t == 1 || t == 2;
      taps.index[t] = pixel_beyond(below - 1 + t, size, s.beyond);
      taps.weight[t] =
          near ? ((A + T(2)) * d - (A + T(3))) * d * d + T(1) : ((A * d - T(5) * A) * d + T(8) * A) * d - T(4) * A;
      const T by_distance =
          near ? (T(3) * (A + T(2)) * d - T(2) * (A + T(3))) * d : (T(3) * A * d - T(10) * A) * d + T(8) * A;
      taps.slope[t] = (t < 2 ? by_distance : -by_distance) * slope;
    }
  }
  return taps;
}

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
