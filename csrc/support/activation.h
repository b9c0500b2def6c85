// Activations over V<T> (see support/math.h): what products and convolutions do after the bias.
#pragma once
#include "ops/activation.h"
#include "support/math.h"

namespace lamina::LAMINA_ISA {

template <Activation A>
struct ActivationOf {
  static constexpr Activation value = A;
};

/// f(ActivationOf<activation>{}): a run-time choice becomes a template argument.
template <class F>
INLINE void with_activation(Activation activation, F&& f) {
  switch (activation) {
    case Activation::linear:
      return f(ActivationOf<Activation::linear>{});
    case Activation::relu:
      return f(ActivationOf<Activation::relu>{});
    case Activation::sigmoid:
      return f(ActivationOf<Activation::sigmoid>{});
    case Activation::tanh:
      return f(ActivationOf<Activation::tanh>{});
  }
}

/// activation(x), lane by lane; the same bits as the ops of these names.
template <Activation A, class T>
INLINE V<T> activate(V<T> x) {
  if constexpr (A == Activation::relu) return max(zero<T>(), x);  // the second operand wins on NaN
  if constexpr (A == Activation::sigmoid) return sigmoid(x);
  if constexpr (A == Activation::tanh) return tanh(x);
  return x;
}

/// dy times the derivative, from the activation's output y; the same bits as the ops' backward.
template <Activation A, class T>
INLINE V<T> activation_gradient(V<T> y, V<T> dy) {
  if constexpr (A == Activation::relu) return select(less(zero<T>(), y), dy, zero<T>());
  if constexpr (A == Activation::sigmoid) return dy * (y * (set(T(1)) - y));
  if constexpr (A == Activation::tanh) return dy * fnma(y, y, set(T(1)));
  return dy;
}

}  // namespace lamina::LAMINA_ISA
