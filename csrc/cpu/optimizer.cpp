#include "ops/optimizer.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/parallel.h"

namespace lamina {
using namespace LAMINA_ISA;

namespace LAMINA_ISA {

/// f(parameter, index, mask) for the vectors of all parameters.
template <class T, class F>
INLINE void each_parameter(int64_t count, const Parameter<T>* parameters, double work, F&& f) {
  constexpr int64_t PIECE = Parameter<T>::PIECE;
  if (count == 0) return;
  const int64_t pieces = parameters[count - 1].start + ceil_div(parameters[count - 1].n, PIECE);
  parallel_for(pieces, work * PIECE, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t p = 0; p < count; ++p) {
      const Parameter<T> parameter = parameters[p];
      const int64_t from = max_of(begin - parameter.start, 0) * PIECE;
      const int64_t to = min_of((end - parameter.start) * PIECE, parameter.n);
      if (from >= to) continue;
      each_vector<T>(to - from, [&](int64_t i, auto mask) INLINE_LAMBDA { f(parameter, from + i, mask); });
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

}  // namespace LAMINA_ISA

template <class Target, class T>
void sgd_step(int64_t count, const Parameter<T>* parameters, T rate, T momentum, bool nesterov) {
  const V<T> minus_rate = set(-rate), keep = set(momentum);
  each_parameter(count, parameters, 0.4, [&](const Parameter<T>& p, int64_t i, auto mask) INLINE_LAMBDA {
    const V<T> g = load(p.gradients + i, mask), w = load(p.weights + i, mask);
    if (!p.first) return store(p.weights + i, fma(minus_rate, g, w), mask);
    const V<T> change = minus_rate * g, velocity = fma(keep, load(p.first + i, mask), change);
    store(p.first + i, velocity, mask);
    store(p.weights + i, w + (nesterov ? fma(keep, velocity, change) : velocity), mask);
  });
}

template <class Target, class T>
void adam_step(int64_t count, const Parameter<T>* parameters, double rate, double beta_1, double beta_2, T epsilon,
               int64_t step) {
  const V<T> minus_alpha = set(T(-rate * __builtin_sqrt(1 - power(beta_2, step)) / (1 - power(beta_1, step))));
  const V<T> fresh_1 = set(T(1 - beta_1)), fresh_2 = set(T(1 - beta_2)), small = set(epsilon);
  each_parameter(count, parameters, 0.8, [&](const Parameter<T>& p, int64_t i, auto mask) INLINE_LAMBDA {
    const V<T> g = load(p.gradients + i, mask), before_1 = load(p.first + i, mask), before_2 = load(p.second + i, mask);
    const V<T> m = fma(g - before_1, fresh_1, before_1);
    const V<T> v = fma(fma(g, g, -before_2), fresh_2, before_2);
    store(p.first + i, m, mask);
    store(p.second + i, v, mask);
    store(p.weights + i, load(p.weights + i, mask) + minus_alpha * m / (sqrt(v) + small), mask);
  });
}

template void sgd_step<Target>(int64_t, const Parameter<float>*, float, float, bool);
template void sgd_step<Target>(int64_t, const Parameter<double>*, double, double, bool);
template void adam_step<Target>(int64_t, const Parameter<float>*, double, double, double, float, int64_t);
template void adam_step<Target>(int64_t, const Parameter<double>*, double, double, double, double, int64_t);

}  // namespace lamina
