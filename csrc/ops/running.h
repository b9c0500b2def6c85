// Running sums and products: y[o][r][i] = x[o][0][i] op ... op x[o][r][i], in order; reversed: from the last r to the
// first.
//
// x: (outer, length, inner); y may be x.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

enum class Running { sum, product };

template <class Target, class T>
void running(Running operation, bool reversed, int64_t outer, int64_t length, int64_t inner, const T* x, T* y);

namespace cuda {  // the same, and the same bits, over device memory

template <class T>
void running(Running operation, bool reversed, int64_t outer, int64_t length, int64_t inner, const T* x, T* y,
             Stream stream);

}  // namespace cuda
}  // namespace lamina
