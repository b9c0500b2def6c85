#include "ops/optimizer.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"
#include "cpu/support/row_ahead.h"
#include "support/optimizer_rule.h"

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

/// A rule that needs nothing but the element: slots are read where they are kept, and written back.
template <class Rule, class T>
INLINE void step(int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s, double work) {
  const Rule rule(s);
  each_weight(count, parameters, s, work,
              [=](const Parameter<T>& p, V<T> g, V<T> w, int64_t i, auto mask) INLINE_LAMBDA -> V<T> {
                V<T> slot[OPTIMIZER_SLOTS];
                unsigned kept = 0;
                unroll<OPTIMIZER_SLOTS>([&](auto k) INLINE_LAMBDA {
                  slot[k] = p.slots[k] ? load(p.slots[k] + i, mask) : zero<T>();
                  kept |= unsigned(p.slots[k] != nullptr) << k;
                });
                const V<T> changed = rule.step(g, w, slot, kept);
                unroll<OPTIMIZER_SLOTS>([&](auto k) INLINE_LAMBDA {
                  if (p.slots[k]) store(p.slots[k] + i, slot[k], mask);
                });
                return changed;
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
  const Lamb<T> rule(s);
  const bool prepares = s.prepares;
  const V<T> most = set(s.clip > 0 ? T(s.clip) : T(__builtin_inf()));
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
        V<T> m = load(p.slots[0] + from + k, mask), v = load(p.slots[1] + from + k, mask);
        rule.averages.step(g, m, v);
        store(p.slots[0] + from + k, m, mask);
        store(p.slots[1] + from + k, v, mask);
        return rule.change(m, v);
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
      const V<T> u = rule.change(load(p.slots[0] + i, mask), load(p.slots[1] + i, mask));
      store(p.weights + i, fma(minus_rate, u, load(p.weights + i, mask)), mask);
    });
  });
}

}  // namespace LAMINA_ISA

template <class Target, class T>
void optimizer_step(OptimizerRule rule, int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s) {
  switch (rule) {
    case OptimizerRule::sgd:
      return step<Sgd<T>>(count, parameters, s, 0.4);
    case OptimizerRule::rmsprop:
      return step<RmsProp<T>>(count, parameters, s, 0.8);
    case OptimizerRule::adam:
      return step<Adam<T>>(count, parameters, s, 0.8);
    case OptimizerRule::adagrad:
      return step<Adagrad<T>>(count, parameters, s, 0.7);
    case OptimizerRule::adadelta:
      return step<Adadelta<T>>(count, parameters, s, 1.0);
    case OptimizerRule::adamax:
      return step<Adamax<T>>(count, parameters, s, 0.7);
    case OptimizerRule::nadam:
      return step<Nadam<T>>(count, parameters, s, 0.8);
    case OptimizerRule::ftrl:
      return step<Ftrl<T>>(count, parameters, s, 2.0);
    case OptimizerRule::lion:
      return step<Lion<T>>(count, parameters, s, 0.5);
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
