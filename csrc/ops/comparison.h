// Comparisons and logic of two arrays with NumPy's broadcasting: y = 1 where they hold, else 0.
//
//   equal, not_equal, less, less_equal          as IEEE 754 says: with NaN all are false, but for not_equal
//   magnitude_equal, magnitude_less             |a| == b, |a| < b
//   logical_and, logical_or, logical_xor        of a != 0 and b != 0
#pragma once
#include <cstdint>

#include "support/shape.h"
#include "support/stream.h"

namespace lamina {

enum class Comparison {
  equal,
  not_equal,
  less,
  less_equal,
  magnitude_equal,
  magnitude_less,
  logical_and,
  logical_or,
  logical_xor
};

/// y[i] = a[i'] op b[i''] over the broadcast shape s. T: float, double, or uint8_t for booleans.
template <class Target, class T>
void compare(Comparison comparison, const Broadcast& s, const T* a, const T* b, uint8_t* y);

namespace cuda {  // the same, and the same bits, over device memory; of float16 and bfloat16 too, with float32 within

template <class T>
void compare(Comparison comparison, const Broadcast& s, const T* a, const T* b, uint8_t* y, Stream stream);

}  // namespace cuda
}  // namespace lamina
