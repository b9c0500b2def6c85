// running_sum: y[o][r][i] = x[o][0][i] + ... + x[o][r][i], added up in order; reversed: from the last r to the first.
//
// x: (outer, length, inner); y may be x.
#pragma once
#include <cstdint>

namespace lamina {

template <class Target, class T>
void running_sum(bool reversed, int64_t outer, int64_t length, int64_t inner, const T* x, T* y);

}  // namespace lamina
