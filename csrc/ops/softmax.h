// softmax over rows: y = e^(x - max x) / sum e^(x - max x), which never overflows.
//
// A row of -infinity alone, or with +infinity or NaN in it, gives NaN. Sums run over 16 virtual lanes; see
// cpu/support/row.h.
#pragma once
#include <cstdint>

namespace lamina {

/// y[r, :] = softmax(x[r, :]); x, y: (rows, n); y may be x.
template <class Target, class T>
void softmax_forward(int64_t rows, int64_t n, const T* x, T* y);

/// dx[r, :] = y[r, :] (dy[r, :] - sum over j of dy[r, j] y[r, j]); dx may be dy.
template <class Target, class T>
void softmax_backward(int64_t rows, int64_t n, const T* y, const T* dy, T* dx);

}  // namespace lamina
