#include "ops/roi_align.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/elementwise.h"
#include "support/roi_align.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr int64_t GROUP = 4;                 // vectors of channels at a time
constexpr int64_t REGIONS_AT_A_TIME = 1024;  // bounds the memory of their bins

/// f(c, mask, Int<vectors>{}) for the channels: groups of vectors, then single ones.
template <class T, class F>
INLINE void each_group(int64_t channels, F&& f) {
  int64_t c = 0;
  for (; c + GROUP * lanes<T> <= channels; c += GROUP * lanes<T>) f(c, All{}, Int<GROUP>{});
  each_vector<T>(channels - c, [&](int64_t i, auto mask) INLINE_LAMBDA { f(c + i, mask, Int<1>{}); });
}

template <class T>
OUT_OF_LINE void cut_region(const RoiAlign& s, const T* box, int64_t region, T* weights, int32_t* numbers) {
  cut(s, box[1], box[3], s.height, s.rows, bins_down(s, region, weights, numbers));
  cut(s, box[0], box[2], s.width, s.columns, bins_across(s, region, weights, numbers));
}

/// y = the sum over the pixels of bin (i, j) in an image.
template <class T>
INLINE void read_bin(const RoiAlign& s, const AxisBins<T>& down, const AxisBins<T>& across, int64_t i, int64_t j,
                     const T* image, T* y) {
  const int32_t rows = down.count(i), columns = across.count(j);
  const T *const h = down.weight + down.begin[i], *const w = across.weight + across.begin[j];
  const T* const corner = image + (down.first[i] * s.width + across.first[j]) * s.channels;
  each_group<T>(s.channels, [&](int64_t c, auto mask, auto vectors) INLINE_LAMBDA {
    V<T> sum[vectors];
    unroll<vectors>([&](auto v) INLINE_LAMBDA { sum[v] = zero<T>(); });
    for (int32_t r = 0; r < rows; ++r)
      for (int32_t q = 0; q < columns; ++q) {
        const T* const from = corner + (r * s.width + q) * s.channels + c;
        const V<T> weight = set(h[r] * w[q]);
        unroll<vectors>([&](auto v) INLINE_LAMBDA { sum[v] = fma(load(from + v * lanes<T>, mask), weight, sum[v]); });
      }
    unroll<vectors>([&](auto v) INLINE_LAMBDA { store(y + c + v * lanes<T>, sum[v], mask); });
  });
}

/// Adds bin (i, j)'s gradient to its pixels in rows [top, bottom) of an image.
template <class T>
INLINE void add_bin(const RoiAlign& s, const AxisBins<T>& down, const AxisBins<T>& across, int64_t i, int64_t j,
                    int64_t top, int64_t bottom, const T* dy, T* image) {
  const int64_t first = max_of(down.first[i], top), end = min_of(down.first[i] + down.count(i), bottom);
  const int32_t columns = across.count(j);
  const T *const h = down.weight + down.begin[i] - down.first[i], *const w = across.weight + across.begin[j];
  if (first >= end) return;
  each_group<T>(s.channels, [&](int64_t c, auto mask, auto vectors) INLINE_LAMBDA {
    V<T> d[vectors];
    unroll<vectors>([&](auto v) INLINE_LAMBDA { d[v] = load(dy + c + v * lanes<T>, mask); });
    for (int64_t r = first; r < end; ++r)
      for (int32_t q = 0; q < columns; ++q) {
        T* const to = image + (r * s.width + across.first[j] + q) * s.channels + c;
        const V<T> weight = set(h[r] * w[q]);
        unroll<vectors>([&](auto v) INLINE_LAMBDA {
          store(to + v * lanes<T>, fma(d[v], weight, load(to + v * lanes<T>, mask)), mask);
        });
      }
  });
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void roi_align_forward(const RoiAlign& shape, const T* x, const T* boxes, const int64_t* index, T* y) {
  const int64_t bins = shape.rows * shape.columns;
  const double work = double(bins) * (20 + double(shape.channels));
  parallel_for(shape.regions, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    const RoiAlign s = shape;
    const RegionMemory memory(s);
    T* const weights = scratch_for<T>(Slot::worker, memory.weights);
    auto* const numbers = scratch_for<int32_t>(Slot::worker2, memory.numbers);
    const AxisBins<T> down = bins_down(s, 0, weights, numbers), across = bins_across(s, 0, weights, numbers);
    for (int64_t k = begin; k < end; ++k) {
      cut_region(s, boxes + 4 * k, 0, weights, numbers);
      const T* const image = x + index[k] * s.height * s.width * s.channels;
      for (int64_t o = 0; o < bins; ++o)
        read_bin(s, down, across, o / s.columns, o % s.columns, image, y + (k * bins + o) * s.channels);
    }
  });
}

template <class Target, class T>
void roi_align_backward(const RoiAlign& shape, const T* dy, const T* boxes, const int64_t* index, T* dx) {
  // A task is a band of rows of one image: it goes through all regions and adds what falls on it.
  const int64_t bins = shape.rows * shape.columns;
  const int64_t bands = max_of(1, min_of(shape.height, ceil_div(2 * num_threads(), max_of(1, shape.images))));
  const int64_t band = ceil_div(shape.height, bands);
  const RegionMemory memory(shape);
  const int64_t most = min_of(shape.regions, REGIONS_AT_A_TIME);
  T* const weights = scratch_for<T>(Slot::caller, most * memory.weights);
  auto* const numbers = scratch_for<int32_t>(Slot::caller2, most * memory.numbers);
  for (int64_t start = 0; start == 0 || start < shape.regions; start += REGIONS_AT_A_TIME) {
    const int64_t count = min_of(shape.regions - start, REGIONS_AT_A_TIME);
    parallel_for(count, 500, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      for (int64_t k = begin; k < end; ++k) cut_region(shape, boxes + 4 * (start + k), k, weights, numbers);
    });
    const double work = double(count * bins) * (20 + 4 * double(shape.channels)) / double(bands);
    parallel_for(shape.images * bands, max_of(work, 1e4), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      const RoiAlign s = shape;
      for (int64_t task = begin; task < end; ++task) {
        const int64_t n = task / bands, top = task % bands * band, bottom = min_of(top + band, s.height);
        if (top >= bottom) continue;
        T* const image = dx + n * s.height * s.width * s.channels;
        const int64_t row = s.width * s.channels;
        if (start == 0) std::memset(image + top * row, 0, size_t((bottom - top) * row) * sizeof(T));
        for (int64_t k = 0; k < count; ++k) {
          if (index[start + k] != n) continue;
          const AxisBins<T> down = bins_down(s, k, weights, numbers), across = bins_across(s, k, weights, numbers);
          for (int64_t o = 0; o < bins; ++o)
            add_bin(s, down, across, o / s.columns, o % s.columns, top, bottom,
                    dy + ((start + k) * bins + o) * s.channels, image);
        }
      }
    });
  }
}

template void roi_align_forward<Target>(const RoiAlign&, const float*, const float*, const int64_t*, float*);
DOUBLE template void roi_align_forward<Target>(const RoiAlign&, const double*, const double*, const int64_t*, double*);
template void roi_align_backward<Target>(const RoiAlign&, const float*, const float*, const int64_t*, float*);
DOUBLE template void roi_align_backward<Target>(const RoiAlign&, const double*, const double*, const int64_t*, double*);

}  // namespace lamina
