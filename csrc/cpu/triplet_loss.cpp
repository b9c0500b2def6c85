#include "ops/triplet_loss.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"
#include "support/math.h"

namespace lamina {
using namespace LAMINA_ISA;

template <class Target, class T>
void triplet_loss(int64_t rows, int64_t n, const T* x, const T* p, const T* q, const T* weights, T divisor, T* losses,
                  T* dx, T* dp, T* dq, T margin, bool swap) {
  const V<T> epsilon = set(T(1e-6));
  parallel_for(rows, 30 + n * 2.0, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t at = r * n;
      const auto distance = [&](const T* u, const T* v) INLINE_LAMBDA {
        const T squares = sum_row<T>(n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA {
          const V<T> d = load(u + i, mask) - load(v + i, mask) + epsilon;
          total = fma(d, d, total);
        });
        return T(sqrt(set(squares))[0]);
      };
      const T near = distance(x + at, p + at);
      T far = distance(x + at, q + at);
      bool swapped = false;
      if (swap) {
        const T other = distance(p + at, q + at);
        swapped = other < far;
        if (swapped) far = other;
      }
      const T gap = near - far + margin, weight = weights ? weights[r] : T(1);
      losses[r] = weight * (gap < 0 ? T(0) : gap);
      if (!dx) continue;
      const T factor = gap < 0 ? T(0) : weight / divisor;
      const V<T> pull = set(near > 0 ? factor / near : T(0)), push = set(far > 0 ? factor / far : T(0));
      const T* const from = (swapped ? p : x) + at;
      each_vector<T>(n, [&](int64_t i, auto mask) INLINE_LAMBDA {
        const V<T> positive = load(p + at + i, mask), negative = load(q + at + i, mask);
        const V<T> nearer = (load(x + at + i, mask) - positive + epsilon) * pull;
        const V<T> farther = (load(from + i, mask) - negative + epsilon) * push;
        store(dx + at + i, swapped ? nearer : nearer - farther, mask);
        store(dp + at + i, swapped ? -nearer - farther : -nearer, mask);
        store(dq + at + i, farther, mask);
      });
    }
  });
}

template void triplet_loss<Target>(int64_t, int64_t, const float*, const float*, const float*, const float*, float,
                                   float*, float*, float*, float*, float, bool);
DOUBLE template void triplet_loss<Target>(int64_t, int64_t, const double*, const double*, const double*, const double*,
                                          double, double*, double*, double*, double*, double, bool);

}  // namespace lamina
