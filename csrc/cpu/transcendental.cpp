#include "ops/transcendental.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/broadcast.h"
#include "cpu/support/elementwise.h"
#include "support/transcendental.h"

namespace lamina {
namespace LAMINA_ISA {

using F = TranscendentalFunction;
using Pair = TranscendentalPair;
constexpr int64_t BLOCK = BROADCAST_BLOCK;  // numbers, which stay in L1

template <class T>
constexpr double WORK = sizeof(T) == 4 ? 0.8 : 2;  // nanoseconds a number

/// y[i] = f(x[i]) for a block; y may be x.
template <F f, bool DERIVATIVE, class T>
[[gnu::noinline]] static void evaluate(int64_t n, const T* x, T* y) {
  each_vector<T>(n, [&](int64_t i, auto mask) INLINE_LAMBDA {
    const V<T> v = load(x + i, mask);
    if constexpr (DERIVATIVE)
      store(y + i, transcendental_derivative<f, T>(v), mask);
    else
      store(y + i, transcendental_value<f, T>(v), mask);
  });
}

template <Pair f, bool FLOATS>
[[gnu::noinline]] static void evaluate_pair(int64_t n, double* a, const double* b) {
  for (int64_t i = 0; i < n; i += lanes<double>) {
    const V<double> x = load(a + i), y = load(b + i);
    const V<double> result = transcendental_pair_value<f, FLOATS>(x, y);
    store(a + i, result);
  }
}

template <class T>
using Block = void (*)(int64_t, const T*, T*);

/// The block function of f; null where T is float and f has none for it.
template <class T, F f, bool DERIVATIVE>
static Block<T> block_for() {
  if constexpr (sizeof(T) == 4 && !has_float_form(f))
    return nullptr;
  else
    return evaluate<f, DERIVATIVE, T>;
}

template <class T>
static Block<T> block_of(F f) {
  switch (f) {
    case F::sin:
      return block_for<T, F::sin, false>();
    case F::cos:
      return block_for<T, F::cos, false>();
    case F::tan:
      return block_for<T, F::tan, false>();
    case F::arcsin:
      return block_for<T, F::arcsin, false>();
    case F::arccos:
      return block_for<T, F::arccos, false>();
    case F::arctan:
      return block_for<T, F::arctan, false>();
    case F::sinh:
      return block_for<T, F::sinh, false>();
    case F::cosh:
      return block_for<T, F::cosh, false>();
    case F::arcsinh:
      return block_for<T, F::arcsinh, false>();
    case F::arccosh:
      return block_for<T, F::arccosh, false>();
    case F::arctanh:
      return block_for<T, F::arctanh, false>();
    case F::log2:
      return block_for<T, F::log2, false>();
    case F::log10:
      return block_for<T, F::log10, false>();
  }
  return nullptr;
}

template <class T>
static Block<T> derivative_of(F f) {
  switch (f) {
    case F::sin:
      return block_for<T, F::cos, false>();
    case F::cos:
      return block_for<T, F::sin, false>();  // with the other sign
    case F::tan:
      return block_for<T, F::tan, true>();
    case F::arcsin:
      return block_for<T, F::arcsin, true>();
    case F::arccos:
      return block_for<T, F::arccos, true>();
    case F::arctan:
      return block_for<T, F::arctan, true>();
    case F::sinh:
      return block_for<T, F::cosh, false>();
    case F::cosh:
      return block_for<T, F::sinh, false>();
    case F::arcsinh:
      return block_for<T, F::arcsinh, true>();
    case F::arccosh:
      return block_for<T, F::arccosh, true>();
    case F::arctanh:
      return block_for<T, F::arctanh, true>();
    case F::log2:
      return block_for<T, F::log2, true>();
    case F::log10:
      return block_for<T, F::log10, true>();
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

/// write(first, count, to) for the blocks of [0, n): puts results into `to`, which is y's place or, for what goes past
/// the caches, a copy.
template <class T, class Write>
INLINE void each_block(int64_t n, double work, T* y, Write&& write) {
  const bool past_caches = n * int64_t(sizeof(T)) >= STREAM_BYTES && reinterpret_cast<uintptr_t>(y) % 64 == 0;
  each_part(n, work, [&](int64_t begin, int64_t count) INLINE_LAMBDA {
    alignas(64) T results[BLOCK];
    for (int64_t i = begin; i < begin + count; i += BLOCK) {
      const int64_t here = min_of(BLOCK, begin + count - i);
      const bool streamed = past_caches && here == BLOCK;
      write(i, here, streamed ? results : y + i);
      if (streamed)
        for (int64_t j = 0; j < BLOCK; j += lanes<T>) stream(y + i + j, load(results + j));
    }
    if (past_caches) stream_fence();
  });
}

/// The values of a block, computed in U.
template <class U, class T>
INLINE void evaluate_in(Block<U> block, int64_t n, const T* x, U* values) {
  if constexpr (sizeof(T) == sizeof(U)) {
    block(n, x, values);
  } else {
    for (int64_t j = 0; j < n; ++j) values[j] = U(x[j]);
    block(n, values, values);
  }
}

template <class U, class T>
INLINE void forward_in(F f, int64_t n, const T* x, T* y) {
  const Block<U> block = block_of<U>(f);
  each_block(n, WORK<U>, y, [&](int64_t first, int64_t count, T* to) INLINE_LAMBDA {
    if constexpr (sizeof(T) == sizeof(U)) {
      block(count, x + first, to);
    } else {
      alignas(64) U values[BLOCK];
      evaluate_in(block, count, x + first, values);
      for (int64_t j = 0; j < count; ++j) to[j] = T(values[j]);
    }
  });
}
template <class U, class T>
INLINE void backward_in(F f, int64_t n, const T* x, const T* dy, T* dx) {
  const Block<U> block = derivative_of<U>(f);
  const U sign = f == F::cos ? -1 : 1;
  each_block(n, WORK<U>, dx, [&](int64_t first, int64_t count, T* to) INLINE_LAMBDA {
    alignas(64) U values[BLOCK];
    evaluate_in(block, count, x + first, values);
    for (int64_t j = 0; j < count; ++j) to[j] = T(U(dy[first + j]) * (values[j] * sign));
  });
}

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <class Target, class T>
void transcendental_forward(TranscendentalFunction f, int64_t n, const T* x, T* y) {
  if (sizeof(T) == 4 && has_float_form(f)) return forward_in<T>(f, n, x, y);
  forward_in<double>(f, n, x, y);
}

template <class Target, class T>
void transcendental_backward(TranscendentalFunction f, int64_t n, const T* x, const T* dy, T* dx) {
  if (sizeof(T) == 4 && has_float_form(f)) return backward_in<T>(f, n, x, dy, dx);
  backward_in<double>(f, n, x, dy, dx);
}

template <class Target, class T>
void transcendental_pair(TranscendentalPair f, const Broadcast& s, const T* a, const T* b, T* y) {
  if (s.elements == 0) return;
  const PairBlock evaluate_block = pair_of<sizeof(T) == 4>(f);
  each_part(s.elements, 2 * WORK<double>, [&](int64_t begin, int64_t count) INLINE_LAMBDA {
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
DOUBLE template void transcendental_forward<Target>(TranscendentalFunction, int64_t, const double*, double*);
template void transcendental_backward<Target>(TranscendentalFunction, int64_t, const float*, const float*, float*);
DOUBLE template void transcendental_backward<Target>(TranscendentalFunction, int64_t, const double*, const double*,
                                                     double*);
template void transcendental_pair<Target>(TranscendentalPair, const Broadcast&, const float*, const float*, float*);
DOUBLE template void transcendental_pair<Target>(TranscendentalPair, const Broadcast&, const double*, const double*,
                                                 double*);

}  // namespace lamina
