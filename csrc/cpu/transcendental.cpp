#include "ops/transcendental.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/broadcast.h"
#include "cpu/support/elementwise.h"
#include "support/power.h"
#include "support/trigonometry.h"

namespace lamina {
namespace LAMINA_ISA {

using F = TranscendentalFunction;
using Pair = TranscendentalPair;
constexpr int64_t BLOCK = BROADCAST_BLOCK;  // numbers in double precision, which stay in L1
constexpr double WORK = 2;                  // nanoseconds a number

template <F f>
INLINE V<double> value(V<double> x) {
  if constexpr (f == F::sin) return sine_of(x, 0);
  if constexpr (f == F::cos) return sine_of(x, 1);
  if constexpr (f == F::tan) return tangent(x);
  if constexpr (f == F::arcsin) return arcsine(x);
  if constexpr (f == F::arccos) return arccosine(x);
  if constexpr (f == F::arctan) return arctangent(x);
  if constexpr (f == F::sinh) return hyperbolic_sine(x);
  if constexpr (f == F::cosh) return hyperbolic_cosine(x);
  if constexpr (f == F::arcsinh) return inverse_hyperbolic_sine(x);
  if constexpr (f == F::arccosh) return inverse_hyperbolic_cosine(x);
  if constexpr (f == F::arctanh) return inverse_hyperbolic_tangent(x);
  if constexpr (f == F::log2) return log2_of(x);
  if constexpr (f == F::log10) return log10_of(x);
}

/// Of those functions whose derivatives are not among them.
template <F f>
INLINE V<double> derivative(V<double> x) {
  const V<double> one = set(1.0);
  if constexpr (f == F::tan) {
    const V<double> t = tangent(x);
    return fma(t, t, one);
  }
  if constexpr (f == F::arcsin) return one / opposite(x);
  if constexpr (f == F::arccos) return -one / opposite(x);
  if constexpr (f == F::arctan) return one / fma(x, x, one);
  if constexpr (f == F::arcsinh) return one / sqrt(fma(x, x, one));
  if constexpr (f == F::arccosh) return one / sqrt((x - one) * (x + one));
  if constexpr (f == F::arctanh) return one / ((one - x) * (one + x));
  if constexpr (f == F::log2) return set(0x1.71547652b82fep+0) / x;
  if constexpr (f == F::log10) return set(0x1.bcb7b1526e50ep-2) / x;
}

/// v[i] = f(v[i]) for a block; one copy of each, for floats and doubles.
template <F f, bool DERIVATIVE>
[[gnu::noinline]] static void evaluate(int64_t n, double* v) {
  for (int64_t i = 0; i < n; i += lanes<double>) {
    const V<double> x = load(v + i);
    if constexpr (DERIVATIVE)
      store(v + i, derivative<f>(x));
    else
      store(v + i, value<f>(x));
  }
}

template <Pair f, bool FLOATS>
[[gnu::noinline]] static void evaluate_pair(int64_t n, double* a, const double* b) {
  for (int64_t i = 0; i < n; i += lanes<double>) {
    const V<double> x = load(a + i), y = load(b + i);
    V<double> result;
    if constexpr (f == Pair::arctan2) result = arctangent_of(x, y);
    if constexpr (f == Pair::hypot) result = hypotenuse(x, y);
    if constexpr (f == Pair::logaddexp) result = log_add_exp(x, y);
    if constexpr (f == Pair::power && FLOATS) result = power_of_floats(x, y);
    if constexpr (f == Pair::power && !FLOATS) result = power_of(x, y);
    store(a + i, result);
  }
}

using Block = void (*)(int64_t, double*);

static Block block_of(F f) {
  switch (f) {
    case F::sin:
      return evaluate<F::sin, false>;
    case F::cos:
      return evaluate<F::cos, false>;
    case F::tan:
      return evaluate<F::tan, false>;
    case F::arcsin:
      return evaluate<F::arcsin, false>;
    case F::arccos:
      return evaluate<F::arccos, false>;
    case F::arctan:
      return evaluate<F::arctan, false>;
    case F::sinh:
      return evaluate<F::sinh, false>;
    case F::cosh:
      return evaluate<F::cosh, false>;
    case F::arcsinh:
      return evaluate<F::arcsinh, false>;
    case F::arccosh:
      return evaluate<F::arccosh, false>;
    case F::arctanh:
      return evaluate<F::arctanh, false>;
    case F::log2:
      return evaluate<F::log2, false>;
    case F::log10:
      return evaluate<F::log10, false>;
  }
  return nullptr;
}

static Block derivative_of(F f) {
  switch (f) {
    case F::sin:
      return evaluate<F::cos, false>;
    case F::cos:
      return evaluate<F::sin, false>;  // with the other sign
    case F::tan:
      return evaluate<F::tan, true>;
    case F::arcsin:
      return evaluate<F::arcsin, true>;
    case F::arccos:
      return evaluate<F::arccos, true>;
    case F::arctan:
      return evaluate<F::arctan, true>;
    case F::sinh:
      return evaluate<F::cosh, false>;
    case F::cosh:
      return evaluate<F::sinh, false>;
    case F::arcsinh:
      return evaluate<F::arcsinh, true>;
    case F::arccosh:
      return evaluate<F::arccosh, true>;
    case F::arctanh:
      return evaluate<F::arctanh, true>;
    case F::log2:
      return evaluate<F::log2, true>;
    case F::log10:
      return evaluate<F::log10, true>;
  }
  return nullptr;
}

using PairBlock = void (*)(int64_t, double*, const double*);

template <bool FLOATS>
static PairBlock pair_of(Pair f) {
  switch (f) {
    case Pair::arctan2:
      return evaluate_pair<Pair::arctan2, false>;
    case Pair::hypot:
      return evaluate_pair<Pair::hypot, false>;
    case Pair::logaddexp:
      return evaluate_pair<Pair::logaddexp, false>;
    case Pair::power:
      return evaluate_pair<Pair::power, FLOATS>;
  }
  return nullptr;
}

/// write(first, count, values) for the blocks of [0, n), the values being evaluated from x.
template <class T, class Write>
INLINE void each_block(Block evaluate_block, int64_t n, const T* x, Write&& write) {
  each_part(n, WORK, [&](int64_t begin, int64_t count) INLINE_LAMBDA {
    alignas(64) double values[BLOCK];
    for (int64_t i = 0; i < count; i += BLOCK) {
      const int64_t here = min_of(BLOCK, count - i);
      const T* const from = x + begin + i;
      for (int64_t j = 0; j < here; ++j) values[j] = double(from[j]);
      for (int64_t j = here; j < round_up(here, lanes<double>); ++j) values[j] = 1;
      evaluate_block(here, values);
      write(begin + i, here, values);
    }
  });
}

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <class Target, class T>
void transcendental_forward(TranscendentalFunction f, int64_t n, const T* x, T* y) {
  each_block(block_of(f), n, x, [&](int64_t first, int64_t count, const double* values) INLINE_LAMBDA {
    for (int64_t i = 0; i < count; ++i) y[first + i] = T(values[i]);
  });
}

template <class Target, class T>
void transcendental_backward(TranscendentalFunction f, int64_t n, const T* x, const T* dy, T* dx) {
  const double sign = f == TranscendentalFunction::cos ? -1 : 1;
  each_block(derivative_of(f), n, x, [&](int64_t first, int64_t count, const double* values) INLINE_LAMBDA {
    for (int64_t i = 0; i < count; ++i) dx[first + i] = T(double(dy[first + i]) * (values[i] * sign));
  });
}

template <class Target, class T>
void transcendental_pair(TranscendentalPair f, const Broadcast& s, const T* a, const T* b, T* y) {
  if (s.elements == 0) return;
  const PairBlock evaluate_block = pair_of<sizeof(T) == 4>(f);
  each_part(s.elements, 2 * WORK, [&](int64_t begin, int64_t count) INLINE_LAMBDA {
    alignas(64) double left[BLOCK], right[BLOCK];
    BroadcastWalk walk(s, begin);
    for (int64_t i = 0; i < count; i += BLOCK) {
      const int64_t here = min_of(BLOCK, count - i);
      gather_block(s, walk, here, a, b, left, right);
      for (int64_t j = here; j < round_up(here, lanes<double>); ++j) left[j] = right[j] = 1;
      evaluate_block(here, left, right);
      for (int64_t j = 0; j < here; ++j) y[begin + i + j] = T(left[j]);
    }
  });
}

template void transcendental_forward<Target>(TranscendentalFunction, int64_t, const float*, float*);
template void transcendental_forward<Target>(TranscendentalFunction, int64_t, const double*, double*);
template void transcendental_backward<Target>(TranscendentalFunction, int64_t, const float*, const float*, float*);
template void transcendental_backward<Target>(TranscendentalFunction, int64_t, const double*, const double*, double*);
template void transcendental_pair<Target>(TranscendentalPair, const Broadcast&, const float*, const float*, float*);
template void transcendental_pair<Target>(TranscendentalPair, const Broadcast&, const double*, const double*, double*);

}  // namespace lamina
