#include "ops/max_pool.h"

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

/// Where a window is in x, and which part of it: at x[first + kd * plane + kh * row + kw * C].
struct Window {
  Span kd, kh, kw;
  int64_t kernel_h, kernel_w, first, plane, row, C;
};

/// Any window, or the part of it that lies on x.
template <class T, class M>
INLINE Winner<T> seek(const Window& s, const T* x, int64_t c, M mask) {
  const auto place = [&](int64_t k, int64_t i, int64_t j)
                         INLINE_LAMBDA { return (k * s.kernel_h + i) * s.kernel_w + j; };
  const T* const from = x + (s.first + c);
  Winner<T> best{load(from + (s.kd.begin * s.plane + s.kh.begin * s.row + s.kw.begin * s.C), mask),
                 place_of<T>(place(s.kd.begin, s.kh.begin, s.kw.begin))};
  for (int64_t k = s.kd.begin; k < s.kd.end; ++k)
    for (int64_t i = s.kh.begin; i < s.kh.end; ++i)
      for (int64_t j = s.kw.begin; j < s.kw.end; ++j) {
        const V<T> v = load(from + (k * s.plane + i * s.row + j * s.C), mask);
        const Mask<T> wins = less(best.value, v) | unordered(v, v);
        best.value = select(wins, v, best.value);
        best.place = select(wins, place_of<T>(place(k, i, j)), best.place);
      }
  return best;
}

/// For the windows that are rare: NaN inside, or at the border of x.
template <class T, class M>
[[gnu::noinline]] Winner<T> seek_rare(const Window& s, const T* x, int64_t c, M mask) {
  return seek<T>(s, x, c, mask);
}

/// A whole window of a size known here: one comparison a value, and NaNs sought two values at a time. Where there are
/// any, the result is not right.
template <int KD, int KH, int KW, class T, class M>
INLINE Winner<T> seek_whole(const Window& s, const T* x, int64_t c, M mask, bool& found_nan) {
  constexpr int PLACES = KD * KH * KW;
  const T* const from = x + (s.first + c);
  V<T> previous = load(from, mask);
  Winner<T> best{previous, place_of<T>(0)};
  Mask<T> nan = unordered(previous, previous);
  unroll<PLACES - 1>([&](auto i) INLINE_LAMBDA {
    constexpr int place = decltype(i){} + 1;
    const V<T> v = load(from + (place / (KH * KW) * s.plane + place / KW % KH * s.row + place % KW * s.C), mask);
    if constexpr (place % 2 == 0) nan = nan | unordered(v, previous);
    if constexpr (place % 2 == 1 && place == PLACES - 1) nan = nan | unordered(v, v);
    best.place = select(less(best.value, v), place_of<T>(place), best.place);
    best.value = max(v, best.value);
    previous = v;
  });
  found_nan |= any(nan);
  return best;
}

/// The same for GROUP whole vectors of channels side by side: memory is read in longer pieces.
template <int GROUP, class T>
INLINE void seek_group(const Window& s, const T* x, int64_t c, Winner<T>* best) {
  const T* const from = x + (s.first + c);
  int64_t place = (s.kd.begin * s.kernel_h + s.kh.begin) * s.kernel_w + s.kw.begin;
  const int64_t start = s.kd.begin * s.plane + s.kh.begin * s.row + s.kw.begin * s.C;
  unroll<GROUP>([&](auto g) INLINE_LAMBDA { best[g] = {load(from + start + g * lanes<T>), place_of<T>(place)}; });
  for (int64_t k = s.kd.begin; k < s.kd.end; ++k)
    for (int64_t i = s.kh.begin; i < s.kh.end; ++i) {
      place = (k * s.kernel_h + i) * s.kernel_w + s.kw.begin;
      for (int64_t j = s.kw.begin; j < s.kw.end; ++j, ++place) {
        const T* const at = from + (k * s.plane + i * s.row + j * s.C);
        const V<T> number = place_of<T>(place);
        unroll<GROUP>([&](auto g) INLINE_LAMBDA {
          const V<T> v = load(at + g * lanes<T>);
          const Mask<T> wins = less(best[g].value, v) | unordered(v, v);
          best[g] = {select(wins, v, best[g].value), select(wins, number, best[g].place)};
        });
      }
    }
}

/// One row of outputs. KD, KH, KW: the window's size, or 0 for any.
template <int KD, int KH, int KW, class T, class Offset>
INLINE void max_row(const Pool& s, int64_t r, bool past_caches, const T* x, T* y, Offset* offsets) {
  const int64_t C = s.channels, H = s.h.axis.input, W = s.w.axis.input;
  const RowPlace at = row_place(r, s.d.outputs, s.h.outputs);
  Window window{places_inside(s.d, at.d),
                places_inside(s.h, at.h),
                {},
                s.h.axis.kernel,
                KW > 0 ? KW : s.w.axis.kernel,
                0,
                H * W * C,
                W * C,
                C};
  const int64_t top = ((at.n * s.d.axis.input + s.d.start(at.d)) * H + s.h.start(at.h)) * W;
  for (int64_t ow = 0; ow < s.w.outputs; ++ow) {
    window.kw = places_inside(s.w, ow);
    window.first = (top + s.w.start(ow)) * C;
    const int64_t to = (r * s.w.outputs + ow) * C;
    const auto put = [&](int64_t c, auto mask, const Winner<T>& best) INLINE_LAMBDA {
      past_caches ? stream(y + to + c, best.value) : store(y + to + c, best.value, mask);
      if (offsets) narrow(offsets + to + c, bits(best.place), lanes_of<T>(mask, C - c));
    };
    if constexpr (KD > 0) {
      bool rare = !(window.kd.size() == KD && window.kh.size() == KH && window.kw.size() == KW);
      if (!rare) {
        each_vector<T>(C, [&](int64_t c, auto mask)
                              INLINE_LAMBDA { put(c, mask, seek_whole<KD, KH, KW, T>(window, x, c, mask, rare)); });
        if (rare) stream_fence();  // what is written again must be written later
      }
      if (rare)
        each_vector<T>(C, [&](int64_t c, auto mask) INLINE_LAMBDA { put(c, mask, seek_rare<T>(window, x, c, mask)); });
    } else {
      constexpr int GROUP = 4;
      int64_t done = 0;
      for (; done + GROUP * lanes<T> <= C; done += GROUP * lanes<T>) {
        Winner<T> best[GROUP];
        seek_group<GROUP>(window, x, done, best);
        unroll<GROUP>([&](auto g) INLINE_LAMBDA { put(done + g * lanes<T>, All{}, best[g]); });
      }
      each_vector<T>(C - done, [&](int64_t c, auto mask)
                                   INLINE_LAMBDA { put(done + c, mask, seek<T>(window, x, done + c, mask)); });
    }
  }
}

/// A window that holds a pixel: where its outputs are, and which of its places the pixel is.
struct Holder {
  int64_t from, place;
};

/// One row of dx. windows: room for the windows that hold one pixel.
template <class T, class Offset>
INLINE void max_row_backward(const Pool& s, int64_t r, bool past_caches, const T* dy, const Offset* offsets, T* dx,
                             Holder* windows) {
  const int64_t C = s.channels;
  const RowPlace at = row_place(r, s.d.axis.input, s.h.axis.input);
  const Span over_d = windows_over(s.d, at.d), over_h = windows_over(s.h, at.h);
  WalkingSpan over_w(s.w);
  for (int64_t w = 0; w < s.w.axis.input; ++w) {
    over_w.reach(w);
    T* const to = dx + (r * s.w.axis.input + w) * C;
    const auto holder = [&](int64_t od, int64_t oh, int64_t ow) INLINE_LAMBDA {
      const int64_t kd = at.d - s.d.start(od), kh = at.h - s.h.start(oh), kw = w - s.w.start(ow);
      return Holder{(((at.n * s.d.outputs + od) * s.h.outputs + oh) * s.w.outputs + ow) * C,
                    (kd * s.h.axis.kernel + kh) * s.w.axis.kernel + kw};
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
    if (over_d.size() == 1 && high <= 2 && wide <= 2 && high * wide > 0) {
      const int64_t od = over_d.begin;
      const Holder a = holder(od, over_h.begin, over_w.begin), b = holder(od, over_h.begin, over_w.end - 1);
      const Holder c = holder(od, over_h.end - 1, over_w.begin), d = holder(od, over_h.end - 1, over_w.end - 1);
      with_constant<2>(int(high), [&](auto rows) INLINE_LAMBDA {
        with_constant<2>(int(wide), [&](auto columns) INLINE_LAMBDA {
          gather(Int<rows * columns>{}, [&](int64_t i) INLINE_LAMBDA {
            return columns == 2 ? (i == 0 ? a : i == 1 ? b : i == 2 ? c : d) : (i == 0 ? a : d);
          });
        });
      });
    } else {
      int64_t count = 0;
      for (int64_t od = over_d.begin; od < over_d.end; ++od)
        for (int64_t oh = over_h.begin; oh < over_h.end; ++oh)
          for (int64_t ow = over_w.begin; ow < over_w.end; ++ow) windows[count++] = holder(od, oh, ow);
      gather(count, [&](int64_t i) INLINE_LAMBDA { return windows[i]; });
    }
  }
}

/// Whether every place lies in at most one window: backward may then go window by window.
INLINE bool windows_apart(const PoolAxis& axis) {
  return !axis.adaptive && axis.axis.stride >= axis.axis.kernel && axis.axis.before == 0;
}

/// The places of window o, and those after it up to the next window (or the end).
INLINE Span territory(const PoolAxis& axis, int64_t o) {
  return {axis.start(o), o + 1 < axis.outputs ? axis.start(o + 1) : axis.axis.input};
}

/// dx of the input rows of one row of windows that do not overlap, and of those up to the next row of windows.
template <class T, class Offset>
void spread_row(const Pool& s, int64_t row, bool past_caches, const T* dy, const Offset* offsets, T* dx) {
  const int64_t C = s.channels, H = s.h.axis.input, W = s.w.axis.input;
  const int64_t KD = s.d.axis.kernel, KH = s.h.axis.kernel, KW = s.w.axis.kernel;
  const RowPlace at = row_place(row, s.d.outputs, s.h.outputs);
  const Span deep = territory(s.d, at.d), high = territory(s.h, at.h);
  const auto put = [&](T* to, V<T> v, auto mask) INLINE_LAMBDA { past_caches ? stream(to, v) : store(to, v, mask); };
  T* const image = dx + at.n * s.d.axis.input * H * W * C;
  for (int64_t ow = 0; ow < s.w.outputs; ++ow) {
    const int64_t from = (row * s.w.outputs + ow) * C;
    const Span wide = territory(s.w, ow);
    each_vector<T>(C, [&](int64_t c, auto mask) INLINE_LAMBDA {
      const V<T> sum = zero<T>() + load(dy + from + c, mask);  // as a sum of one: -0 becomes 0
      for (int64_t d = 0; d < deep.size(); ++d)
        for (int64_t h = 0; h < high.size(); ++h) {
          T* to = image + (((deep.begin + d) * H + high.begin + h) * W + wide.begin) * C + c;
          for (int64_t w = 0; w < wide.size(); ++w, to += C) {
            const bool inside = d < KD && h < KH && w < KW;
            const int64_t place = inside ? (d * KH + h) * KW + w : -1;
            const Mask<T> won = matches<T>(offsets + from + c, place, lanes_of<T>(mask, C - c));
            put(to, inside ? select(won, sum, zero<T>()) : zero<T>(), mask);
          }
        }
    });
  }
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T, class Offset>
void max_pool_forward(const Pool& s, const T* x, T* y, Offset* offsets) {
  const int64_t rows = s.batch * s.d.outputs * s.h.outputs;
  const bool past_caches = stream_rows(y, rows * s.w.outputs, s.channels);
  const double work = 0.1 * double(s.places()) * double(s.w.outputs * max_of(s.channels, 8));
  parallel_for(rows, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    const Pool own = s;  // stores to y could change s, for all that the compiler knows
    const auto run = [&](auto kd, auto kh, auto kw) INLINE_LAMBDA {
      for (int64_t r = begin; r < end; ++r) max_row<kd, kh, kw>(own, r, past_caches, x, y, offsets);
    };
    const auto is = [&](int64_t kd, int64_t kh, int64_t kw) INLINE_LAMBDA {
      return s.d.axis.kernel == kd && s.h.axis.kernel == kh && s.w.axis.kernel == kw;
    };
    bool known = false;
    if constexpr (sizeof(Offset) == 1) {  // larger ones are for windows of more than 255 places
      known = is(1, 2, 2) || is(1, 3, 3) || is(2, 2, 2);
      if (is(1, 2, 2)) run(Int<1>{}, Int<2>{}, Int<2>{});
      if (is(1, 3, 3)) run(Int<1>{}, Int<3>{}, Int<3>{});
      if (is(2, 2, 2)) run(Int<2>{}, Int<2>{}, Int<2>{});
    }
    if (!known) run(Int<0>{}, Int<0>{}, Int<0>{});
    stream_fence();
  });
}

template <class Target, class T, class Offset>
void max_pool_backward(const Pool& s, const T* dy, const Offset* offsets, T* dx) {
  const int64_t rows = s.batch * s.d.axis.input * s.h.axis.input;
  const int64_t most = most_windows(s.d) * most_windows(s.h) * most_windows(s.w);
  const bool past_caches = stream_rows(dx, rows * s.w.axis.input, s.channels);
  const double work = 0.2 * double(most) * double(s.w.axis.input * max_of(s.channels, 8));
  constexpr int64_t LARGE = 64;  // windows from here on: by rows, so that memory is written in order
  if (s.places() < LARGE && windows_apart(s.d) && windows_apart(s.h) && windows_apart(s.w)) {
    parallel_for(s.batch * s.d.outputs * s.h.outputs, work * double(s.d.axis.stride * s.h.axis.stride),
                 [&](int64_t begin, int64_t end) INLINE_LAMBDA {
                   const Pool own = s;
                   for (int64_t r = begin; r < end; ++r) spread_row(own, r, past_caches, dy, offsets, dx);
                   stream_fence();
                 });
    return;
  }
  parallel_for(rows, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    Holder* const windows = scratch_for<Holder>(Slot::worker, most);
    const Pool own = s;
    for (int64_t r = begin; r < end; ++r) max_row_backward(own, r, past_caches, dy, offsets, dx, windows);
    stream_fence();
  });
}

template void max_pool_forward<Target>(const Pool&, const float*, float*, uint8_t*);
template void max_pool_backward<Target>(const Pool&, const float*, const uint8_t*, float*);
template void max_pool_forward<Target>(const Pool&, const float*, float*, int32_t*);
template void max_pool_backward<Target>(const Pool&, const float*, const int32_t*, float*);
DOUBLE template void max_pool_forward<Target>(const Pool&, const double*, double*, uint8_t*);
DOUBLE template void max_pool_backward<Target>(const Pool&, const double*, const uint8_t*, double*);
DOUBLE template void max_pool_forward<Target>(const Pool&, const double*, double*, int32_t*);
DOUBLE template void max_pool_backward<Target>(const Pool&, const double*, const int32_t*, double*);

}  // namespace lamina
