#include "ops/pointwise_loss.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"
#include "support/math.h"

namespace lamina {
using namespace LAMINA_ISA;

namespace LAMINA_ISA {

template <class T>
struct ValueAndGradient {
  V<T> value, gradient;
};

template <PointwiseLoss L, class T>
INLINE ValueAndGradient<T> evaluate(V<T> x, V<T> t) {
  const V<T> one = set(T(1)), none = zero<T>();
  if constexpr (L == PointwiseLoss::sigmoid_cross_entropy) {
    const V<T> e = exp(-magnitude<T>(x));
    const V<T> sigmoid_x = select(less(x, none), e, one) / (e + one);
    return {fnma(x, t, max(none, x)) + log1p(e), sigmoid_x - t};
  } else if constexpr (L == PointwiseLoss::squared_error) {
    const V<T> d = x - t;
    return {d * d, d + d};
  } else if constexpr (L == PointwiseLoss::absolute_error) {
    const V<T> d = x - t;
    const V<T> sign = select(less(none, d), one, select(less(d, none), -one, d));  // d: 0 or NaN
    return {magnitude<T>(d), sign};
  } else {
    const V<T> low = set(T(1e-7)), high = set(T(1) - T(1e-7));
    const V<T> p = min(high, max(low, x)), q = one - p;
    const V<T> value = -fma(t, log(p), (one - t) * log(q));
    return {value, select(less(x, low) | less(high, x), none, (p - t) / (p * q))};
  }
}

template <PointwiseLoss L, class T>
INLINE void rows_of_one(int64_t rows, const T* x, const T* t, const T* weights, T divisor, T* losses, T* dx) {
  const V<T> scale = set(T(1) / divisor);
  each_part(rows, 2, [&](int64_t begin, int64_t count) INLINE_LAMBDA {
    each_vector<T>(count, [&](int64_t at, auto mask) INLINE_LAMBDA {
      const int64_t i = begin + at;
      const auto [value, gradient] = evaluate<L, T>(load(x + i, mask), load(t + i, mask));
      const V<T> weight = weights ? load(weights + i, mask) : set(T(1));
      store(losses + i, weight * value, mask);
      if (dx) store(dx + i, gradient * (weight * scale), mask);
    });
  });
}

template <PointwiseLoss L, class T>
INLINE void rows_of_many(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor, T* losses,
                         T* dx) {
  const bool past_caches = dx && streams(rows, n, dx);
  parallel_for(rows, 5 + n * 1.0, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t r = begin; r < end; ++r) {
      const T weight = (weights ? weights[r] : T(1)) / T(n);
      const V<T> scale = set(weight / divisor);
      const T sum = sum_row<T>(n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA {
        const int64_t at = r * n + i;
        const auto [value, gradient] = evaluate<L, T>(load(x + at, mask), load(t + at, mask));
        total = total + value;
        if (!dx) return;
        if constexpr (__is_same(decltype(mask), All))
          if (past_caches) return stream(dx + at, gradient * scale);
        store(dx + at, gradient * scale, mask);
      });
      losses[r] = sum * weight;
    }
    if (past_caches) stream_fence();
  });
}

template <PointwiseLoss L, class T>
INLINE void each_row(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor, T* losses, T* dx) {
  if (n == 1)
    rows_of_one<L>(rows, x, t, weights, divisor, losses, dx);
  else
    rows_of_many<L>(rows, n, x, t, weights, divisor, losses, dx);
}

}  // namespace LAMINA_ISA

template <class Target, class T>
bool any_outside_unit(int64_t n, const T* t) {
  bool found = false;
  each_part(n, 0.15, [&](int64_t begin, int64_t count) INLINE_LAMBDA {
    V<T> outside = zero<T>();  // grows with whatever lies outside, NaN included
    each_vector<T>(count, [&](int64_t i, auto mask) INLINE_LAMBDA {
      const V<T> value = load(t + begin + i, mask);
      outside = outside + magnitude<T>(value - min(set(T(1)), max(zero<T>(), value)));
    });
    if (any(unordered(outside, outside) | less(zero<T>(), outside))) __atomic_store_n(&found, true, __ATOMIC_RELAXED);
  });
  return found;
}

template <class Target, class T>
void pointwise_loss(PointwiseLoss loss, int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor,
                    T* losses, T* dx) {
  switch (loss) {
    case PointwiseLoss::sigmoid_cross_entropy:
      return each_row<PointwiseLoss::sigmoid_cross_entropy>(rows, n, x, t, weights, divisor, losses, dx);
    case PointwiseLoss::squared_error:
      return each_row<PointwiseLoss::squared_error>(rows, n, x, t, weights, divisor, losses, dx);
    case PointwiseLoss::absolute_error:
      return each_row<PointwiseLoss::absolute_error>(rows, n, x, t, weights, divisor, losses, dx);
    case PointwiseLoss::binary_cross_entropy:
      return each_row<PointwiseLoss::binary_cross_entropy>(rows, n, x, t, weights, divisor, losses, dx);
  }
}

template bool any_outside_unit<Target>(int64_t, const float*);
template void pointwise_loss<Target>(PointwiseLoss, int64_t, int64_t, const float*, const float*, const float*, float,
                                     float*, float*);
template bool any_outside_unit<Target>(int64_t, const double*);
template void pointwise_loss<Target>(PointwiseLoss, int64_t, int64_t, const double*, const double*, const double*,
                                     double, double*, double*);

}  // namespace lamina
