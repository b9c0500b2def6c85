#include "ops/row_loss.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"
#include "support/math.h"

namespace lamina {
using namespace LAMINA_ISA;

namespace LAMINA_ISA {

/// sum of f(i, mask) over a row.
template <class T, class F>
INLINE T sum_over(int64_t n, F&& f) {
  return sum_row<T>(n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA { total = total + f(i, mask); });
}
template <class T>
INLINE T dot(int64_t n, const T* x, const T* t) {
  return sum_row<T>(n, [&](int64_t i, auto mask, V<T>& total)
                           INLINE_LAMBDA { total = fma(load(x + i, mask), load(t + i, mask), total); });
}
template <class T>
INLINE T inverse_of_norm(T squares) {
  const T norm = T(sqrt(set(squares))[0]);
  return norm < T(1e-7) ? T(1e7) : 1 / norm;
}

/// loss(x, t, weight, dx or null, whether to write past the caches) for every row.
template <class T, class F>
INLINE void each_row(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T* losses, T* dx, F&& loss) {
  const bool past_caches = dx && stream_rows(dx, rows, n);
  parallel_for(rows, 20 + n * 0.6, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t r = begin; r < end; ++r) {
      const T weight = weights ? weights[r] : T(1);
      losses[r] = weight * loss(x + r * n, t + r * n, weight, dx ? dx + r * n : nullptr, past_caches);
    }
    if (past_caches) stream_fence();
  });
}

template <class T>
INLINE void cosine_similarity(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor, T* losses,
                              T* dx) {
  each_row(rows, n, x, t, weights, losses, dx,
           [&](const T* row, const T* target, T weight, T* to, bool past_caches) INLINE_LAMBDA {
             const T squares = dot(n, row, row);
             const T a = inverse_of_norm<T>(squares), b = inverse_of_norm<T>(dot(n, target, target));
             const T cosine = dot(n, row, target) * a * b;
             if (!to) return -cosine;
             const T factor = weight / divisor;
             const V<T> along = set(squares < T(1e-14) ? T(0) : factor * cosine * a * a), across = set(factor * a * b);
             write_row(n, to, past_caches, [&](int64_t i, auto mask) INLINE_LAMBDA {
               return fnma(load(target + i, mask), across, load(row + i, mask) * along);
             });
             return -cosine;
           });
}

template <class T>
INLINE void categorical_hinge(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor, T* losses,
                              T* dx) {
  const V<T> one = set(T(1));
  each_row(rows, n, x, t, weights, losses, dx,
           [&](const T* row, const T* target, T weight, T* to, bool past_caches) INLINE_LAMBDA {
             const auto wrong = [&](int64_t i, auto mask)
                                    INLINE_LAMBDA { return (one - load(target + i, mask)) * load(row + i, mask); };
             const auto larger = [&](int64_t i, auto mask, V<T>& most)
                                     INLINE_LAMBDA { most = max(most, wrong(i, mask)); };
             const T most = fold(accumulate<T>(0, n, -T(__builtin_inf()), larger),
                                 [](auto u, auto v) INLINE_LAMBDA { return u > v ? u : v; });
             const T gap = most - dot(n, row, target) + 1;
             if (to && gap > 0) {
               const auto is_most = [&](int64_t i, auto mask) INLINE_LAMBDA {
                 return select(equal(wrong(i, mask), set(most)), one, zero<T>());
               };
               const T factor = weight / divisor, equals = sum_over<T>(n, is_most);
               const V<T> scale = set(factor), share = set(factor / equals);
               write_row(n, to, past_caches, [&](int64_t i, auto mask) INLINE_LAMBDA {
                 const V<T> value = load(target + i, mask);
                 return fnma(value, scale, (one - value) * (is_most(i, mask) * share));
               });
             } else if (to) {
               write_row(n, to, past_caches, [&](int64_t, auto) INLINE_LAMBDA { return set(gap < 0 ? T(0) : gap); });
             }
             return gap < 0 ? T(0) : gap;
           });
}

}  // namespace LAMINA_ISA

template <class Target, class T>
void row_loss(RowLoss loss, int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor, T* losses,
              T* dx) {
  if (loss == RowLoss::cosine_similarity) return cosine_similarity(rows, n, x, t, weights, divisor, losses, dx);
  categorical_hinge(rows, n, x, t, weights, divisor, losses, dx);
}

template void row_loss<Target>(RowLoss, int64_t, int64_t, const float*, const float*, const float*, float, float*,
                               float*);
DOUBLE template void row_loss<Target>(RowLoss, int64_t, int64_t, const double*, const double*, const double*, double,
                                      double*, double*);

}  // namespace lamina
