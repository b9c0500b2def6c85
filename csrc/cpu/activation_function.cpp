#include "ops/activation_function.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/elementwise.h"
#include "support/activation_function.h"

namespace lamina {
namespace LAMINA_ISA {

/// out[i] = f(x[i], dy[i]), 64 values at a time with the body compiled once: the ragged end goes through a copy. All
/// 64 are computed before any is written; see map.
template <class T, class Body>
INLINE void transform(int64_t n, double work, const T* x, const T* dy, T* out, Body&& body) {
  constexpr int SIZE = 64;
  const bool past_caches = n * int64_t(sizeof(T)) >= STREAM_BYTES && reinterpret_cast<uintptr_t>(out) % 64 == 0;
  each_part(n, work, [&](int64_t begin, int64_t count) INLINE_LAMBDA {
    alignas(64) T spare_x[SIZE] = {}, spare_dy[SIZE] = {}, spare_out[SIZE];
    for (int64_t i = 0; i < count; i += SIZE) {
      const int64_t rest = count - i;
      const T *from = x + begin + i, *from_dy = dy + begin + i;
      T* to = out + begin + i;
      if (rest < SIZE) {
        for (int64_t k = 0; k < rest; ++k) {
          spare_x[k] = from[k];
          spare_dy[k] = from_dy[k];
        }
        from = spare_x;
        from_dy = spare_dy;
        to = spare_out;
      }
      alignas(64) T values[SIZE];
#pragma GCC unroll 1
      for (int k = 0; k < SIZE; k += lanes<T>) store(values + k, body(load(from + k), load(from_dy + k)));
      if (past_caches && rest >= SIZE)
        for (int k = 0; k < SIZE; k += lanes<T>) stream(to + k, load(values + k));
      else
        for (int k = 0; k < SIZE; k += lanes<T>) store(to + k, load(values + k));
      if (rest < SIZE)
        for (int64_t k = 0; k < rest; ++k) out[begin + i + k] = spare_out[k];
    }
    if (past_caches) stream_fence();
  });
}

/// f(Int<number>{}) for the function asked for.
template <class Body>
INLINE void with_function(ActivationFunction f, Body&& body) {
  with_constant<ACTIVATION_FUNCTIONS>(int(f) + 1, [&](auto i) INLINE_LAMBDA { body(Int<i - 1>{}); });
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void activation_function_forward(ActivationFunction f, int64_t n, const T* x, T* y, ActivationParameters<T> given) {
  const ActivationLanes<T> p{set(given.a), set(given.b), set(given.c)};
  with_function(f, [&](auto number) INLINE_LAMBDA {
    constexpr auto which = ActivationFunction(int(number));
    transform(n, 0.6, x, x, y, [&](V<T> v, V<T>) INLINE_LAMBDA { return activation_value<which, T>(v, p); });
  });
}

template <class Target, class T>
void activation_function_backward(ActivationFunction f, int64_t n, const T* x, const T* dy, T* dx,
                                  ActivationParameters<T> given) {
  const ActivationLanes<T> p{set(given.a), set(given.b), set(given.c)};
  with_function(f, [&](auto number) INLINE_LAMBDA {
    constexpr auto which = ActivationFunction(int(number));
    transform(n, 0.8, x, dy, dx, [&](V<T> v, V<T> d) INLINE_LAMBDA { return activation_slope<which, T>(v, d, p); });
  });
}

template void activation_function_forward<Target>(ActivationFunction, int64_t, const float*, float*,
                                                  ActivationParameters<float>);
DOUBLE template void activation_function_forward<Target>(ActivationFunction, int64_t, const double*, double*,
                                                         ActivationParameters<double>);
template void activation_function_backward<Target>(ActivationFunction, int64_t, const float*, const float*, float*,
                                                   ActivationParameters<float>);
DOUBLE template void activation_function_backward<Target>(ActivationFunction, int64_t, const double*, const double*,
                                                          double*, ActivationParameters<double>);

}  // namespace lamina
