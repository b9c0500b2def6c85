// Elementary functions, element by element, and their gradients.
//
// At most 4 ULP (sqrt: exactly rounded), the same bits on every instruction set; see support/math.h. NaN stays NaN.
//   function     y                          gradient              from  special values
//   exp          e^x                        dy y                  y
//   expm1        e^x - 1, exact near 0      dy (y + 1)            y
//   log          log(x)                     dy / x                x     -infinity at 0, NaN below
//   log1p        log(1 + x), exact near 0   dy / (1 + x)          x     -infinity at -1, NaN below
//   sqrt         sqrt(x)                    dy / (2 y)            y     NaN below 0
//   rsqrt        1 / sqrt(x)                -dy y^3 / 2           y     infinity at 0, NaN below
//   erf          erf(x)                     dy 2/sqrt(pi) e^-x^2  x
//   sigmoid      1 / (1 + e^-x)             dy y (1 - y)          y
//   tanh         tanh(x)                    dy (1 - y^2)          y
//   binary_step  x >= 0 ? 1 : 0             0                     y
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

enum class ElementaryFunction { exp, expm1, log, log1p, sqrt, rsqrt, erf, sigmoid, tanh, binary_step };

/// y[i] = f(x[i]); y may be x.
template <class Target, class T>
void elementary_forward(ElementaryFunction f, int64_t n, const T* x, T* y);

/// dx[i] from dy[i] and saved[i], which is the forward's x or y as the table says; dx may be dy.
template <class Target, class T>
void elementary_backward(ElementaryFunction f, int64_t n, const T* saved, const T* dy, T* dx);

namespace cuda {  // the same, and the same bits, over device memory; of float16 and bfloat16 too, with float32 within

template <class T>
void elementary_forward(ElementaryFunction f, int64_t n, const T* x, T* y, Stream stream);

template <class T>
void elementary_backward(ElementaryFunction f, int64_t n, const T* saved, const T* dy, T* dx, Stream stream);

}  // namespace cuda
}  // namespace lamina
