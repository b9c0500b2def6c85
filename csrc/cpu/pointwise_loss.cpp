#include "ops/pointwise_loss.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/focal.h"
#include "cpu/support/row.h"

namespace lamina {
using namespace LAMINA_ISA;

namespace LAMINA_ISA {

using Loss = PointwiseLoss;

constexpr bool is_cross_entropy(Loss loss) { return loss <= Loss::binary_focal; }
constexpr bool changes_targets(Loss loss) { return is_cross_entropy(loss) || loss >= Loss::hinge; }

template <class T>
struct ValueAndGradient {
  V<T> value, gradient;
};

/// log p and log(1 - p) weighted by the targets, p = x kept off 0 and 1.
template <class T>
INLINE ValueAndGradient<T> binary_cross_entropy(V<T> x, V<T> t) {
  const V<T> one = set(T(1)), low = set(T(1e-7)), high = set(T(1) - T(1e-7));
  const V<T> p = min(high, max(low, x)), q = one - p;
  const V<T> value = -fma(t, log(p), (one - t) * log(q));
  return {value, select(less(x, low) | less(high, x), zero<T>(), (p - t) / (p * q))};
}

template <class T>
INLINE ValueAndGradient<T> cross_entropy(Loss loss, V<T> x, V<T> t, const LossParameters<T>& parameters) {
  const V<T> one = set(T(1)), none = zero<T>();
  if (loss == Loss::binary_cross_entropy) return binary_cross_entropy<T>(x, t);
  if (loss == Loss::binary_focal) {
    const auto [value, gradient] = binary_cross_entropy<T>(x, t);
    const auto [power, derivative] = focal_power<T>(fma(t, one - x, (one - t) * x), parameters.gamma);
    const V<T> v = fma(t, set(parameters.a), set(parameters.b));
    return {v * power * value, v * fma(derivative * (one - t - t), value, power * gradient)};
  }
  const V<T> e = exp(-magnitude<T>(x)), whole = e + one;
  const V<T> value = fnma(x, t, max(none, x)) + log1p(e);
  const Mask<T> negative = less(x, none);
  const V<T> p = select(negative, e, one) / whole;
  if (loss == Loss::sigmoid_cross_entropy) return {value, p - t};
  const V<T> q = select(negative, one, e) / whole;
  const auto [power, derivative] = focal_power<T>(fma(t, q, (one - t) * p), parameters.gamma);
  const V<T> v = fma(t, set(parameters.a), set(parameters.b));
  return {v * power * value, v * fma(derivative * (one - t - t) * (p * q), value, power * (p - t))};
}

template <Loss L, class T>
INLINE ValueAndGradient<T> evaluate(V<T> x, V<T> t, const LossParameters<T>& parameters) {
  const V<T> one = set(T(1)), none = zero<T>(), small = set(T(1e-7)), d = x - t;
  const auto sign = [&] { return select(less(none, d), one, select(less(d, none), -one, d)); };  // d: 0 or NaN
  if constexpr (changes_targets(L)) t = fma(t, set(parameters.scale), set(parameters.shift));
  if constexpr (is_cross_entropy(L)) {
    return cross_entropy<T>(L, x, t, parameters);
  } else if constexpr (L == Loss::squared_error) {
    return {d * d, d + d};
  } else if constexpr (L == Loss::absolute_error) {
    return {magnitude<T>(d), sign()};
  } else if constexpr (L == Loss::absolute_percentage_error) {
    const V<T> scale = set(T(100)) / max(small, magnitude<T>(t));
    return {magnitude<T>(d) * scale, sign() * scale};
  } else if constexpr (L == Loss::squared_logarithmic_error) {
    const V<T> p = max(small, x), difference = log1p(p) - log1p(max(small, t));
    return {difference * difference, select(less(x, small), none, (difference + difference) / (p + one))};
  } else if constexpr (L == Loss::huber) {
    const V<T> delta = set(parameters.a), size = magnitude<T>(d), half = set(T(0.5));
    const V<T> cut = min(delta, max(-delta, d));
    return {select(less(delta, size), delta * fnma(half, delta, size), half * d * d), cut};
  } else if constexpr (L == Loss::log_cosh) {
    const V<T> size = magnitude<T>(d), m = expm1(set(T(-2)) * size);  // log cosh = |d| + log((1 + e^-2|d|) / 2)
    return {size + log1p(m * set(T(0.5))), with_sign<T>(-m / (m + set(T(2))), d)};
  } else if constexpr (L == Loss::kl_divergence) {
    const V<T> p = min(one, max(small, x)), s = min(one, max(small, t)), ratio = s / p;
    return {s * log(ratio), select(less(x, small) | less(one, x), none, -ratio)};
  } else if constexpr (L == Loss::poisson) {
    const V<T> p = x + small;
    return {fnma(t, log(p), x), one - t / p};
  } else if constexpr (L == Loss::hinge) {
    const V<T> gap = fnma(t, x, one);
    const Mask<T> met = less(gap, none) | equal(gap, none);
    return {select(met, none, gap), select(met, none, -t)};
  } else {
    const V<T> gap = max(none, fnma(t, x, one));
    return {gap * gap, -(gap + gap) * t};
  }
}

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
