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
INLINE void max_row(const Pool2D& s, int64_t r, bool past_caches, const T* x, T* y, Offset* offsets) {
  const int64_t C = s.channels, row = s.w.input * C, outputs_w = s.w.output(), outputs_h = s.h.output();
  const int64_t n = r / outputs_h, oh = r % outputs_h;
  const Span kh = places_inside(s.h, oh);
  const int64_t top = (n * s.h.input + oh * s.h.stride - s.h.before) * row;
  for (int64_t ow = 0; ow < outputs_w; ++ow) {
    const Span kw = places_inside(s.w, ow);
    const int64_t first = top + (ow * s.w.stride - s.w.before) * C;
    const int64_t to = (r * outputs_w + ow) * C;
    const auto each = [&](auto find) INLINE_LAMBDA {
      each_vector<T>(C, [&](int64_t c, auto mask) INLINE_LAMBDA {
        const Winner<T> best = find(c, mask);
        past_caches ? stream(y + to + c, best.value) : store(y + to + c, best.value, mask);
        if (offsets) narrow(offsets + to + c, bits(best.place), lanes_of<T>(mask, C - c));
      });
    };
    if (KH > 0 && kh.size() == KH && kw.size() == KW)
      each([&](int64_t c, auto mask) INLINE_LAMBDA { return seek_whole<KH, KW>(x, first + c, row, C, mask); });
    else
      each([&](int64_t c, auto mask)
               INLINE_LAMBDA { return seek(kh, kw, KW > 0 ? KW : s.w.kernel, x, first + c, row, C, mask); });
  }
}

/// A window that holds a pixel: where its outputs are, and which of its places the pixel is.
struct Holder {
  int64_t from, place;
};

/// One row of dx. windows: room for the windows that hold one pixel.
template <class T, class Offset>
INLINE void max_row_backward(const Pool2D& s, int64_t r, bool past_caches, const T* dy, const Offset* offsets, T* dx,
                             Holder* windows) {
  const int64_t C = s.channels, outputs_w = s.w.output(), outputs_h = s.h.output();
  const int64_t n = r / s.h.input, h = r % s.h.input;
  const Span over_h = windows_over(s.h, outputs_h, h);
  WalkingSpan over_w(s.w, outputs_w);
  for (int64_t w = 0; w < s.w.input; ++w) {
    over_w.reach(w);
    T* const to = dx + (r * s.w.input + w) * C;
    const auto holder = [&](int64_t oh, int64_t ow) INLINE_LAMBDA {
      return Holder{((n * outputs_h + oh) * outputs_w + ow) * C,
                    (h + s.h.before - oh * s.h.stride) * s.w.kernel + w + s.w.before - ow * s.w.stride};
    };
    const auto gather = [&](auto count, auto window) INLINE_LAMBDA {
      each_vector<T>(C, [&](int64_t c, auto mask) INLINE_LAMBDA {
        V<T> sum = zero<T>();
        for (int64_t i = 0; i < count; ++i) {
          const Holder of = window(i);
          const Mask<T> won = matches<T>(offsets + of.from + c, of.place, lanes_of<T>(mask, C - c));
          sum = select(won, sum + load(dy + of.from + c, mask), sum);
        }
        past_caches ? stream(to + c, sum) : store(to + c, sum, mask);
      });
    };
    const int64_t high = over_h.size(), wide = over_w.end - over_w.begin;
    if (high <= 2 && wide <= 2 && high * wide > 0) {
      const Holder a = holder(over_h.begin, over_w.begin), b = holder(over_h.begin, over_w.end - 1);
      const Holder c = holder(over_h.end - 1, over_w.begin), d = holder(over_h.end - 1, over_w.end - 1);
      with_constant<2>(int(high), [&](auto rows) INLINE_LAMBDA {
        with_constant<2>(int(wide), [&](auto columns) INLINE_LAMBDA {
          gather(Int<rows * columns>{}, [&](int64_t i) INLINE_LAMBDA {
            return columns == 2 ? (i == 0 ? a : i == 1 ? b : i == 2 ? c : d) : (i == 0 ? a : d);
          });
        });
      });
    } else {
      int64_t count = 0;
      for (int64_t oh = over_h.begin; oh < over_h.end; ++oh)
        for (int64_t ow = over_w.begin; ow < over_w.end; ++ow) windows[count++] = holder(oh, ow);
      gather(count, [&](int64_t i) INLINE_LAMBDA { return windows[i]; });
    }
  }
}

/// Whether every place lies in at most one window: backward may then go window by window.
INLINE bool windows_apart(const Axis& axis) { return axis.stride >= axis.kernel && axis.before == 0; }

/// dx of the input rows of one row of windows that do not overlap, and of those up to the next row of windows.
template <class T, class Offset>
void spread_row(const Pool2D& s, int64_t row, bool past_caches, const T* dy, const Offset* offsets, T* dx) {
  const int64_t C = s.channels, H = s.h.input, W = s.w.input, OH = s.h.output(), OW = s.w.output();
  const int64_t n = row / OH, oh = row % OH, top = oh * s.h.stride, bottom = oh + 1 < OH ? top + s.h.stride : H;
  const auto put = [&](T* to, V<T> v, auto mask) INLINE_LAMBDA { past_caches ? stream(to, v) : store(to, v, mask); };
  T* const image = dx + n * H * W * C;
  for (int64_t ow = 0; ow < OW; ++ow) {
    const int64_t from = (row * OW + ow) * C, left = ow * s.w.stride, right = ow + 1 < OW ? left + s.w.stride : W;
    each_vector<T>(C, [&](int64_t c, auto mask) INLINE_LAMBDA {
      const V<T> d = zero<T>() + load(dy + from + c, mask);  // as a sum of one: -0 becomes 0
      for (int64_t h = top; h < bottom; ++h) {
        T* to = image + (h * W + left) * C + c;
        for (int64_t w = left; w < right; ++w, to += C) {
          const bool inside = h - top < s.h.kernel && w - left < s.w.kernel;
          const int64_t place = inside ? (h - top) * s.w.kernel + w - left : -1;
          const Mask<T> won = matches<T>(offsets + from + c, place, lanes_of<T>(mask, C - c));
          put(to, inside ? select(won, d, zero<T>()) : zero<T>(), mask);
        }
      }
    });
  }
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T, class Offset>
void max_pool2d_forward(const Pool2D& s, const T* x, T* y, Offset* offsets) {
  const int64_t rows = s.batch * s.h.output();
  const bool past_caches = stream_rows(y, rows * s.w.output(), s.channels);
  const double work = 0.1 * double(s.h.kernel * s.w.kernel) * double(s.w.output() * max_of(s.channels, 8));
  parallel_for(rows, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    const Pool2D own = s;  // stores to y could change s, for all that the compiler knows
    const auto run = [&](auto kh, auto kw) INLINE_LAMBDA {
      for (int64_t r = begin; r < end; ++r) max_row<kh, kw>(own, r, past_caches, x, y, offsets);
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
  const bool past_caches = stream_rows(dx, rows * s.w.input, s.channels);
  const double work = 0.2 * double(most) * double(s.w.input * max_of(s.channels, 8));
  if (windows_apart(s.h) && windows_apart(s.w)) {
    parallel_for(s.batch * s.h.output(), work * double(s.h.stride), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      const Pool2D own = s;
      for (int64_t r = begin; r < end; ++r) spread_row(own, r, past_caches, dy, offsets, dx);
      stream_fence();
    });
    return;
  }
  parallel_for(rows, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    Holder* const windows = scratch_for<Holder>(Slot::worker, most);
    const Pool2D own = s;
    for (int64_t r = begin; r < end; ++r) max_row_backward(own, r, past_caches, dy, offsets, dx, windows);
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
