#include <stdexcept>

#include "cuda/support/packs.cuh"
#include "cuda/support/row.cuh"
#include "ops/grid_sample.h"
#include "support/grid_sample.h"

namespace lamina::cuda {
namespace grid_sample_op {

/// f(weight, where the pixel is in the image, or -1 beyond it) for the TAPS x TAPS pixels that an output reads.
template <int TAPS, class T, class F>
__device__ __forceinline__ void each_pixel(const GridSample& s, const AxisTaps<T>& h, const AxisTaps<T>& w,
                                           const T* h_weight, const T* w_weight, F&& f) {
#pragma unroll
  for (int i = 0; i < TAPS; ++i)
#pragma unroll
    for (int j = 0; j < TAPS; ++j) {
      const bool inside = h.index[i] >= 0 && w.index[j] >= 0;
      f(h_weight[i] * w_weight[j], inside ? (h.index[i] * s.width + w.index[j]) * s.channels : int64_t(-1));
    }
}

/// The weighted sum of the pixels at N channels: what lies beyond the image first.
template <int TAPS, int N, class T>
__device__ __forceinline__ Pack<T, N> weighted(const GridSample& s, const AxisTaps<T>& h, const AxisTaps<T>& w,
                                               const T* h_weight, const T* w_weight, const T* image) {
  T beyond = 0;
  each_pixel<TAPS>(s, h, w, h_weight, w_weight, [&](T weight, int64_t at) {
    if (at < 0) beyond = beyond + weight;
  });
  Pack<T, N> sum;
  for (int e = 0; e < N; ++e) sum[e] = beyond * T(s.fill);
  each_pixel<TAPS>(s, h, w, h_weight, w_weight, [&](T weight, int64_t at) {
    if (at < 0) return;
    const Pack<T, N> v = load_pack<N>(image + at);
#pragma unroll
    for (int e = 0; e < N; ++e) sum[e] = fma(v[e], weight, sum[e]);
  });
  return sum;
}

template <int TAPS, class T>
struct Forward {
  GridSample s;
  const T *x, *grid;
  T* y;
  template <int N>
  __device__ void run(int64_t at) const {
    const Split c = split(at, s.channels);
    const int64_t o = c.rest, image = split(o, s.rows * s.columns).rest;
    const AxisTaps<T> w = taps_at(grid[2 * o], s.width, s), h = taps_at(grid[2 * o + 1], s.height, s);
    const T* const from = x + image * s.height * s.width * s.channels + c.at;
    store_pack(y + at, weighted<TAPS, N>(s, h, w, h.weight, w.weight, from));
  }
};

constexpr int32_t NOBODY = -1;

/// The outputs that read each pixel of an image, as lists: entry (output * TAPS * TAPS + tap) is an output's reading of
/// one pixel, next[entry] the following one of the same pixel.
struct Readings {
  int64_t entries, pixels;  // of an image
  int32_t *heads, *next;    // [image][pixel], [image][entry]
};

/// A thread has an output, and puts its entries in front of their pixels' lists: in any order.
template <int TAPS, class T>
struct Link {
  GridSample s;
  Readings r;
  const T* grid;
  __device__ void operator()(int64_t o) const {
    const Split of = split(o, s.rows * s.columns);
    const AxisTaps<T> w = taps_at(grid[2 * o], s.width, s), h = taps_at(grid[2 * o + 1], s.height, s);
    int32_t entry = int32_t(of.at * TAPS * TAPS);
    each_pixel<TAPS>(s, h, w, h.weight, w.weight, [&](T, int64_t at) {
      if (at >= 0)
        r.next[of.rest * r.entries + entry] = atomicExch(&r.heads[of.rest * r.pixels + at / s.channels], entry);
      ++entry;
    });
  }
};

/// A thread has a pixel, and sorts its list upwards: merges of runs of 1, 2, 4, ...
struct Sort {
  Readings r;
  __device__ void operator()(int64_t pixel) const {
    int32_t* const next = r.next + split(pixel, r.pixels).rest * r.entries;
    int32_t head = r.heads[pixel];
    for (int64_t run = 1;; run *= 2) {
      int32_t left = head, last = NOBODY, merges = 0;
      head = NOBODY;
      while (left != NOBODY) {
        ++merges;
        int32_t right = left;
        int64_t lefts = 0, rights = run;
        while (lefts < run && right != NOBODY) right = next[right], ++lefts;
        while (lefts > 0 || (rights > 0 && right != NOBODY)) {
          const bool from_left = lefts > 0 && (rights == 0 || right == NOBODY || left < right);
          const int32_t taken = from_left ? left : right;
          if (from_left)
            left = next[left], --lefts;
          else
            right = next[right], --rights;
          last == NOBODY ? head = taken : next[last] = taken;
          last = taken;
        }
        left = right;
      }
      if (last != NOBODY) next[last] = NOBODY;
      if (merges <= 1) break;
    }
    r.heads[pixel] = head;
  }
};

/// N channels of a pixel: the outputs that read it, in their order.
template <int TAPS, class T>
struct BackwardInput {
  GridSample s;
  Readings r;
  const T *dy, *grid;
  T* dx;
  template <int N>
  __device__ void run(int64_t at) const {
    const Split c = split(at, s.channels);
    const int64_t image = split(c.rest, r.pixels).rest, outputs = s.rows * s.columns;
    const int32_t* const next = r.next + image * r.entries;
    Pack<T, N> sum{};
    for (int32_t entry = r.heads[c.rest]; entry != NOBODY; entry = next[entry]) {
      const int64_t o = image * outputs + entry / (TAPS * TAPS);
      const AxisTaps<T> w = taps_at(grid[2 * o], s.width, s), h = taps_at(grid[2 * o + 1], s.height, s);
      int tap = 0;
      T weight = 0;
      each_pixel<TAPS>(s, h, w, h.weight, w.weight, [&](T of_tap, int64_t) {
        if (tap++ == entry % (TAPS * TAPS)) weight = of_tap;
      });
      const Pack<T, N> d = load_pack<N>(dy + o * s.channels + c.at);
#pragma unroll
      for (int e = 0; e < N; ++e) sum[e] = fma(d[e], weight, sum[e]);
    }
    store_pack(dx + at, sum);
  }
};

template <int TAPS, class T>
struct BackwardGrid {
  GridSample s;
  const T *dy, *x, *grid;
  T* dgrid;
  __device__ void operator()(int64_t o, RowLane lane) const {
    const T* const image = x + split(o, s.rows * s.columns).rest * s.height * s.width * s.channels;
    const T* const d = dy + o * s.channels;
    const AxisTaps<T> w = taps_at(grid[2 * o], s.width, s), h = taps_at(grid[2 * o + 1], s.height, s);
    const auto slope = [&](const T* h_weight, const T* w_weight) {
      return sum_row<T>(s.channels, lane, [&](int64_t c, T& sum) {
        sum = fma(d[c], weighted<TAPS, 1>(s, h, w, h_weight, w_weight, image + c)[0], sum);
      });
    };
    const T across = slope(h.weight, w.slope), down = slope(h.slope, w.weight);
    if (lane.lane < 2) dgrid[2 * o + lane.lane] = lane.lane == 0 ? across : down;
  }
};

/// f(Int<taps along an axis>{}).
template <class F>
void with_taps(Sampling sampling, F&& f) {
  switch (sampling) {
    case Sampling::nearest:
      return f(Int<1>{});
    case Sampling::bilinear:
      return f(Int<2>{});
    default:
      return f(Int<4>{});
  }
}

}  // namespace grid_sample_op
using namespace grid_sample_op;

template <class T>
void grid_sample_forward(const GridSample& s, const T* x, const T* grid, T* y, Stream stream) {
  with_taps(s.sampling, [&](auto taps) {
    each_pack<T>(s.images * s.rows * s.columns * s.channels, packs_fit<T>(s.channels, x, y), stream,
                 Forward<taps, T>{s, x, grid, y});
  });
}

template <class T>
void grid_sample_backward_input(const GridSample& s, const T* dy, const T* grid, T* dx, Stream stream) {
  with_taps(s.sampling, [&](auto taps) {
    const int64_t outputs = s.rows * s.columns;
    Readings r{outputs * taps * taps, s.height * s.width, nullptr, nullptr};
    if (r.entries > INT32_MAX) throw std::invalid_argument("grid_sample: an image has too many outputs for a gradient");
    const Scratch<int32_t> heads(s.images * r.pixels, stream), next(s.images * r.entries, stream);
    r.heads = heads.data();
    r.next = next.data();
    if (r.heads) fill_bytes(r.heads, 0xff, size_t(s.images * r.pixels) * sizeof(int32_t), stream);  // NOBODY
    each(s.images * outputs, stream, Link<taps, T>{s, r, grid});
    each(s.images * r.pixels, stream, Sort{r});
    each_pack<T>(s.images * r.pixels * s.channels, packs_fit<T>(s.channels, dy, dx), stream,
                 BackwardInput<taps, T>{s, r, dy, grid, dx});
  });
}

template <class T>
void grid_sample_backward_grid(const GridSample& s, const T* dy, const T* x, const T* grid, T* dgrid, Stream stream) {
  with_taps(s.sampling, [&](auto taps) {
    each_row(s.images * s.rows * s.columns, stream, BackwardGrid<taps, T>{s, dy, x, grid, dgrid});
  });
}

template void grid_sample_forward(const GridSample&, const float*, const float*, float*, Stream);
template void grid_sample_forward(const GridSample&, const double*, const double*, double*, Stream);
template void grid_sample_backward_input(const GridSample&, const float*, const float*, float*, Stream);
template void grid_sample_backward_input(const GridSample&, const double*, const double*, double*, Stream);
template void grid_sample_backward_grid(const GridSample&, const float*, const float*, const float*, float*, Stream);
template void grid_sample_backward_grid(const GridSample&, const double*, const double*, const double*, double*,
                                        Stream);

}  // namespace lamina::cuda
