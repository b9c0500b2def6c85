// Depthwise convolution without strips: each line of the source is read where it lies, once a kernel row, and serves
// all taps of that row from a register. For what conv2d_narrow.cpp computes too, with the same bits: which of the two
// runs may depend on anything.
//
// A register tile is X neighbouring positions, of one row or of two, x one vector of channels. Rows of the target are
// shared out; a row goes vector by vector of channels, so that memory is read in order.
#include "cpu/support/elementwise.h"
#include "cpu/support/gather.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr int64_t MOST_KERNEL_ROWS = 16;

/// One row of the target.
template <class T>
struct DepthwiseRow {
  const T* source[MOST_KERNEL_ROWS];             // the row under each kernel row; null: outside the image
  int64_t kernel_h, width, channels, positions;  // width: of the source; positions: of the target
  const T *weights, *bias;                       // weights: [vector of channels][kernel row][kernel column][lanes]
  bool relu, past_caches;
  T* target;
};

/// Positions [position, position + X) at channels [c, c + lanes); `column` is the first source column they see. Sums
/// run over kernel rows and columns in order; TURNED: the gradient, where that is from the last source column to the
/// first.
template <class T, int X, int KW, int STRIDE, bool TURNED>
void depthwise_tile(const DepthwiseRow<T>& row, int64_t position, int64_t column, int64_t c) {
  constexpr int L = lanes<T>, COLUMNS = STRIDE * (X - 1) + KW, AHEAD = 4 * L;
  const int64_t pitch = row.channels;
  const T* w = row.weights + c * row.kernel_h * KW;
  T* const y = row.target + position * pitch + c;
  V<T> sum[X];
  unroll<X>([&](auto x) INLINE_LAMBDA { sum[x] = zero<T>(); });
  if (!row.past_caches) unroll<X>([&](auto x) INLINE_LAMBDA { prefetch(y + x * pitch + AHEAD); });
  for (int64_t kh = 0; kh < row.kernel_h; ++kh, w += KW * L) {
    V<T> weight[KW];
    unroll<KW>([&](auto k) INLINE_LAMBDA { weight[k] = load(w + k * L); });
    const T* const line = row.source[kh];
    const int64_t begin = line ? -column : COLUMNS, end = line ? row.width - column : 0;
    const T* const from = line ? line + column * pitch + c : row.weights;  // read where line is not null
    const bool fresh = TURNED ? kh == 0 : kh + STRIDE >= row.kernel_h;     // no target row before this one has read it
    if (line && fresh)  // for the next tile; behind the last one of a row begins the row that is read next
      unroll<X * STRIDE>([&](auto i) INLINE_LAMBDA { prefetch_far(from + (COLUMNS + i) * pitch); });
    unroll<COLUMNS>([&](auto i) INLINE_LAMBDA {
      constexpr int place = TURNED ? COLUMNS - 1 - i : int(i);
      const V<T> v =
          place >= begin && place < end ? load(from + place * pitch) : zero<T>();  // padding is multiplied too
      unroll<X>([&](auto x) INLINE_LAMBDA {
        constexpr int tap = TURNED ? KW - 1 - (place - x) : place - STRIDE * x;
        if constexpr (tap >= 0 && tap < KW) sum[x] = fma(v, weight[tap], sum[x]);
      });
    });
  }
  const V<T> bias = row.bias ? load(row.bias + c) : zero<T>();
  unroll<X>([&](auto x) INLINE_LAMBDA {
    if (row.bias) sum[x] = sum[x] + bias;
    if (row.relu) sum[x] = max(zero<T>(), sum[x]);
    row.past_caches ? stream(y + x * pitch, sum[x]) : store(y + x * pitch, sum[x]);
  });
}

/// The same for a 3 x 3 kernel with strides 1 and two rows of the target: a source row that both see is read once for
/// both. source: the four rows, in the order of the kernel rows that meet them.
template <class T, int X, bool TURNED>
void depthwise_pair_tile(const DepthwiseRow<T>& row, int64_t position, int64_t column, int64_t c) {
  constexpr int L = lanes<T>, KW = 3, COLUMNS = X + 2, AHEAD = 4 * L;
  const int64_t pitch = row.channels, next_row = row.positions * pitch;
  T* const y = row.target + position * pitch + c;
  V<T> sum[2][X], weight[9];
  unroll<9>([&](auto k) INLINE_LAMBDA { weight[k] = load(row.weights + c * 9 + k * L); });
  unroll<2>([&](auto r) INLINE_LAMBDA {
    unroll<X>([&](auto x) INLINE_LAMBDA {
      sum[r][x] = zero<T>();
      if (!row.past_caches) prefetch(y + r * next_row + x * pitch + AHEAD);
    });
  });
  unroll<4>([&](auto s) INLINE_LAMBDA {
    const T* const line = row.source[s];
    const int64_t begin = line ? -column : COLUMNS, end = line ? row.width - column : 0;
    const T* const from = line ? line + column * pitch + c : row.weights;
    if (line && (TURNED ? s < 2 : s >= 2))
      unroll<X>([&](auto i) INLINE_LAMBDA { prefetch_far(from + (COLUMNS + i) * pitch); });
    unroll<COLUMNS>([&](auto i) INLINE_LAMBDA {
      constexpr int place = TURNED ? COLUMNS - 1 - i : int(i);
      const V<T> v = place >= begin && place < end ? load(from + place * pitch) : zero<T>();
      unroll<2>([&](auto r) INLINE_LAMBDA {
        // The first row to see the source is the first one, or the last.
        constexpr int kh = s - (TURNED ? 1 - r : int(r));
        unroll<X>([&](auto x) INLINE_LAMBDA {
          constexpr int tap = TURNED ? KW - 1 - (place - x) : place - x;
          if constexpr (kh >= 0 && kh < 3 && tap >= 0 && tap < KW) sum[r][x] = fma(v, weight[kh * 3 + tap], sum[r][x]);
        });
      });
    });
  });
  const V<T> bias = row.bias ? load(row.bias + c) : zero<T>();
  unroll<2>([&](auto r) INLINE_LAMBDA {
    unroll<X>([&](auto x) INLINE_LAMBDA {
      T* const to = y + r * next_row + x * pitch;
      if (row.bias) sum[r][x] = sum[r][x] + bias;
      if (row.relu) sum[r][x] = max(zero<T>(), sum[r][x]);
      row.past_caches ? stream(to, sum[r][x]) : store(to, sum[r][x]);
    });
  });
}

template <class T>
struct DepthwiseJob {
  View h, w;
  int64_t batch, channels;
  const T *source, *bias;
  bool relu;
  T* target;

  template <int X, int KW, int STRIDE, bool TURNED>
  void run(const T* weights) const {
    constexpr bool PAIRS = KW == 3 && STRIDE == 1 && REGISTERS == 32;  // else sums and weights have no room
    constexpr int64_t MOST_BYTES = int64_t(8) << 20;  // of the target: measured, from memory row by row is faster
    const int64_t bytes = batch * h.positions * w.positions * channels * int64_t(sizeof(T));
    const bool pairs = PAIRS && h.kernel == 3 && h.stride == 1 && h.dilation == 1 && bytes <= MOST_BYTES;
    const int64_t step = pairs ? 2 : 1, rows = ceil_div(h.positions, step), tiles = ceil_div(w.positions, X);
    const bool past_caches = sizeof(V<T>) == 64 && stream_rows(target, batch * h.positions * w.positions, channels);
    const double work = double(step * w.positions * channels * h.kernel * KW) / 25;
    parallel_for(batch * rows, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      DepthwiseRow<T> row{{}, h.kernel, w.source, channels, w.positions, weights, bias, relu, past_caches, nullptr};
      for (int64_t task = begin; task < end; ++task) {
        const int64_t image = task / rows, j = task % rows * step;
        const bool pair = pairs && j + 1 < h.positions;
        for (int64_t kh = 0; kh < h.kernel + pair; ++kh) {
          const int64_t place = h.low + j * h.stride + (TURNED ? h.offset(kh) + pair : h.offset(kh));
          const bool inside = place >= 0 && place < h.source;
          row.source[kh] = inside ? source + (image * h.source + place) * w.source * channels : nullptr;
        }
        row.target = target + (image * h.positions + j) * w.positions * channels;
        for (int64_t i = 0; i < tiles; ++i) {
          const int64_t position = min_of(i * X, w.positions - X);  // the last tile over part of the one before
          const int64_t column = w.low + position * STRIDE;
          for (int64_t c = 0; c < channels; c += lanes<T>) {
            if constexpr (PAIRS)
              if (pair) {
                depthwise_pair_tile<T, X, TURNED>(row, position, column, c);
                continue;
              }
            depthwise_tile<T, X, KW, STRIDE, TURNED>(row, position, column, c);
          }
        }
      }
      if (past_caches) stream_fence();
    });
  }

  /// w (KH, KW, 1, C) as DepthwiseRow wants it.
  const T* pack(const T* weights) const {
    const int64_t taps = h.kernel * w.kernel;
    T* const packed = scratch_for<T>(Slot::caller, taps * channels);
    T* to = packed;
    for (int64_t c = 0; c < channels; c += lanes<T>)
      for (int64_t tap = 0; tap < taps; ++tap, to += lanes<T>) store(to, load(weights + tap * channels + c));
    return packed;
  }

  template <int X, int KW>
  void choose(const T* weights) const {
    if (w.backward) return run<X, KW, 1, true>(weights);
    w.stride == 1 ? run<X, KW, 1, false>(weights) : run<X, KW, 2, false>(weights);
  }
  template <int X>
  void choose(const T* weights) const {
    if (w.kernel == 3) return choose<X, 3>(weights);
    w.kernel == 5 ? choose<X, 5>(weights) : choose<X, 7>(weights);
  }
};

/// Positions in a tile, 7 or 8: those that fill a row with the least to spare. 0: neither is worth it.
INLINE int depthwise_tile_size(const View& w) {
  constexpr int64_t WIDEST = 64;  // of the images: from 112 on strips are as fast or faster
  const int64_t positions = w.positions;
  if (w.source > WIDEST) return 0;
  const int64_t with_7 = round_up(positions, 7), with_8 = round_up(positions, 8);
  if (positions < 7 || 4 * min_of(with_7, with_8) > 5 * positions) return 0;
  return positions >= 8 && with_8 < with_7 ? 8 : 7;
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
bool depthwise(const Conv2D& s, bool backward, const T* source, const T* w, const T* bias, bool relu, T* target) {
  if constexpr (sizeof(T) == 4 && lanes<T> > 4) {  // float64 is for checks; without wide vectors an FMA may be a call
    const bool taken = s.groups == s.channels && s.groups == s.filters && s.channels % lanes<T> == 0 &&
                       s.h.kernel <= MOST_KERNEL_ROWS && s.w.dilation == 1 &&
                       (s.w.kernel == 3 || s.w.kernel == 5 || s.w.kernel == 7) &&
                       (backward ? s.h.stride == 1 && s.w.stride == 1 : s.w.stride <= 2);
    if (!taken) return false;
    DepthwiseJob<T> job{};
    job.h = backward ? backward_view(s.h) : forward_view(s.h);
    job.w = backward ? backward_view(s.w) : forward_view(s.w);
    job.batch = s.batch;
    job.channels = s.channels;
    job.source = source;
    job.bias = bias;
    job.relu = relu;
    job.target = target;
    const int size = depthwise_tile_size(job.w);
    if (size == 0) return false;
    size == 7 ? job.template choose<7>(job.pack(w)) : job.template choose<8>(job.pack(w));
    return true;
  }
  return false;
}

template bool depthwise<Target>(const Conv2D&, bool, const float*, const float*, const float*, bool, float*);
DOUBLE template bool depthwise<Target>(const Conv2D&, bool, const double*, const double*, const double*, bool, double*);

}  // namespace lamina
