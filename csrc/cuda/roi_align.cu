#include "cuda/support/packs.cuh"
#include "ops/roi_align.h"
#include "support/roi_align.h"

namespace lamina::cuda {
namespace roi_align_op {

constexpr int64_t REGIONS_AT_A_TIME = 1024;  // bounds the memory of their bins

/// Regions from `start` on, and their bins.
template <class T>
struct Regions {
  RoiAlign s;
  int64_t start;
  const T* boxes;
  const int64_t* index;
  T* weights;
  int32_t* numbers;
};

/// A thread has a side of a region.
template <class T>
struct Cut {
  Regions<T> r;
  __device__ void operator()(int64_t at) const {
    const int64_t k = at / 2;
    const T* const box = r.boxes + 4 * (r.start + k);
    if (at % 2 == 0)
      cut(r.s, box[1], box[3], r.s.height, r.s.rows, bins_down(r.s, k, r.weights, r.numbers));
    else
      cut(r.s, box[0], box[2], r.s.width, r.s.columns, bins_across(r.s, k, r.weights, r.numbers));
  }
};

template <class T>
struct Forward {
  Regions<T> r;
  const T* x;
  T* y;  // of the first of the regions
  template <int N>
  __device__ void run(int64_t at) const {
    const RoiAlign& s = r.s;
    const Split c = split(at, s.channels), j = split(c.rest, s.columns), i = split(j.rest, s.rows);
    const int64_t image = r.index[r.start + i.rest];
    Pack<T, N> sum{};
    if (image >= 0 && image < s.images) {
      const AxisBins<T> down = bins_down(s, i.rest, r.weights, r.numbers);
      const AxisBins<T> across = bins_across(s, i.rest, r.weights, r.numbers);
      const int32_t rows = down.count(i.at), columns = across.count(j.at);
      const T* const h = down.weight + down.begin[i.at];
      const T* const w = across.weight + across.begin[j.at];
      const int64_t corner = (image * s.height + down.first[i.at]) * s.width + across.first[j.at];
      for (int32_t p = 0; p < rows; ++p)
        for (int32_t q = 0; q < columns; ++q) {
          const T weight = h[p] * w[q];
          const Pack<T, N> v = load_pack<N>(x + (corner + p * s.width + q) * s.channels + c.at);
#pragma unroll
          for (int e = 0; e < N; ++e) sum[e] = fma(v[e], weight, sum[e]);
        }
    }
    store_pack(y + at, sum);
  }
};

/// The bin's weight at a pixel, 0 where it does not read it.
template <class T>
__device__ __forceinline__ bool reads(const AxisBins<T>& bins, int64_t b, int64_t pixel, T& weight) {
  const int64_t i = pixel - bins.first[b];
  if (i < 0 || i >= bins.count(b)) return false;
  weight = bins.weight[bins.begin[b] + i];
  return true;
}

/// N channels of a pixel: the bins that read it, in their order, behind what regions before these have added.
template <class T>
struct Backward {
  Regions<T> r;
  int64_t count;
  const T* dy;
  T* dx;
  template <int N>
  __device__ void run(int64_t at) const {
    const RoiAlign& s = r.s;
    const Split c = split(at, s.channels), column = split(c.rest, s.width), row = split(column.rest, s.height);
    Pack<T, N> sum{};
    if (r.start > 0) sum = load_pack<N>(dx + at);
    for (int64_t k = 0; k < count; ++k) {
      if (r.index[r.start + k] != row.rest) continue;
      const AxisBins<T> down = bins_down(s, k, r.weights, r.numbers);
      const AxisBins<T> across = bins_across(s, k, r.weights, r.numbers);
      for (int64_t i = 0; i < s.rows; ++i) {
        T h;
        if (!reads(down, i, row.at, h)) continue;
        for (int64_t j = 0; j < s.columns; ++j) {
          T w;
          if (!reads(across, j, column.at, w)) continue;
          const Pack<T, N> d = load_pack<N>(dy + (((r.start + k) * s.rows + i) * s.columns + j) * s.channels + c.at);
          const T weight = h * w;
#pragma unroll
          for (int e = 0; e < N; ++e) sum[e] = fma(d[e], weight, sum[e]);
        }
      }
    }
    store_pack(dx + at, sum);
  }
};

/// f(regions, how many) for REGIONS_AT_A_TIME regions at a time, cut into bins; once where there are none.
template <class T, class F>
void each_regions(const RoiAlign& s, const T* boxes, const int64_t* index, Stream stream, F&& f) {
  const RegionMemory memory(s);
  const int64_t most = s.regions < REGIONS_AT_A_TIME ? s.regions : REGIONS_AT_A_TIME;
  const Scratch<T> weights(most * memory.weights, stream);
  const Scratch<int32_t> numbers(most * memory.numbers, stream);
  for (int64_t start = 0; start == 0 || start < s.regions; start += REGIONS_AT_A_TIME) {
    const int64_t left = s.regions - start, count = left < most ? left : most;
    const Regions<T> regions{s, start, boxes, index, weights.data(), numbers.data()};
    each(2 * count, stream, Cut<T>{regions});
    f(regions, count);
  }
}

}  // namespace roi_align_op
using namespace roi_align_op;

template <class T>
void roi_align_forward(const RoiAlign& s, const T* x, const T* boxes, const int64_t* index, T* y, Stream stream) {
  const int64_t size = s.rows * s.columns * s.channels;
  each_regions(s, boxes, index, stream, [&](const Regions<T>& regions, int64_t count) {
    each_pack<T>(count * size, packs_fit<T>(s.channels, x, y), stream,
                 Forward<T>{regions, x, y + regions.start * size});
  });
}

template <class T>
void roi_align_backward(const RoiAlign& s, const T* dy, const T* boxes, const int64_t* index, T* dx, Stream stream) {
  each_regions(s, boxes, index, stream, [&](const Regions<T>& regions, int64_t count) {
    each_pack<T>(s.images * s.height * s.width * s.channels, packs_fit<T>(s.channels, dy, dx), stream,
                 Backward<T>{regions, count, dy, dx});
  });
}

template void roi_align_forward(const RoiAlign&, const float*, const float*, const int64_t*, float*, Stream);
template void roi_align_forward(const RoiAlign&, const double*, const double*, const int64_t*, double*, Stream);
template void roi_align_backward(const RoiAlign&, const float*, const float*, const int64_t*, float*, Stream);
template void roi_align_backward(const RoiAlign&, const double*, const double*, const int64_t*, double*, Stream);

}  // namespace lamina::cuda
