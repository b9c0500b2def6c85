#include "ops/local_response_norm.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"
#include "support/local_response_norm.h"

namespace lamina {
namespace LAMINA_ISA {

/// A row of values with `before` and `after` zeros around it, and whole vectors of room.
template <class T>
struct PaddedRow {
  T* values;
  INLINE PaddedRow(T* memory, const LocalResponseNorm& s) : values(memory + s.size) {
    for (int64_t i = 0; i < s.size; ++i) memory[i] = 0;
    for (int64_t i = s.channels; i < s.channels + s.size + lanes<T>; ++i) values[i] = 0;
  }
  static INLINE int64_t room(const LocalResponseNorm& s) { return s.channels + 2 * s.size + 2 * ROW_LANES; }
};

/// The sum of size values from p on.
template <class T>
INLINE V<T> window(const T* p, int64_t size) {
  V<T> sum = load(p);
  for (int64_t i = 1; i < size; ++i) sum = sum + load(p + i);
  return sum;
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void local_response_norm_forward(const LocalResponseNorm& s, const T* x, T* y) {
  const int64_t C = s.channels, before = s.size / 2;
  const V<T> k = set(T(s.k)), share = set(T(s.alpha / double(s.size)));
  const bool past_caches = stream_rows(y, s.rows, C);
  parallel_for(s.rows, 10 + 1.0 * double(C), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    const PaddedRow<T> squares(scratch_for<T>(Slot::worker, PaddedRow<T>::room(s)), s);
    for (int64_t row = begin; row < end; ++row) {
      const T* const from = x + row * C;
      each_vector<T>(C, [=](int64_t i, auto mask) INLINE_LAMBDA {
        const V<T> v = load(from + i, mask);
        store(squares.values + i, v * v, mask);
      });
      write_row(C, y + row * C, past_caches, [=](int64_t i, auto mask) INLINE_LAMBDA -> V<T> {
        const V<T> sum = fma(window(squares.values + i - before, s.size), share, k);
        return load(from + i, mask) * power_of<T>(sum, s.beta);
      });
    }
    if (past_caches) stream_fence();
  });
}

template <class Target, class T>
void local_response_norm_backward(const LocalResponseNorm& s, const T* x, const T* dy, T* dx) {
  const int64_t C = s.channels, before = s.size / 2, after = (s.size - 1) / 2;
  const V<T> k = set(T(s.k)), share = set(T(s.alpha / double(s.size)));
  const V<T> minus = set(T(-2 * s.alpha * s.beta / double(s.size)));
  const bool past_caches = stream_rows(dx, s.rows, C);
  parallel_for(s.rows, 10 + 2.0 * double(C), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    const int64_t room = PaddedRow<T>::room(s);
    T* const memory = scratch_for<T>(Slot::worker, 2 * room + C + ROW_LANES);
    const PaddedRow<T> squares(memory, s), slopes(memory + room, s);
    T* const factors = memory + 2 * room;
    for (int64_t row = begin; row < end; ++row) {
      const T *const from = x + row * C, *const d = dy + row * C;
      each_vector<T>(C, [=](int64_t i, auto mask) INLINE_LAMBDA {
        const V<T> v = load(from + i, mask);
        store(squares.values + i, v * v, mask);
      });
      each_vector<T>(C, [=](int64_t i, auto mask) INLINE_LAMBDA {
        const V<T> sum = fma(window(squares.values + i - before, s.size), share, k);
        const V<T> factor = load(d + i, mask) * power_of<T>(sum, s.beta);
        store(factors + i, factor, mask);
        store(slopes.values + i, factor * load(from + i, mask) / sum, mask);
      });
      write_row(C, dx + row * C, past_caches, [=](int64_t i, auto mask) INLINE_LAMBDA -> V<T> {
        return fma(load(from + i, mask) * minus, window(slopes.values + i - after, s.size), load(factors + i, mask));
      });
    }
    if (past_caches) stream_fence();
  });
}

template void local_response_norm_forward<Target>(const LocalResponseNorm&, const float*, float*);
DOUBLE template void local_response_norm_forward<Target>(const LocalResponseNorm&, const double*, double*);
template void local_response_norm_backward<Target>(const LocalResponseNorm&, const float*, const float*, float*);
DOUBLE template void local_response_norm_backward<Target>(const LocalResponseNorm&, const double*, const double*,
                                                          double*);

}  // namespace lamina
