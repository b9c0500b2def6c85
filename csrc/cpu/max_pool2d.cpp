#include "ops/max_pool2d.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/windows.h"

namespace lamina {
namespace LAMINA_ISA {

/// Whole numbers ride in vectors of T as bits, so that one mask selects values and places alike.
template <class T>
INLINE V<T> place_of(int64_t place) {
  return from_bits(whole<T>(place));
}

template <class T>
struct Winner {
  V<T> value, place;
};

/// Any window, or the part of it that lies on x: at x[first + kh * row + kw * C].
template <class T, class M>
INLINE Winner<T> seek(Span kh, Span kw, int64_t kernel_w, const T* x, int64_t first, int64_t row, int64_t C, M mask) {
  Winner<T> best{load(x + (first + kh.begin * row + kw.begin * C), mask), place_of<T>(kh.begin * kernel_w + kw.begin)};
  for (int64_t i = kh.begin; i < kh.end; ++i)
    for (int64_t j = kw.begin; j < kw.end; ++j) {
      const V<T> v = load(x + (first + i * row + j * C), mask);
      const Mask<T> wins = less(best.value, v) | unordered(v, v);
      best.value = select(wins, v, best.value);
      best.place = select(wins, place_of<T>(i * kernel_w + j), best.place);
    }
  return best;
}

/// A whole window of a size known here: one comparison a value, and NaNs sought two values at a time.
template <int KH, int KW, class T, class M>
INLINE Winner<T> seek_whole(const T* x, int64_t first, int64_t row, int64_t C, M mask) {
  V<T> previous = load(x + first, mask);
  Winner<T> best{previous, place_of<T>(0)};
  Mask<T> nan = unordered(previous, previous);
  unroll<KH * KW - 1>([&](auto i) INLINE_LAMBDA {
    constexpr int place = decltype(i){} + 1;
    const V<T> v = load(x + (first + place / KW * row + place % KW * C), mask);
    if constexpr (place % 2 == 0) nan = nan | unordered(v, previous);
    if constexpr (place % 2 == 1 && place == KH * KW - 1) nan = nan | unordered(v, v);
    best.place = select(less(best.value, v), place_of<T>(place), best.place);
    best.value = max(v, best.value);
    previous = v;
  });
  return any(nan) ? seek({0, KH}, {0, KW}, KW, x, first, row, C, mask) : best;
}

/// One row of outputs. KH, KW: the window's size, or 0 for any.
template <int KH, int KW, class T, class Offset>
INLINE void max_row(const Pool2D& s, int64_t n, int64_t oh, bool past_caches, const T* x, T* y, Offset* offsets) {
  const int64_t C = s.channels, row = s.w.input * C, outputs_w = s.w.output();
  const Span kh = places_inside(s.h, oh);
  const int64_t top = (n * s.h.input + oh * s.h.stride - s.h.before) * row;
  for (int64_t ow = 0; ow < outputs_w; ++ow) {
    const Span kw = places_inside(s.w, ow);
    const int64_t first = top + (ow * s.w.stride - s.w.before) * C;
    const int64_t to = ((n * s.h.output() + oh) * outputs_w + ow) * C;
    const bool whole_window = kh.size() == KH && kw.size() == KW;
    each_vector<T>(C, [&](int64_t c, auto mask) INLINE_LAMBDA {
      Winner<T> best;
      if constexpr (KH > 0)
        best = whole_window ? seek_whole<KH, KW>(x, first + c, row, C, mask)
                            : seek(kh, kw, KW, x, first + c, row, C, mask);
      else
        best = seek(kh, kw, s.w.kernel, x, first + c, row, C, mask);
      past_caches ? stream(y + to + c, best.value) : store(y + to + c, best.value, mask);
      if (offsets) narrow(offsets + to + c, bits(best.place), C - c);
    });
  }
}

/// One row of dx. windows: room for the windows that hold one pixel.
struct Holder {
  int64_t from, place;  // where its outputs are, and which of its places the pixel is
};

template <class T, class Offset>
INLINE void max_row_backward(const Pool2D& s, int64_t n, int64_t h, bool past_caches, const T* dy,
                             const Offset* offsets, T* dx, Holder* windows) {
  const int64_t C = s.channels, outputs_w = s.w.output(), outputs_h = s.h.output();
  const Span over_h = windows_over(s.h, outputs_h, h);
  for (int64_t w = 0; w < s.w.input; ++w) {
    const Span over_w = windows_over(s.w, outputs_w, w);
    int64_t count = 0;
    for (int64_t oh = over_h.begin; oh < over_h.end; ++oh)
      for (int64_t ow = over_w.begin; ow < over_w.end; ++ow)
        windows[count++] = {((n * outputs_h + oh) * outputs_w + ow) * C,
                            (h + s.h.before - oh * s.h.stride) * s.w.kernel + w + s.w.before - ow * s.w.stride};
    T* const to = dx + ((n * s.h.input + h) * s.w.input + w) * C;
    const auto gather = [&](auto windows_here) INLINE_LAMBDA {
      each_vector<T>(C, [&](int64_t c, auto mask) INLINE_LAMBDA {
        V<T> sum = zero<T>();
        for (int64_t i = 0; i < windows_here; ++i) {
          const int64_t from = windows[i].from + c;
          const Mask<T> won = equal(widen<T>(offsets + from, C - c), whole<T>(windows[i].place));
          sum = select(won, sum + load(dy + from, mask), sum);
        }
        past_caches ? stream(to + c, sum) : store(to + c, sum, mask);
      });
    };
    if (count == 1)
      gather(Int<1>{});
    else if (count == 2)
      gather(Int<2>{});
    else
      gather(count);
  }
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T, class Offset>
void max_pool2d_forward(const Pool2D& s, const T* x, T* y, Offset* offsets) {
  const int64_t outputs_h = s.h.output(), rows = s.batch * outputs_h;
  const bool past_caches = stream_pixels(y, rows * s.w.output(), s.channels);
  const double work = 0.1 * double(s.h.kernel * s.w.kernel) * double(s.w.output() * max_of(s.channels, 8));
  parallel_for(rows, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    const auto run = [&](auto kh, auto kw) INLINE_LAMBDA {
      for (int64_t r = begin; r < end; ++r)
        max_row<kh, kw>(s, r / outputs_h, r % outputs_h, past_caches, x, y, offsets);
    };
    if (sizeof(Offset) > 1)
      run(Int<0>{}, Int<0>{});
    else if (s.h.kernel == 2 && s.w.kernel == 2)
      run(Int<2>{}, Int<2>{});
    else if (s.h.kernel == 3 && s.w.kernel == 3)
      run(Int<3>{}, Int<3>{});
    else
      run(Int<0>{}, Int<0>{});
    stream_fence();
  });
}

template <class Target, class T, class Offset>
void max_pool2d_backward(const Pool2D& s, const T* dy, const Offset* offsets, T* dx) {
  const int64_t rows = s.batch * s.h.input;
  const int64_t most = most_windows(s.h, s.h.output()) * most_windows(s.w, s.w.output());
  const bool past_caches = stream_pixels(dx, rows * s.w.input, s.channels);
  const double work = 0.2 * double(most) * double(s.w.input * max_of(s.channels, 8));
  parallel_for(rows, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    Holder* const windows = scratch_for<Holder>(Slot::worker, most);
    for (int64_t r = begin; r < end; ++r)
      max_row_backward(s, r / s.h.input, r % s.h.input, past_caches, dy, offsets, dx, windows);
    stream_fence();
  });
}

template void max_pool2d_forward<Target>(const Pool2D&, const float*, float*, uint8_t*);
template void max_pool2d_backward<Target>(const Pool2D&, const float*, const uint8_t*, float*);
template void max_pool2d_forward<Target>(const Pool2D&, const float*, float*, int32_t*);
template void max_pool2d_backward<Target>(const Pool2D&, const float*, const int32_t*, float*);
template void max_pool2d_forward<Target>(const Pool2D&, const double*, double*, uint8_t*);
template void max_pool2d_backward<Target>(const Pool2D&, const double*, const uint8_t*, double*);
template void max_pool2d_forward<Target>(const Pool2D&, const double*, double*, int32_t*);
template void max_pool2d_backward<Target>(const Pool2D&, const double*, const int32_t*, double*);

}  // namespace lamina
