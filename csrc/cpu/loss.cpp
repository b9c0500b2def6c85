#include "ops/loss.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"

namespace lamina {
using namespace LAMINA_ISA;

template <class Target, class T>
T loss_sum(int64_t n, const T* losses, T divisor) {
  const auto add = [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA { total = total + load(losses + i, mask); };
  return sum_row<T>(n, add) / divisor;
}

template <class Target, class T>
void scale_rows(int64_t rows, int64_t n, const T* x, const T* factors, int64_t step, T* y) {
  if (step == 0) {
    const V<T> factor = set(factors[0]);
    return map(rows * n, 0.2, [&](V<T> v) INLINE_LAMBDA { return v * factor; }, y, x);
  }
  const bool past_caches = stream_rows(y, rows, n);
  parallel_for(rows, 2 + n * 0.2, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t r = begin; r < end; ++r) {
      const V<T> factor = set(factors[r * step]);
      write_row(n, y + r * n, past_caches,
                [&](int64_t i, auto mask) INLINE_LAMBDA { return load(x + r * n + i, mask) * factor; });
    }
    if (past_caches) stream_fence();
  });
}

template float loss_sum<Target>(int64_t, const float*, float);
DOUBLE template double loss_sum<Target>(int64_t, const double*, double);
template void scale_rows<Target>(int64_t, int64_t, const float*, const float*, int64_t, float*);
DOUBLE template void scale_rows<Target>(int64_t, int64_t, const double*, const double*, int64_t, double*);

}  // namespace lamina
