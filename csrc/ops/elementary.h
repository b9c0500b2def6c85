// Elementary functions, element by element: exp, log, expm1, log1p, sqrt, erf, sigmoid, tanh, binary_step, and their
// gradients.
//
// At most 4 ULP (sqrt: exactly rounded), the same bits on every instruction set; see support/math.h. NaN stays NaN.
// y may be x and dx may be dy.
#pragma once
#include <cstdint>

namespace lamina {

/// y[i] = e^x[i].
template <class Target, class T>
void exp_forward(int64_t n, const T* x, T* y);
/// y[i] = log(x[i]): -infinity at 0, NaN below.
template <class Target, class T>
void log_forward(int64_t n, const T* x, T* y);
/// y[i] = e^x[i] - 1, exact near 0 too.
template <class Target, class T>
void expm1_forward(int64_t n, const T* x, T* y);
/// y[i] = log(1 + x[i]), exact near 0 too: -infinity at -1, NaN below.
template <class Target, class T>
void log1p_forward(int64_t n, const T* x, T* y);
/// y[i] = sqrt(x[i]): NaN below 0.
template <class Target, class T>
void sqrt_forward(int64_t n, const T* x, T* y);
/// y[i] = erf(x[i]), 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x[i].
template <class Target, class T>
void erf_forward(int64_t n, const T* x, T* y);
/// y[i] = 1 / (1 + e^-x[i]).
template <class Target, class T>
void sigmoid_forward(int64_t n, const T* x, T* y);
/// y[i] = tanh(x[i]).
template <class Target, class T>
void tanh_forward(int64_t n, const T* x, T* y);
/// y[i] = x[i] >= 0 ? 1 : 0.
template <class Target, class T>
void binary_step_forward(int64_t n, const T* x, T* y);

/// dx[i] = dy[i] y[i].
template <class Target, class T>
void exp_backward(int64_t n, const T* y, const T* dy, T* dx);
/// dx[i] = dy[i] / x[i].
template <class Target, class T>
void log_backward(int64_t n, const T* x, const T* dy, T* dx);
/// dx[i] = dy[i] (y[i] + 1).
template <class Target, class T>
void expm1_backward(int64_t n, const T* y, const T* dy, T* dx);
/// dx[i] = dy[i] / (1 + x[i]).
template <class Target, class T>
void log1p_backward(int64_t n, const T* x, const T* dy, T* dx);
/// dx[i] = dy[i] / (2 y[i]).
template <class Target, class T>
void sqrt_backward(int64_t n, const T* y, const T* dy, T* dx);
/// dx[i] = dy[i] 2 / sqrt(pi) e^(-x[i]^2).
template <class Target, class T>
void erf_backward(int64_t n, const T* x, const T* dy, T* dx);
/// dx[i] = dy[i] y[i] (1 - y[i]).
template <class Target, class T>
void sigmoid_backward(int64_t n, const T* y, const T* dy, T* dx);
/// dx[i] = dy[i] (1 - y[i]^2).
template <class Target, class T>
void tanh_backward(int64_t n, const T* y, const T* dy, T* dx);

}  // namespace lamina
