#include "ops/optimizer.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"
#include "cpu/support/row_ahead.h"
#include "support/math.h"

namespace lamina {
using namespace LAMINA_ISA;

namespace LAMINA_ISA {

/// body(parameter, number of the first piece, first element, end) for runs of pieces of all parameters, shared out.
template <class T, class F>
INLINE void each_piece(int64_t count, const Parameter<T>* parameters, double work, F&& body) {
  constexpr int64_t PIECE = Parameter<T>::PIECE;
  if (count == 0) return;
  const int64_t pieces = parameters[count - 1].start + ceil_div(parameters[count - 1].n, PIECE);
  parallel_for(pieces, work * PIECE, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t i = 0; i < count; ++i) {
      const Parameter<T> p = parameters[i];
      const int64_t from = max_of(begin, p.start), to = min_of(end, p.start + ceil_div(p.n, PIECE));
      if (from < to) body(p, from, (from - p.start) * PIECE, min_of((to - p.start) * PIECE, p.n));
    }
  });
}

/// Elements that follow each other in the weights as in the gradients: `gradients` is where the latter lie.
template <class T>
struct Run {
  const T* gradients;
  int64_t at, count;  // the first weight's index; how many
};
template <class T>
T NO_GRADIENT[Parameter<T>::PIECE];  // zeros, never written to

/// The run that begins with element i of [0, n), at most up to `end`.
template <class T>
INLINE Run<T> run_of(const Parameter<T>& p, int64_t i, int64_t end) {
  if (!p.rows) return {p.gradients + i, i, end - i};
  const int64_t row = i / p.width, rest = min_of(end - i, (row + 1) * p.width - i);
  if (!p.whole) return {p.gradients + i, i + (p.rows[row] - row) * p.width, rest};
  int64_t low = 0, high = p.row_count;  // the first row with a gradient from here on
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (p.rows[middle] < row)
      low = middle + 1;
    else
      high = middle;
  }
  if (low < p.row_count && p.rows[low] == row) return {p.gradients + i + (low - row) * p.width, i, rest};
  const int64_t next = low < p.row_count ? p.rows[low] * p.width : end;
  return {NO_GRADIENT<T>, i, min_of(min_of(next, end) - i, Parameter<T>::PIECE)};
}

/// f(gradient, weight, index, mask) -> the new weight, for the vectors of all parameters; gradient and weight prepared.
template <class T, class F>
INLINE void each_weight(int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s, double work, F&& f) {
  const bool prepares = s.prepares;
  const V<T> most = set(s.clip > 0 ? T(s.clip) : T(__builtin_inf()));
  each_piece(count, parameters, work, [&](const Parameter<T>& p, int64_t, int64_t from, int64_t to) INLINE_LAMBDA {
    const F own = f;  // stores could change what a reference refers to, for all the compiler knows
    const V<T> scale = set(T(p.scale)), decay = set(T(p.decay));
    for (int64_t begin = from; begin < to;) {
      const Run<T> run = run_of(p, begin, to);
      const int64_t later = begin + ROWS_AHEAD * p.width;
      if (p.rows && !p.whole && later < to) {
        const int64_t at = p.rows[later / p.width] * p.width;
        prefetch_row(p.weights + at, p.width);
        for (const T* const slot : p.slots)
          if (slot) prefetch_row(slot + at, p.width);
      }
      each_vector<T>(run.count, [&](int64_t k, auto mask) INLINE_LAMBDA {
        const int64_t i = run.at + k;
        V<T> g = load(run.gradients + k, mask), w = load(p.weights + i, mask);
        if (prepares) {
          g = max(-most, min(most, g * scale));  // the second operand wins: NaN stays
          w = fnma(w, decay, w);
        }
        store(p.weights + i, own(p, g, w, i, mask), mask);
      });
      begin += run.count;
    }
  });
}

/// The same on every machine, unlike the C library's pow.
INLINE double power(double base, int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent /= 2, base *= base)
    if (exponent % 2) result *= base;
  return result;
}

/// average += share * (value - average), in a slot; the new average.
template <class T>
INLINE V<T> follow(T* slot, V<T> value, V<T> share, auto mask) {
  const V<T> before = load(slot, mask), now = fma(value - before, share, before);
  store(slot, now, mask);
  return now;
}

/// keep * slot + (1 - keep) * value, in the slot.
template <class T>
INLINE V<T> blend(T* slot, V<T> value, V<T> keep, V<T> fresh, auto mask) {
  const V<T> now = fma(keep, load(slot, mask), fresh * value);
  store(slot, now, mask);
  return now;
}

/// The moments of adam, nadam and lamb: m and v after the step.
template <class T>
struct Moments {
  V<T> fresh_1, fresh_2;
  INLINE explicit Moments(const OptimizerSettings& s)
      : fresh_1(set(T(1 - s.values[1]))), fresh_2(set(T(1 - s.values[2]))) {}
  INLINE V<T> first_of(const Parameter<T>& p, V<T> g, int64_t i, auto mask) const {
    return follow(p.slots[0] + i, g, fresh_1, mask);
  }
  INLINE V<T> second_of(const Parameter<T>& p, V<T> g, int64_t i, auto mask) const {
    const V<T> before = load(p.slots[1] + i, mask);
    const V<T> v = fma(fma(g, g, -before), fresh_2, before);
    store(p.slots[1] + i, v, mask);
    return v;
  }
};

template <class T>
INLINE void sgd(int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s) {
  const V<T> minus_rate = set(T(-s.values[0])), keep = set(T(s.values[1]));
  const bool nesterov = s.values[2] != 0;
  each_weight(count, parameters, s, 0.4,
              [=](const Parameter<T>& p, V<T> g, V<T> w, int64_t i, auto mask) INLINE_LAMBDA -> V<T> {
                if (!p.slots[0]) return fma(minus_rate, g, w);
                const V<T> change = minus_rate * g, velocity = fma(keep, load(p.slots[0] + i, mask), change);
                store(p.slots[0] + i, velocity, mask);
                return w + (nesterov ? fma(keep, velocity, change) : velocity);
              });
}

template <class T>
INLINE void rmsprop(int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s) {
  const V<T> rate = set(T(s.values[0])), rho = set(T(s.values[1])), fresh = set(T(1 - s.values[1]));
  const V<T> momentum = set(T(s.values[2])), small = set(T(s.values[3]));
  each_weight(count, parameters, s, 0.8,
              [=](const Parameter<T>& p, V<T> g, V<T> w, int64_t i, auto mask) INLINE_LAMBDA -> V<T> {
                V<T> v = blend(p.slots[0] + i, g * g, rho, fresh, mask);
                if (p.slots[2]) {
                  const V<T> a = blend(p.slots[2] + i, g, rho, fresh, mask);
                  v = fnma(a, a, v);
                }
                V<T> change = rate * g / sqrt(v + small);
                if (p.slots[1]) {
                  change = fma(momentum, load(p.slots[1] + i, mask), change);
                  store(p.slots[1] + i, change, mask);
                }
                return w - change;
              });
}

template <class T>
INLINE void adam(int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s) {
  const double beta_1 = power(s.values[1], s.step), beta_2 = power(s.values[2], s.step);
  const V<T> minus_alpha = set(T(-s.values[0] * __builtin_sqrt(1 - beta_2) / (1 - beta_1)));
  const V<T> small = set(T(s.values[3]));
  const Moments<T> moments(s);
  each_weight(count, parameters, s, 0.8,
              [=](const Parameter<T>& p, V<T> g, V<T> w, int64_t i, auto mask) INLINE_LAMBDA -> V<T> {
                const V<T> m = moments.first_of(p, g, i, mask);
                V<T> v = moments.second_of(p, g, i, mask);
                if (p.slots[2]) {
                  v = max(load(p.slots[2] + i, mask), v);
                  store(p.slots[2] + i, v, mask);
                }
                return w + minus_alpha * m / (sqrt(v) + small);
              });
}

template <class T>
INLINE void adagrad(int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s) {
  const V<T> rate = set(T(s.values[0])), small = set(T(s.values[1]));
  each_weight(count, parameters, s, 0.7,
              [=](const Parameter<T>& p, V<T> g, V<T> w, int64_t i, auto mask) INLINE_LAMBDA -> V<T> {
                const V<T> sum = fma(g, g, load(p.slots[0] + i, mask));
                store(p.slots[0] + i, sum, mask);
                return w - rate * g / sqrt(sum + small);
              });
}

template <class T>
INLINE void adadelta(int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s) {
  const V<T> minus_rate = set(T(-s.values[0])), rho = set(T(s.values[1])), fresh = set(T(1 - s.values[1]));
  const V<T> small = set(T(s.values[2]));
  each_weight(count, parameters, s, 1.0,
              [=](const Parameter<T>& p, V<T> g, V<T> w, int64_t i, auto mask) INLINE_LAMBDA -> V<T> {
                const V<T> a = blend(p.slots[0] + i, g * g, rho, fresh, mask);
                const V<T> u = g * sqrt(load(p.slots[1] + i, mask) + small) / sqrt(a + small);
                blend(p.slots[1] + i, u * u, rho, fresh, mask);
                return fma(minus_rate, u, w);
              });
}

template <class T>
INLINE void adamax(int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s) {
  const V<T> minus_alpha = set(T(-s.values[0] / (1 - power(s.values[1], s.step))));
  const V<T> fresh = set(T(1 - s.values[1])), keep = set(T(s.values[2])), small = set(T(s.values[3]));
  each_weight(count, parameters, s, 0.7,
              [=](const Parameter<T>& p, V<T> g, V<T> w, int64_t i, auto mask) INLINE_LAMBDA -> V<T> {
                const V<T> m = follow(p.slots[0] + i, g, fresh, mask);
                const V<T> u = max(keep * load(p.slots[1] + i, mask), magnitude<T>(g));
                store(p.slots[1] + i, u, mask);
                return w + minus_alpha * m / (u + small);
              });
}

template <class T>
INLINE void nadam(int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s) {
  const V<T> of_m = set(T(-s.values[0] * s.values[4])), of_g = set(T(-s.values[0] * s.values[5]));
  const V<T> correction = set(T(1 / (1 - power(s.values[2], s.step)))), small = set(T(s.values[3]));
  const Moments<T> moments(s);
  each_weight(count, parameters, s, 0.8,
              [=](const Parameter<T>& p, V<T> g, V<T> w, int64_t i, auto mask) INLINE_LAMBDA -> V<T> {
                const V<T> m = moments.first_of(p, g, i, mask), v = moments.second_of(p, g, i, mask);
                return w + fma(of_m, m, of_g * g) / (sqrt(v * correction) + small);
              });
}

/// x^p for x of at least 0.
template <class T>
INLINE V<T> raised(V<T> x, double p) {
  if (p == 0.5) return sqrt(x);
  if (p == 0) return set(T(1));
  return exp(set(T(p)) * log(x));
}

template <class T>
INLINE void ftrl(int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s) {
  const double p_of = s.values[1];
  const V<T> by_rate = set(T(1 / s.values[0])), l1 = set(T(s.values[2])), twice_l2 = set(T(2 * s.values[3]));
  const V<T> shrinkage = set(T(2 * s.values[4]));
  each_weight(count, parameters, s, 2.0,
              [=](const Parameter<T>& p, V<T> g, V<T> w, int64_t i, auto mask) INLINE_LAMBDA -> V<T> {
                const V<T> before = load(p.slots[0] + i, mask), sum = fma(g, g, before);
                const V<T> root = raised<T>(sum, p_of);
                const V<T> sigma = (root - raised<T>(before, p_of)) * by_rate;
                const V<T> z = load(p.slots[1] + i, mask) + fnma(sigma, w, fma(shrinkage, w, g));
                store(p.slots[0] + i, sum, mask);
                store(p.slots[1] + i, z, mask);
                return (max(-l1, min(l1, z)) - z) / fma(root, by_rate, twice_l2);
              });
}

template <class T>
INLINE void lion(int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s) {
  const V<T> rate = set(T(s.values[0])), minus_rate = -rate;
  const V<T> keep_1 = set(T(s.values[1])), fresh_1 = set(T(1 - s.values[1]));
  const V<T> keep_2 = set(T(s.values[2])), fresh_2 = set(T(1 - s.values[2]));
  each_weight(count, parameters, s, 0.5,
              [=](const Parameter<T>& p, V<T> g, V<T> w, int64_t i, auto mask) INLINE_LAMBDA -> V<T> {
                const V<T> c = fma(keep_1, load(p.slots[0] + i, mask), fresh_1 * g);
                blend(p.slots[0] + i, g, keep_2, fresh_2, mask);
                const V<T> down = select(less(zero<T>(), c), minus_rate, zero<T>());
                return w + select(unordered(c, c), c, select(less(c, zero<T>()), rate, down));
              });
}

/// sums[stride * piece] over a parameter's pieces, in order.
template <class T>
INLINE double joined(const Parameter<T>& p, const double* sums, int64_t stride) {
  double total = 0;
  const int64_t pieces = ceil_div(p.n, Parameter<T>::PIECE);
  for (int64_t k = p.start; k < p.start + pieces; ++k) total = total + sums[k * stride];
  return total;
}

template <class T>
INLINE int64_t pieces_of(int64_t count, const Parameter<T>* parameters) {
  const Parameter<T>& last = parameters[count - 1];
  return last.start + ceil_div(last.n, Parameter<T>::PIECE);
}

/// Two passes: moments and norms, then the weights, whose change is computed again.
template <class T>
INLINE void lamb(int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s) {
  constexpr int64_t PIECE = Parameter<T>::PIECE;
  if (count == 0) return;
  double* const sums = scratch_for<double>(Slot::caller, max_of(1, 2 * pieces_of(count, parameters)));
  const V<T> correction_1 = set(T(1 / (1 - power(s.values[1], s.step))));
  const V<T> correction_2 = set(T(1 / (1 - power(s.values[2], s.step)))), small = set(T(s.values[3]));
  const Moments<T> moments(s);
  const bool prepares = s.prepares;
  const V<T> most = set(s.clip > 0 ? T(s.clip) : T(__builtin_inf()));
  const auto change = [=](V<T> m, V<T> v)
                          INLINE_LAMBDA -> V<T> { return m * correction_1 / (sqrt(v * correction_2) + small); };
  each_piece(count, parameters, 1.2, [&](const Parameter<T>& p, int64_t piece, int64_t from, int64_t to) INLINE_LAMBDA {
    const V<T> scale = set(T(p.scale)), decay = set(T(p.decay));
    for (; from < to; from += PIECE, ++piece) {
      const int64_t n = min_of(PIECE, to - from);
      sums[2 * piece] = squares_of_row<T>(n, [=](int64_t k, auto mask) INLINE_LAMBDA -> V<T> {
        V<T> w = load(p.weights + from + k, mask);
        if (!prepares) return w;
        w = fnma(w, decay, w);
        store(p.weights + from + k, w, mask);
        return w;
      });
      sums[2 * piece + 1] = squares_of_row<T>(n, [=](int64_t k, auto mask) INLINE_LAMBDA -> V<T> {
        V<T> g = load(p.gradients + from + k, mask);
        if (prepares) g = max(-most, min(most, g * scale));
        return change(moments.first_of(p, g, from + k, mask), moments.second_of(p, g, from + k, mask));
      });
    }
  });
  each_piece(count, parameters, 0.8, [&](const Parameter<T>& p, int64_t, int64_t from, int64_t to) INLINE_LAMBDA {
    const double of_weights = joined(p, sums, 2), of_change = joined(p, sums + 1, 2);
    const bool both = of_weights > 0 && of_change > 0;
    const double trust = both ? __builtin_sqrt(of_weights) / __builtin_sqrt(of_change) : 1;
    const V<T> minus_rate = set(T(-s.values[0] * trust));
    each_vector<T>(to - from, [=](int64_t k, auto mask) INLINE_LAMBDA {
      const int64_t i = from + k;
      const V<T> u = change(load(p.slots[0] + i, mask), load(p.slots[1] + i, mask));
      store(p.weights + i, fma(minus_rate, u, load(p.weights + i, mask)), mask);
    });
  });
}

}  // namespace LAMINA_ISA

template <class Target, class T>
void optimizer_step(OptimizerRule rule, int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s) {
  switch (rule) {
    case OptimizerRule::sgd:
      return sgd(count, parameters, s);
    case OptimizerRule::rmsprop:
      return rmsprop(count, parameters, s);
    case OptimizerRule::adam:
      return adam(count, parameters, s);
    case OptimizerRule::adagrad:
      return adagrad(count, parameters, s);
    case OptimizerRule::adadelta:
      return adadelta(count, parameters, s);
    case OptimizerRule::adamax:
      return adamax(count, parameters, s);
    case OptimizerRule::nadam:
      return nadam(count, parameters, s);
    case OptimizerRule::ftrl:
      return ftrl(count, parameters, s);
    case OptimizerRule::lion:
      return lion(count, parameters, s);
    case OptimizerRule::lamb:
      return lamb(count, parameters, s);
  }
}

template <class Target, class T>
void gradient_squares(int64_t count, const Parameter<T>* parameters, double* squares) {
  constexpr int64_t PIECE = Parameter<T>::PIECE;
  if (count == 0) return;
  double* const sums = scratch_for<double>(Slot::caller, max_of(1, pieces_of(count, parameters)));
  each_piece(count, parameters, 0.15,
             [&](const Parameter<T>& p, int64_t piece, int64_t from, int64_t to) INLINE_LAMBDA {
               for (; from < to; from += PIECE, ++piece) {
                 const T* const g = p.gradients + from;
                 sums[piece] = squares_of_row<T>(min_of(PIECE, to - from),
                                                 [=](int64_t k, auto mask) INLINE_LAMBDA { return load(g + k, mask); });
               }
             });
  for (int64_t i = 0; i < count; ++i) squares[i] = joined(parameters[i], sums, 1);
}

template void optimizer_step<Target>(OptimizerRule, int64_t, const Parameter<float>*, const OptimizerSettings&);
DOUBLE template void optimizer_step<Target>(OptimizerRule, int64_t, const Parameter<double>*, const OptimizerSettings&);
template void gradient_squares<Target>(int64_t, const Parameter<float>*, double*);
DOUBLE template void gradient_squares<Target>(int64_t, const Parameter<double>*, double*);

}  // namespace lamina
