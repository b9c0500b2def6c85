// Rows by their numbers, and the way back: x of shape (outer, rows, inner), index of whole numbers in [0, rows).
//
// take:               y[o][i][j] = x[o][index[i]][j]
// scatter_add:        y[o][index[i]][j] += v[o][i][j]
// scatter_add_along:  y[o][index[o][i][j]][j] += v[o][i][j]
// A place that is named more than once gets its sum in the order of i, whatever the threads: they split places.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

/// The first place whose number is not in [0, rows), or -1.
template <class Target>
int64_t find_bad_index(int64_t count, int64_t rows, const int64_t* index);

template <class Target, class T>
void take(int64_t outer, int64_t rows, int64_t count, int64_t inner, const T* x, const int64_t* index, T* y);

template <class Target, class T>
void scatter_add(int64_t outer, int64_t rows, int64_t count, int64_t inner, const T* v, const int64_t* index, T* y);

template <class Target, class T>
void scatter_add_along(int64_t outer, int64_t rows, int64_t count, int64_t inner, const T* v, const int64_t* index,
                       T* y);

namespace cuda {  // the same, and the same bits, over device memory; numbers out of range are passed over.
                  // Of float16 and bfloat16 too: S, with T = float for the sums

template <class T>
void take(int64_t outer, int64_t rows, int64_t count, int64_t inner, const T* x, const int64_t* index, T* y,
          Stream stream);

template <class S, class T>
void scatter_add(int64_t outer, int64_t rows, int64_t count, int64_t inner, const S* v, const int64_t* index, T* y,
                 Stream stream);

template <class S, class T>
void scatter_add_along(int64_t outer, int64_t rows, int64_t count, int64_t inner, const S* v, const int64_t* index,
                       T* y, Stream stream);

}  // namespace cuda
}  // namespace lamina
