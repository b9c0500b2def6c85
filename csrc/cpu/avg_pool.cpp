#include "ops/avg_pool.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/windows.h"
#include "ops/gemm.h"  // CHAIN

namespace lamina {
namespace LAMINA_ISA {

/// Where a window is in x, and which part of it lies there: at x[first + kd * plane + kh * row + kw * C].
struct Window {
  Span kd, kh, kw;
  int64_t first, plane, row, C;
};

/// 1 / the elements that a window divides by.
template <class T>
INLINE T scale_of(const Pool& s, bool count_padding, Span kd, Span kh, Span kw) {
  return T(1) / T(count_padding ? s.places() : kd.size() * kh.size() * kw.size());
}

/// The sum over a window, in chains of CHAIN.
template <class T, class M>
INLINE V<T> window_sum(const Window& s, Span kd, Span kh, Span kw, const T* x, int64_t c, M mask) {
  const T* const from = x + (s.first + c);
  V<T> total = zero<T>(), chain = zero<T>();
  const bool cut = kd.size() * kh.size() * kw.size() > CHAIN;
  int64_t length = 0;
  for (int64_t k = kd.begin; k < kd.end; ++k)
    for (int64_t i = kh.begin; i < kh.end; ++i)
      for (int64_t j = kw.begin; j < kw.end; ++j) {
        chain = chain + load(from + (k * s.plane + i * s.row + j * s.C), mask);
        if (cut && ++length == CHAIN) {
          total = total + chain;
          chain = zero<T>();
          length = 0;
        }
      }
  return cut ? total + chain : chain;
}

/// The same for GROUP whole vectors of channels side by side: memory is read in longer pieces.
template <int GROUP, class T>
INLINE void window_sums(const Window& s, const T* x, int64_t c, V<T>* total) {
  const T* const from = x + (s.first + c);
  V<T> chain[GROUP];
  unroll<GROUP>([&](auto g) INLINE_LAMBDA { total[g] = chain[g] = zero<T>(); });
  const bool cut = s.kd.size() * s.kh.size() * s.kw.size() > CHAIN;
  const auto close = [&] INLINE_LAMBDA {
    unroll<GROUP>([&](auto g) INLINE_LAMBDA {
      total[g] = cut ? total[g] + chain[g] : chain[g];
      chain[g] = zero<T>();
    });
  };
  int64_t length = 0;
  for (int64_t k = s.kd.begin; k < s.kd.end; ++k)
    for (int64_t i = s.kh.begin; i < s.kh.end; ++i)
      for (int64_t j = s.kw.begin; j < s.kw.end; ++j) {
        const T* const at = from + (k * s.plane + i * s.row + j * s.C);
        unroll<GROUP>([&](auto g) INLINE_LAMBDA { chain[g] = chain[g] + load(at + g * lanes<T>); });
        if (cut && ++length == CHAIN) {
          close();
          length = 0;
        }
      }
  close();
}

/// One row of outputs. KD, KH, KW: the window's size, or 0 for any.
template <int KD, int KH, int KW, class T>
INLINE void avg_row(const Pool& s, bool count_padding, int64_t r, bool past_caches, const T* x, T* y) {
  const int64_t C = s.channels, H = s.h.axis.input, W = s.w.axis.input;
  const RowPlace at = row_place(r, s.d.outputs, s.h.outputs);
  Window window{places_inside(s.d, at.d), places_inside(s.h, at.h), {}, 0, H * W * C, W * C, C};
  const int64_t top = ((at.n * s.d.axis.input + s.d.start(at.d)) * H + s.h.start(at.h)) * W;
  for (int64_t ow = 0; ow < s.w.outputs; ++ow) {
    window.kw = places_inside(s.w, ow);
    window.first = (top + s.w.start(ow)) * C;
    T* const to = y + (r * s.w.outputs + ow) * C;
    const V<T> scale = set(scale_of<T>(s, count_padding, window.kd, window.kh, window.kw));
    const bool whole_window = KD > 0 && window.kd.size() == KD && window.kh.size() == KH && window.kw.size() == KW;
    const auto put = [&](int64_t c, auto mask, V<T> sum) INLINE_LAMBDA {
      past_caches ? stream(to + c, sum * scale) : store(to + c, sum * scale, mask);
    };
    if (whole_window) {
      each_vector<T>(C, [&](int64_t c, auto mask) INLINE_LAMBDA {
        put(c, mask, window_sum<T>(window, {0, KD}, {0, KH}, {0, KW}, x, c, mask));
      });
      continue;
    }
    int64_t done = 0;
    if constexpr (KD == 0) {
      constexpr int GROUP = 4;
      for (; done + GROUP * lanes<T> <= C; done += GROUP * lanes<T>) {
        V<T> sums[GROUP];
        window_sums<GROUP>(window, x, done, sums);
        unroll<GROUP>([&](auto g) INLINE_LAMBDA { put(done + g * lanes<T>, All{}, sums[g]); });
      }
    }
    each_vector<T>(C - done, [&](int64_t c, auto mask) INLINE_LAMBDA {
      put(done + c, mask, window_sum<T>(window, window.kd, window.kh, window.kw, x, done + c, mask));
    });
  }
}

/// A window that holds a pixel: where its outputs are, and their share in dx.
template <class T>
struct Share {
  int64_t from;
  T scale;
};

/// One row of dx. windows: room for the windows that hold one pixel.
template <class T>
INLINE void avg_row_backward(const Pool& s, bool count_padding, int64_t r, bool past_caches, const T* dy, T* dx,
                             Share<T>* windows) {
  const int64_t C = s.channels;
  const RowPlace at = row_place(r, s.d.axis.input, s.h.axis.input);
  const Span over_d = windows_over(s.d, at.d), over_h = windows_over(s.h, at.h);
  WalkingSpan over_w(s.w);
  int64_t count = 0;
  for (int64_t w = 0; w < s.w.axis.input; ++w) {
    const Span before{over_w.begin, over_w.end};
    over_w.reach(w);
    T* const to = dx + (r * s.w.axis.input + w) * C;
    if (w == 0 || before.begin != over_w.begin || before.end != over_w.end) {  // neighbours often share their windows
      count = 0;
      for (int64_t od = over_d.begin; od < over_d.end; ++od)
        for (int64_t oh = over_h.begin; oh < over_h.end; ++oh)
          for (int64_t ow = over_w.begin; ow < over_w.end; ++ow)
            windows[count++] = {
                (((at.n * s.d.outputs + od) * s.h.outputs + oh) * s.w.outputs + ow) * C,
                scale_of<T>(s, count_padding, places_inside(s.d, od), places_inside(s.h, oh), places_inside(s.w, ow))};
    }
    const auto gather = [&](auto number) INLINE_LAMBDA {
      each_vector<T>(C, [&](int64_t c, auto mask) INLINE_LAMBDA {
        V<T> sum = zero<T>();
        for (int64_t i = 0; i < number; ++i)
          sum = fma(load(dy + windows[i].from + c, mask), set(windows[i].scale), sum);
        past_caches ? stream(to + c, sum) : store(to + c, sum, mask);
      });
    };
    count == 1 ? gather(Int<1>{}) : gather(count);
  }
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void avg_pool_forward(const Pool& s, bool count_padding, const T* x, T* y) {
  const int64_t rows = s.batch * s.d.outputs * s.h.outputs;
  const bool past_caches = stream_rows(y, rows * s.w.outputs, s.channels);
  const double work = 0.1 * double(s.places()) * double(s.w.outputs * max_of(s.channels, 8));
  parallel_for(rows, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    const Pool own = s;  // stores to y could change s, for all that the compiler knows
    const auto run = [&](auto kd, auto kh, auto kw) INLINE_LAMBDA {
      for (int64_t r = begin; r < end; ++r) avg_row<kd, kh, kw>(own, count_padding, r, past_caches, x, y);
    };
    const auto is = [&](int64_t kd, int64_t kh, int64_t kw) INLINE_LAMBDA {
      return s.d.axis.kernel == kd && s.h.axis.kernel == kh && s.w.axis.kernel == kw;
    };
    if (is(1, 2, 2))
      run(Int<1>{}, Int<2>{}, Int<2>{});
    else if (is(1, 3, 3))
      run(Int<1>{}, Int<3>{}, Int<3>{});
    else if (is(2, 2, 2))
      run(Int<2>{}, Int<2>{}, Int<2>{});
    else
      run(Int<0>{}, Int<0>{}, Int<0>{});
    stream_fence();
  });
}

template <class Target, class T>
void avg_pool_backward(const Pool& s, bool count_padding, const T* dy, T* dx) {
  const int64_t rows = s.batch * s.d.axis.input * s.h.axis.input;
  const int64_t most = most_windows(s.d) * most_windows(s.h) * most_windows(s.w);
  const bool past_caches = stream_rows(dx, rows * s.w.axis.input, s.channels);
  const double work = 0.15 * double(most) * double(s.w.axis.input * max_of(s.channels, 8));
  parallel_for(rows, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    Share<T>* const windows = scratch_for<Share<T>>(Slot::worker, most);
    const Pool own = s;
    for (int64_t r = begin; r < end; ++r) avg_row_backward(own, count_padding, r, past_caches, dy, dx, windows);
    stream_fence();
  });
}

template void avg_pool_forward<Target>(const Pool&, bool, const float*, float*);
DOUBLE template void avg_pool_forward<Target>(const Pool&, bool, const double*, double*);
template void avg_pool_backward<Target>(const Pool&, bool, const float*, float*);
DOUBLE template void avg_pool_backward<Target>(const Pool&, bool, const double*, double*);

}  // namespace lamina
