#include "ops/avg_pool2d.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/windows.h"
#include "ops/gemm.h"  // CHAIN

namespace lamina {
namespace LAMINA_ISA {

/// 1 / the elements that window (oh, ow) divides by.
template <class T>
INLINE T scale_of(const Pool2D& s, bool count_padding, int64_t oh, int64_t ow) {
  if (count_padding) return T(1) / T(s.h.kernel * s.w.kernel);
  return T(1) / T(places_inside(s.h, oh).size() * places_inside(s.w, ow).size());
}

/// The sum of x[first + kh * row + kw * C] over a window, in chains of CHAIN.
template <class T, class M>
INLINE V<T> window_sum(Span kh, Span kw, const T* x, int64_t first, int64_t row, int64_t C, M mask) {
  if (kh.size() * kw.size() <= CHAIN) {
    V<T> chain = zero<T>();
    for (int64_t i = kh.begin; i < kh.end; ++i)
      for (int64_t j = kw.begin; j < kw.end; ++j) chain = chain + load(x + (first + i * row + j * C), mask);
    return chain;
  }
  V<T> total = zero<T>(), chain = zero<T>();
  int64_t length = 0;
  for (int64_t i = kh.begin; i < kh.end; ++i)
    for (int64_t j = kw.begin; j < kw.end; ++j) {
      chain = chain + load(x + (first + i * row + j * C), mask);
      if (++length == CHAIN) {
        total = total + chain;
        chain = zero<T>();
        length = 0;
      }
    }
  return total + chain;
}

/// One row of outputs. KH, KW: the window's size, or 0 for any.
template <int KH, int KW, class T>
INLINE void avg_row(const Pool2D& s, bool count_padding, int64_t r, bool past_caches, const T* x, T* y) {
  const int64_t C = s.channels, row = s.w.input * C, outputs_w = s.w.output(), outputs_h = s.h.output();
  const int64_t n = r / outputs_h, oh = r % outputs_h;
  const Span kh = places_inside(s.h, oh);
  const int64_t top = (n * s.h.input + oh * s.h.stride - s.h.before) * row;
  for (int64_t ow = 0; ow < outputs_w; ++ow) {
    const Span kw = places_inside(s.w, ow);
    const int64_t first = top + (ow * s.w.stride - s.w.before) * C;
    T* const to = y + (r * outputs_w + ow) * C;
    const V<T> scale = set(scale_of<T>(s, count_padding, oh, ow));
    const bool whole_window = KH > 0 && kh.size() == KH && kw.size() == KW;
    each_vector<T>(C, [&](int64_t c, auto mask) INLINE_LAMBDA {
      const V<T> sum = whole_window ? window_sum({0, KH}, {0, KW}, x, first + c, row, C, mask)
                                    : window_sum(kh, kw, x, first + c, row, C, mask);
      past_caches ? stream(to + c, sum * scale) : store(to + c, sum * scale, mask);
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
INLINE void avg_row_backward(const Pool2D& s, bool count_padding, int64_t r, bool past_caches, const T* dy, T* dx,
                             Share<T>* windows) {
  const int64_t C = s.channels, outputs_w = s.w.output(), outputs_h = s.h.output();
  const int64_t n = r / s.h.input, h = r % s.h.input;
  const Span over_h = windows_over(s.h, outputs_h, h);
  WalkingSpan over_w(s.w, outputs_w);
  for (int64_t w = 0; w < s.w.input; ++w) {
    over_w.reach(w);
    T* const to = dx + (r * s.w.input + w) * C;
    const auto share = [&](int64_t oh, int64_t ow) INLINE_LAMBDA {
      return Share<T>{((n * outputs_h + oh) * outputs_w + ow) * C, scale_of<T>(s, count_padding, oh, ow)};
    };
    const auto gather = [&](auto count, auto window) INLINE_LAMBDA {
      each_vector<T>(C, [&](int64_t c, auto mask) INLINE_LAMBDA {
        V<T> sum = zero<T>();
        for (int64_t i = 0; i < count; ++i) {
          const Share<T> of = window(i);
          sum = fma(load(dy + of.from + c, mask), set(of.scale), sum);
        }
        past_caches ? stream(to + c, sum) : store(to + c, sum, mask);
      });
    };
    if (over_h.size() == 1 && over_w.end - over_w.begin == 1) {
      const Share<T> only = share(over_h.begin, over_w.begin);
      gather(Int<1>{}, [&](int64_t) INLINE_LAMBDA { return only; });
    } else {
      int64_t count = 0;
      for (int64_t oh = over_h.begin; oh < over_h.end; ++oh)
        for (int64_t ow = over_w.begin; ow < over_w.end; ++ow) windows[count++] = share(oh, ow);
      gather(count, [&](int64_t i) INLINE_LAMBDA { return windows[i]; });
    }
  }
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void avg_pool2d_forward(const Pool2D& s, bool count_padding, const T* x, T* y) {
  const int64_t rows = s.batch * s.h.output();
  const bool past_caches = stream_rows(y, rows * s.w.output(), s.channels);
  const double work = 0.1 * double(s.h.kernel * s.w.kernel) * double(s.w.output() * max_of(s.channels, 8));
  parallel_for(rows, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    const Pool2D own = s;  // stores to y could change s, for all that the compiler knows
    const auto run = [&](auto kh, auto kw) INLINE_LAMBDA {
      for (int64_t r = begin; r < end; ++r) avg_row<kh, kw>(own, count_padding, r, past_caches, x, y);
    };
    if (s.h.kernel == 2 && s.w.kernel == 2)
      run(Int<2>{}, Int<2>{});
    else if (s.h.kernel == 3 && s.w.kernel == 3)
      run(Int<3>{}, Int<3>{});
    else
      run(Int<0>{}, Int<0>{});
    stream_fence();
  });
}

template <class Target, class T>
void avg_pool2d_backward(const Pool2D& s, bool count_padding, const T* dy, T* dx) {
  const int64_t rows = s.batch * s.h.input;
  const int64_t most = most_windows(s.h, s.h.output()) * most_windows(s.w, s.w.output());
  const bool past_caches = stream_rows(dx, rows * s.w.input, s.channels);
  const double work = 0.15 * double(most) * double(s.w.input * max_of(s.channels, 8));
  parallel_for(rows, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    Share<T>* const windows = scratch_for<Share<T>>(Slot::worker, most);
    const Pool2D own = s;
    for (int64_t r = begin; r < end; ++r) avg_row_backward(own, count_padding, r, past_caches, dy, dx, windows);
    stream_fence();
  });
}

template void avg_pool2d_forward<Target>(const Pool2D&, bool, const float*, float*);
template void avg_pool2d_forward<Target>(const Pool2D&, bool, const double*, double*);
template void avg_pool2d_backward<Target>(const Pool2D&, bool, const float*, float*);
template void avg_pool2d_backward<Target>(const Pool2D&, bool, const double*, double*);

}  // namespace lamina
