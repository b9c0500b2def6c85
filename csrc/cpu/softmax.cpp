#include "ops/softmax.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"
#include "support/math.h"

namespace lamina {
using namespace LAMINA_ISA;

template <class Target, class T>
void softmax_forward(int64_t rows, int64_t n, const T* x, T* y) {
  const bool past_caches = streams(rows, n, y);
  parallel_for(rows, 10 + n * 1.0, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    T* const kept = past_caches ? scratch_for<T>(Slot::worker, n) : nullptr;
    for (int64_t r = begin; r < end; ++r) {
      const T* const from = x + r * n;
      T* const to = y + r * n;
      T* const e = past_caches ? kept : to;
      const V<T> most = set(largest<T>(n, from));
      const T sum = sum_row<T>(n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA {
        const V<T> power = exp(load(from + i, mask) - most);
        store(e + i, power, mask);
        total = total + power;
      });
      const V<T> scale = set(T(1) / sum);
      write_row(n, to, past_caches, [&](int64_t i, auto mask) INLINE_LAMBDA { return load(e + i, mask) * scale; });
    }
    if (past_caches) stream_fence();
  });
}

template <class Target, class T>
void softmax_backward(int64_t rows, int64_t n, const T* y, const T* dy, T* dx) {
  const bool past_caches = streams(rows, n, dx);
  parallel_for(rows, 5 + n * 0.4, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t r = begin; r < end; ++r) {
      const T *const out = y + r * n, *const d = dy + r * n;
      const V<T> inner = set(sum_row<T>(n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA {
        total = fma(load(out + i, mask), load(d + i, mask), total);
      }));
      write_row(n, dx + r * n, past_caches,
                [&](int64_t i, auto mask) INLINE_LAMBDA { return load(out + i, mask) * (load(d + i, mask) - inner); });
    }
    if (past_caches) stream_fence();
  });
}

template void softmax_forward<Target>(int64_t, int64_t, const float*, float*);
template void softmax_forward<Target>(int64_t, int64_t, const double*, double*);
template void softmax_backward<Target>(int64_t, int64_t, const float*, const float*, float*);
template void softmax_backward<Target>(int64_t, int64_t, const double*, const double*, double*);

}  // namespace lamina
