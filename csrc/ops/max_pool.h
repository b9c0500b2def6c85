// max_pool: y[n, o..., c] = max over the window of x[n, start(o) + k..., c], over one, two or three axes
//
// Padding never wins. Of equal values the first wins (kd, then kh, then kw), so +0 and -0 count as equal; a NaN wins
// over every number, the last one over the others. The winner's place in its window, (kd * KH + kh) * KW + kw, is kept
// in a byte where windows have at most 256 places, else in 32 bits: 5 bytes an output instead of 12.
//
// Backward gathers: a pixel of dx adds dy of the windows that hold it, in order of windows, where the offset names the
// pixel. Every dx is written once and nothing is zeroed first. Offsets are compared, never followed: whatever they
// hold, nothing outside the arrays is touched; an offset that names no place of its window sends its gradient nowhere.
#pragma once
#include "ops/pool.h"
#include "support/stream.h"

namespace lamina {

/// From this many places on, a window's offsets are int32 instead of uint8.
constexpr int64_t MAX_POOL_BYTE_PLACES = 256;

/// Offset: uint8_t, or int32_t for windows of more than 256 places. offsets may be null (no gradient wanted).
template <class Target, class T, class Offset>
void max_pool_forward(const Pool& s, const T* x, T* y, Offset* offsets);

template <class Target, class T, class Offset>
void max_pool_backward(const Pool& s, const T* dy, const Offset* offsets, T* dx);

namespace cuda {  // the same, and the same bits, over device memory; of float16 and bfloat16 too, with float32 within

template <class T, class Offset>
void max_pool_forward(const Pool& s, const T* x, T* y, Offset* offsets, Stream stream);

template <class T, class Offset>
void max_pool_backward(const Pool& s, const T* dy, const Offset* offsets, T* dx, Stream stream);

}  // namespace cuda
}  // namespace lamina
