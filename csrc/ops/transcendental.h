// Functions of one number or two.
//
// sin, cos, tan, sinh, cosh, log2 and log10 are computed in the dtype at hand, at most 4 ULP off; the others in double
// precision (at most 4 ULP there) whatever the dtype, and rounded once to float, 0.51 ULP off. See
// support/trigonometry.h, support/float_trigonometry.h, support/power.h. The same bits on every instruction set. NaN
// stays NaN; angles in radians, of any size.
//   function   gradient, from x                 special values
//   sin        dy cos(x)                        NaN at infinities
//   cos        -dy sin(x)                       NaN at infinities
//   tan        dy (1 + tan(x)^2)                NaN at infinities
//   arcsin     dy / sqrt((1 - x) (1 + x))       NaN beyond +-1
//   arccos     -dy / sqrt((1 - x) (1 + x))      NaN beyond +-1
//   arctan     dy / (1 + x^2)
//   sinh       dy cosh(x)
//   cosh       dy sinh(x)
//   arcsinh    dy / sqrt(1 + x^2)
//   arccosh    dy / sqrt((x - 1) (x + 1))       NaN below 1
//   arctanh    dy / ((1 - x) (1 + x))           infinite at +-1, NaN beyond
//   log2       dy / (x log 2)                   -infinity at 0, NaN below; whole at powers of two
//   log10      dy / (x log 10)                  -infinity at 0, NaN below
// Pairs: arctan2 (the angle of the point (b, a)), hypot (sqrt(a^2 + b^2)), logaddexp (log(e^a + e^b)), power (a^b): all
// with IEEE 754's special values. logaddexp is max(a, b) + log(1 + e^-|a - b|): where these two cancel (results near 0)
// its error is 4 ULP of the terms, not of the result.
#pragma once
#include <cstdint>

#include "support/shape.h"
#include "support/stream.h"

namespace lamina {

enum class TranscendentalFunction {
  sin,
  cos,
  tan,
  arcsin,
  arccos,
  arctan,
  sinh,
  cosh,
  arcsinh,
  arccosh,
  arctanh,
  log2,
  log10
};
enum class TranscendentalPair { arctan2, hypot, logaddexp, power };

/// y[i] = f(x[i]); y may be x.
template <class Target, class T>
void transcendental_forward(TranscendentalFunction f, int64_t n, const T* x, T* y);

/// dx[i] = dy[i] f'(x[i]); dx may be dy.
template <class Target, class T>
void transcendental_backward(TranscendentalFunction f, int64_t n, const T* x, const T* dy, T* dx);

/// y[i] = f(a[i'], b[i'']) over the broadcast shape s.
template <class Target, class T>
void transcendental_pair(TranscendentalPair f, const Broadcast& s, const T* a, const T* b, T* y);

namespace cuda {  // the same, and the same bits, over device memory

template <class T>
void transcendental_forward(TranscendentalFunction f, int64_t n, const T* x, T* y, Stream stream);

template <class T>
void transcendental_backward(TranscendentalFunction f, int64_t n, const T* x, const T* dy, T* dx, Stream stream);

template <class T>
void transcendental_pair(TranscendentalPair f, const Broadcast& s, const T* a, const T* b, T* y, Stream stream);

}  // namespace cuda
}  // namespace lamina
