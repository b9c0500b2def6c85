#include "ops/softmax_cross_entropy.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"
#include "support/math.h"

namespace lamina {
using namespace LAMINA_ISA;

namespace LAMINA_ISA {

/// Rows are taken in groups, so that one vector holds the logarithms of many.
constexpr int64_t GROUP = 64;

/// sum e^(x - most) over a row; e keeps the powers, unless it is null.
template <class T>
INLINE T sum_of_powers(int64_t n, const T* x, T most, T* e) {
  return sum_row<T>(n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA {
    const V<T> power = exp(load(x + i, mask) - set(most));
    if (e) store(e + i, power, mask);
    total = total + power;
  });
}

/// What the losses of a group's rows are made of: factor * log(sum) - rest.
template <class T>
struct Group {
  T sum[GROUP], factor[GROUP], rest[GROUP];
};

/// row(r, group, place, memory for one row) for every row; then the losses of each group, vectors of rows at a time.
template <class T, class F>
INLINE void each_group(int64_t rows, int64_t n, double work, const T* weights, T* losses, bool past_caches, F&& row) {
  parallel_for(rows, 20 + n * work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    T* const kept = past_caches ? scratch_for<T>(Slot::worker, n) : nullptr;
    Group<T> group;
    for (int64_t start = begin; start < end; start += GROUP) {
      const int64_t count = min_of(GROUP, end - start);
      for (int64_t place = 0; place < count; ++place) row(start + place, group, place, kept);
      each_vector<T>(count, [&](int64_t i, auto mask) INLINE_LAMBDA {
        const V<T> loss =
            fma(load(group.factor + i, mask), log(load(group.sum + i, mask)), -load(group.rest + i, mask));
        store(losses + start + i, weights ? load(weights + start + i, mask) * loss : loss, mask);
      });
    }
    if (past_caches) stream_fence();
  });
}

/// A row that does not count: factor * log(1) - 0.
template <class T>
INLINE void ignore_row(int64_t n, Group<T>& group, int64_t place, T* dx, int64_t r, bool past_caches) {
  group.sum[place] = 1;
  group.factor[place] = group.rest[place] = 0;
  if (dx) write_row(n, dx + r * n, past_caches, [](int64_t, auto) INLINE_LAMBDA { return zero<T>(); });
}

}  // namespace LAMINA_ISA

template <class Target>
int64_t find_bad_label(int64_t n, int64_t classes, const int64_t* labels, int64_t ignored) {
  const bool ignores = ignored != NONE_IGNORED;
  bool bad = false;
  for (int64_t i = 0; i < n; ++i)
    bad |= (uint64_t(labels[i]) >= uint64_t(classes)) & !(ignores & (labels[i] == ignored));
  if (bad)
    for (int64_t i = 0; i < n; ++i)
      if ((labels[i] < 0 || labels[i] >= classes) && !(ignores && labels[i] == ignored)) return i;
  return -1;
}

template <class Target, class T>
void softmax_cross_entropy(int64_t rows, int64_t n, const T* x, const int64_t* labels, int64_t ignored, T smoothing,
                           const T* weights, T divisor, T* losses, T* dx) {
  const bool past_caches = dx && stream_rows(dx, rows, n), ignores = ignored != NONE_IGNORED;
  each_group(rows, n, 0.8, weights, losses, past_caches,
             [&](int64_t r, Group<T>& group, int64_t place, T* kept) INLINE_LAMBDA {
               const T* const row = x + r * n;
               if (ignores && labels[r] == ignored) return ignore_row(n, group, place, dx, r, past_caches);
               T* const e = past_caches ? kept : dx ? dx + r * n : nullptr;
               const T most = largest(n, row), sum = sum_of_powers(n, row, most, e);
               group.sum[place] = sum;
               group.factor[place] = 1;
               group.rest[place] = row[labels[r]] - most;
               T each = 0;  // what smoothing takes from every place of the gradient
               if (smoothing > 0) {
                 each = smoothing / T(n);
                 const T all = sum_row<T>(n, [&](int64_t i, auto mask, V<T>& total)
                                                 INLINE_LAMBDA { total = total + (load(row + i, mask) - set(most)); });
                 group.rest[place] = (1 - smoothing) * group.rest[place] + each * all;
               }
               if (!dx) return;
               e[labels[r]] -= (1 - smoothing) * sum;  // (e - sum) / sum = p - 1
               const T weight = (weights ? weights[r] : T(1)) / divisor;
               const V<T> scale = set(weight / sum), taken = set(weight * each);
               write_row(n, dx + r * n, past_caches,
                         [&](int64_t i, auto mask) INLINE_LAMBDA { return load(e + i, mask) * scale - taken; });
             });
}

template <class Target, class T>
void softmax_cross_entropy_soft(int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor, T* losses,
                                T* dx) {
  const bool past_caches = dx && stream_rows(dx, rows, n);
  each_group(rows, n, 1.0, weights, losses, past_caches,
             [&](int64_t r, Group<T>& group, int64_t place, T* kept) INLINE_LAMBDA {
               const T *const row = x + r * n, *const target = t + r * n;
               T* const e = past_caches ? kept : dx ? dx + r * n : nullptr;
               const T most = largest(n, row), sum = sum_of_powers(n, row, most, e);
               const T all = sum_row<T>(
                   n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA { total = total + load(target + i, mask); });
               group.sum[place] = sum;
               group.factor[place] = all;
               group.rest[place] = sum_row<T>(n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA {
                 total = fma(load(target + i, mask), load(row + i, mask) - set(most), total);
               });
               if (!dx) return;
               const T weight = (weights ? weights[r] : T(1)) / divisor;
               const V<T> scale = set(weight * all / sum), each = set(weight);
               write_row(n, dx + r * n, past_caches, [&](int64_t i, auto mask) INLINE_LAMBDA {
                 return fnma(load(target + i, mask), each, load(e + i, mask) * scale);
               });
             });
}

template <class Target, class T>
void cross_entropy_from_probabilities(int64_t rows, int64_t n, const T* q, const int64_t* labels, int64_t ignored,
                                      const T* weights, T divisor, T* losses, T* dq) {
  const T low = T(1e-7), high = T(1) - T(1e-7);
  const bool past_caches = dq && stream_rows(dq, rows, n), ignores = ignored != NONE_IGNORED;
  each_group(rows, n, 0.5, weights, losses, past_caches,
             [&](int64_t r, Group<T>& group, int64_t place, T*) INLINE_LAMBDA {
               const T* const row = q + r * n;
               if (ignores && labels[r] == ignored) return ignore_row(n, group, place, dq, r, past_caches);
               const T sum = sum_row<T>(
                   n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA { total = total + load(row + i, mask); });
               const T p = row[labels[r]] / sum;
               const bool cut = p < low || p > high;
               group.sum[place] = p < low ? low : p > high ? high : p;
               group.factor[place] = -1;
               group.rest[place] = 0;
               if (!dq) return;
               // p is normalised: every place has a share of 1 / sum in it, the label's own one of 1 / (p sum) less.
               const T share = cut ? T(0) : (weights ? weights[r] : T(1)) / divisor / sum;
               write_row(n, dq + r * n, past_caches, [&](int64_t, auto) INLINE_LAMBDA { return set(share); });
               if (past_caches) stream_fence();  // before a store to the same place
               dq[r * n + labels[r]] = cut ? T(0) : share - share / p;
             });
}

template <class Target, class T>
void cross_entropy_from_probabilities_soft(int64_t rows, int64_t n, const T* q, const T* t, const T* weights, T divisor,
                                           T* losses, T* dq) {
  const T low = T(1e-7), high = T(1) - T(1e-7);
  parallel_for(rows, 10 + n * 1.5, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t r = begin; r < end; ++r) {
      const T *const from = q + r * n, *const target = t + r * n;
      const T sum =
          sum_row<T>(n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA { total = total + load(from + i, mask); });
      const T loss = sum_row<T>(n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA {
        const V<T> p = load(from + i, mask) / set(sum);
        total = fnma(load(target + i, mask), log(min(set(high), max(set(low), p))), total);
      });
      const T weight = weights ? weights[r] : T(1);
      losses[r] = weights ? weight * loss : loss;
      if (!dq) continue;
      // dL/dp[j] = -t[j] / p[j] where c does not cut, and p is normalised: dq[j] = (dL/dp[j] - sum dL/dp p) / sum q.
      const auto inside = [&](V<T> p, V<T> value) INLINE_LAMBDA {
        return select(less(p, set(low)) | less(set(high), p), zero<T>(), value);
      };
      const T inner = sum_row<T>(n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA {
        total = total + inside(load(from + i, mask) / set(sum), load(target + i, mask));
      });
      const V<T> scale = set(weight / divisor / sum);
      write_row(n, dq + r * n, false, [&](int64_t i, auto mask) INLINE_LAMBDA {
        const V<T> p = load(from + i, mask) / set(sum);
        return (set(inner) - inside(p, load(target + i, mask) / p)) * scale;
      });
    }
  });
}

template int64_t find_bad_label<Target>(int64_t, int64_t, const int64_t*, int64_t);
template void softmax_cross_entropy<Target>(int64_t, int64_t, const float*, const int64_t*, int64_t, float,
                                            const float*, float, float*, float*);
template void softmax_cross_entropy_soft<Target>(int64_t, int64_t, const float*, const float*, const float*, float,
                                                 float*, float*);
template void cross_entropy_from_probabilities<Target>(int64_t, int64_t, const float*, const int64_t*, int64_t,
                                                       const float*, float, float*, float*);
template void cross_entropy_from_probabilities_soft<Target>(int64_t, int64_t, const float*, const float*, const float*,
                                                            float, float*, float*);
DOUBLE template void softmax_cross_entropy<Target>(int64_t, int64_t, const double*, const int64_t*, int64_t, double,
                                                   const double*, double, double*, double*);
DOUBLE template void softmax_cross_entropy_soft<Target>(int64_t, int64_t, const double*, const double*, const double*,
                                                        double, double*, double*);
DOUBLE template void cross_entropy_from_probabilities<Target>(int64_t, int64_t, const double*, const int64_t*, int64_t,
                                                              const double*, double, double*, double*);
DOUBLE template void cross_entropy_from_probabilities_soft<Target>(int64_t, int64_t, const double*, const double*,
                                                                   const double*, double, double*, double*);

}  // namespace lamina
