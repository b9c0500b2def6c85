// Activations, element by element, with their gradients; up to three parameters a, b, c.
//
//   rectifier           x > c: min(x, b), else a (x - c)         a: slope below, b: largest value, c: threshold
//   exponential_linear  x > 0: b x, else b a (e^(c x) - 1)       elu (a, 1, 1), celu (a, 1, 1 / a), selu
//   gelu                x / 2 (1 + erf(x / sqrt 2))
//   gelu_tanh           x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
//   silu                x / (1 + e^-x)
//   softplus            log(1 + e^(a x)) b, as max(x, 0) + log(1 + e^-|a x|) b;  b: 1 / a
//   log_sigmoid         -log(1 + e^-x), as min(x, 0) - log(1 + e^-|x|)
//   softsign            x / (1 + |x|)
//   mish                x tanh(log(1 + e^x))
//   ramp                a x + b, cut to [0, 1]                   hard_sigmoid (1/6, 1/2), sparse_sigmoid (1/2, 1/2)
//   hard_silu           x ramp(x) with (1/6, 1/2)
//   clip                x, cut to [a, b]                         hard_tanh
//   hard_shrink         |x| > a: x, else 0
//   soft_shrink         x - clip(x, -a, a)
//   tanh_shrink         x - tanh x
//   threshold           x > a: x, else b
//   squareplus          (x + sqrt(x^2 + a)) / 2
//   sparse_plus         0 below -1, (x + 1)^2 / 4, x from 1 on
//   clamp               x, cut to [a, b]; at the bounds the gradient is dy   clip of arrays
//
// NaN stays NaN. Where a function is cut or bends, its gradient is that of the left side (of the flat side at an upper
// cut). Nothing but the elementary functions of support/math.h: the same bits on every instruction set.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

/// Python passes the number.
enum class ActivationFunction : int {
  rectifier,
  exponential_linear,
  gelu,
  gelu_tanh,
  silu,
  softplus,
  log_sigmoid,
  softsign,
  mish,
  ramp,
  hard_silu,
  clip,
  hard_shrink,
  soft_shrink,
  tanh_shrink,
  threshold,
  squareplus,
  sparse_plus,
  clamp
};
constexpr int ACTIVATION_FUNCTIONS = int(ActivationFunction::clamp) + 1;

template <class T>
struct ActivationParameters {
  T a, b, c;
};

/// y[i] = f(x[i]) for n elements; y may be x.
template <class Target, class T>
void activation_function_forward(ActivationFunction f, int64_t n, const T* x, T* y, ActivationParameters<T> parameters);

/// dx[i] = dy[i] f'(x[i]); dx may be dy or x.
template <class Target, class T>
void activation_function_backward(ActivationFunction f, int64_t n, const T* x, const T* dy, T* dx,
                                  ActivationParameters<T> parameters);

namespace cuda {  // the same, and the same bits, over device memory; S: float16 and bfloat16 too, with T = float

template <class S, class T>
void activation_function_forward(ActivationFunction f, int64_t n, const S* x, S* y, ActivationParameters<T> parameters,
                                 Stream stream);

template <class S, class T>
void activation_function_backward(ActivationFunction f, int64_t n, const S* x, const S* dy, S* dx,
                                  ActivationParameters<T> parameters, Stream stream);

}  // namespace cuda
}  // namespace lamina
