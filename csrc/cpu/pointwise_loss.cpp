#include "ops/pointwise_loss.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"
#include "support/pointwise_loss.h"

namespace lamina {
using namespace LAMINA_ISA;

namespace LAMINA_ISA {

/// Grows with whatever lies outside [0, 1], NaN included.
template <Loss L, class T>
INLINE void watch(V<T> t, V<T>& outside) {
  if constexpr (is_cross_entropy(L)) outside = outside + magnitude<T>(t - min(set(T(1)), max(zero<T>(), t)));
}
template <class T>
INLINE void report(V<T> outside, bool* found) {
  if (any(unordered(outside, outside) | less(zero<T>(), outside))) __atomic_store_n(found, true, __ATOMIC_RELAXED);
}

/// Losses of `count` elements, and their gradients times `scale` where dx is not null. What is compiled once a loss;
/// all around it once for all.
template <class T>
using Evaluate = void (*)(int64_t count, const T* x, const T* t, T* values, T* dx, bool past_caches, V<T> scale,
                          const LossParameters<T>& parameters, V<T>& outside);
template <Loss L, class T>
void evaluate_all(int64_t count, const T* x, const T* t, T* values, T* dx, bool past_caches, V<T> scale,
                  const LossParameters<T>& parameters, V<T>& outside) {
  V<T> found = outside;
  each_vector<T>(count, [&](int64_t i, auto mask) INLINE_LAMBDA {
    const V<T> target = load(t + i, mask);
    watch<L, T>(target, found);
    const auto [value, gradient] = evaluate<L, T>(load(x + i, mask), target, parameters);
    store(values + i, value, mask);
    if (!dx) return;
    if constexpr (__is_same(decltype(mask), All))
      if (past_caches) return stream(dx + i, gradient * scale);
    store(dx + i, gradient * scale, mask);
  });
  outside = found;
}

template <class T>
bool rows_of_one(Evaluate<T> evaluate, int64_t rows, const T* x, const T* t, const T* weights, T divisor, T* losses,
                 T* dx, const LossParameters<T>& parameters) {
  constexpr int64_t CHUNK = 1024;
  const V<T> scale = set(T(1) / divisor);
  bool found = false;
  each_part(rows, 2, [&](int64_t first, int64_t size) INLINE_LAMBDA {
    V<T> outside = zero<T>();
    for (int64_t begin = first; begin < first + size; begin += CHUNK) {
      const int64_t count = min_of(CHUNK, first + size - begin);
      T *const to = losses + begin, *const to_dx = dx ? dx + begin : nullptr;
      evaluate(count, x + begin, t + begin, to, to_dx, false, weights ? set(T(1)) : scale, parameters, outside);
      if (!weights) continue;
      each_vector<T>(count, [&](int64_t i, auto mask) INLINE_LAMBDA {
        const V<T> weight = load(weights + begin + i, mask);
        store(to + i, weight * load(to + i, mask), mask);
        if (to_dx) store(to_dx + i, load(to_dx + i, mask) * (weight * scale), mask);
      });
    }
    report<T>(outside, &found);
  });
  return found;
}

/// The sum of a row, its values computed a chunk at a time and added in the order of sum_row: what computes them is
/// compiled once, not once a virtual lane.
template <class T, class F>
INLINE T sum_of_chunks(int64_t n, F&& values_of) {
  constexpr int64_t BLOCK = 512 * ROW_LANES, CHUNK = 1024;
  alignas(64) T values[CHUNK];
  T sum = 0;
  for (int64_t block = 0; block < n; block += BLOCK) {
    const int64_t end = min_of(block + BLOCK, n);
    Row<T> total = Row<T>::filled(0);
    for (int64_t begin = block; begin < end; begin += CHUNK) {
      const int64_t count = min_of(CHUNK, end - begin);
      values_of(begin, count, values);
      for (int64_t i = count; i % ROW_LANES != 0; ++i) values[i] = 0;
      for (int64_t i = 0; i < count; i += ROW_LANES)
        unroll<Row<T>::PARTS>([&](auto p)
                                  INLINE_LAMBDA { total.part[p] = total.part[p] + load(values + i + p * lanes<T>); });
    }
    const T part = fold(total, [](auto a, auto b) INLINE_LAMBDA { return a + b; });
    sum = block == 0 ? part : sum + part;
  }
  return sum;
}

template <class T>
bool rows_of_many(Evaluate<T> evaluate, bool mean, int64_t rows, int64_t n, const T* x, const T* t, const T* weights,
                  T divisor, T* losses, T* dx, const LossParameters<T>& parameters) {
  const bool past_caches = dx && stream_rows(dx, rows, n);
  bool found = false;
  parallel_for(rows, 5 + n * 1.0, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    V<T> outside = zero<T>();
    for (int64_t r = begin; r < end; ++r) {
      const T weight = (weights ? weights[r] : T(1)) / (mean ? T(n) : T(1));
      const V<T> scale = set(weight / divisor);
      const T sum = sum_of_chunks<T>(n, [&](int64_t start, int64_t count, T* values) INLINE_LAMBDA {
        const int64_t at = r * n + start;
        evaluate(count, x + at, t + at, values, dx ? dx + at : nullptr, past_caches, scale, parameters, outside);
      });
      losses[r] = sum * weight;
    }
    if (past_caches) stream_fence();
    report<T>(outside, &found);
  });
  return found;
}

}  // namespace LAMINA_ISA

template <class Target, class T>
bool all_binary(int64_t n, const T* t) {
  bool other = false;
  each_part(n, 0.15, [&](int64_t begin, int64_t count) INLINE_LAMBDA {
    constexpr int64_t CHUNK = 4096;
    for (int64_t start = 0; start < count && !__atomic_load_n(&other, __ATOMIC_RELAXED); start += CHUNK) {
      const T* const from = t + begin + start;
      V<T> off = zero<T>();  // stays 0 while every value is 0 or 1; NaN stays
      each_vector<T>(min_of(CHUNK, count - start), [&](int64_t i, auto mask) INLINE_LAMBDA {
        const V<T> value = load(from + i, mask);
        off = off + select(equal(value, zero<T>()) | equal(value, set(T(1))), zero<T>(), set(T(1)));
      });
      if (any(less(zero<T>(), off))) __atomic_store_n(&other, true, __ATOMIC_RELAXED);
    }
  });
  return !other;
}

template <class Target, class T>
bool pointwise_loss(PointwiseLoss loss, int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor,
                    T* losses, T* dx, const LossParameters<T>& parameters) {
  Evaluate<T> evaluate = nullptr;
  unroll<int(Loss::squared_hinge) + 1>([&](auto number) INLINE_LAMBDA {
    constexpr Loss L = Loss(int(decltype(number){}));
    if (loss == L) evaluate = &evaluate_all<L, T>;
  });
  const bool mean = loss != Loss::kl_divergence;
  const bool outside = n == 1 ? rows_of_one(evaluate, rows, x, t, weights, divisor, losses, dx, parameters)
                              : rows_of_many(evaluate, mean, rows, n, x, t, weights, divisor, losses, dx, parameters);
  return !outside;
}

template bool all_binary<Target>(int64_t, const float*);
DOUBLE template bool all_binary<Target>(int64_t, const double*);
template bool pointwise_loss<Target>(PointwiseLoss, int64_t, int64_t, const float*, const float*, const float*, float,
                                     float*, float*, const LossParameters<float>&);
DOUBLE template bool pointwise_loss<Target>(PointwiseLoss, int64_t, int64_t, const double*, const double*,
                                            const double*, double, double*, double*, const LossParameters<double>&);

}  // namespace lamina
