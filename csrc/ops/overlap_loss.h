// What Dice and Tversky losses are made of: sums of products over rows, and a gradient that is linear in the targets.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

/// sums[r] = {sum t x, sum x, sum t} over row r of x, t: (rows, n). Rows are cut every 8192 values, the parts added in
/// order, so that one long row is shared out among the threads.
template <class Target, class T>
void overlap_sums(int64_t rows, int64_t n, const T* x, const T* t, T* sums);

/// dx[r, j] = a[r] t[r, j] + b[r].
template <class Target, class T>
void overlap_gradient(int64_t rows, int64_t n, const T* t, const T* a, const T* b, T* dx);

namespace cuda {  // the same, and the same bits, over device memory

template <class T>
void overlap_sums(int64_t rows, int64_t n, const T* x, const T* t, T* sums, Stream stream);

template <class T>
void overlap_gradient(int64_t rows, int64_t n, const T* t, const T* a, const T* b, T* dx, Stream stream);

}  // namespace cuda
}  // namespace lamina
