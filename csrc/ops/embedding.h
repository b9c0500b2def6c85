// The gradient of an embedding's table: sums of the rows of dy whose indices name one row of the table.
//
// Positions in dy come sorted by the row that they name, those of one row in order: segment u is
// order[first[u]], ..., order[first[u + 1] - 1].
//     y[rows[u]][j] = sum over the segment of dy[position][j]        (y[u][j] where there is no rows)
// in chains of 512 terms from 0, the chains added in order. Threads split segments and columns, never a sum.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

struct Segments {
  int64_t count;         // of segments; none is empty
  const int64_t* first;  // count + 1 places in order, from 0 up to `positions`
  const int64_t* order;
  const int64_t* rows;  // ascending, each once; null: 0, 1, ...
  int64_t positions;    // rows of dy
};

template <class Target, class T>
void embedding_backward(const Segments& s, int64_t width, const T* dy, T* y);

namespace cuda {  // the same, and the same bits, over device memory; what is out of range, or beyond the table's rows,
                  // is passed over. S: float16 and bfloat16 too, with T = float

template <class S, class T>
void embedding_backward(const Segments& s, int64_t width, int64_t table, const S* dy, T* y, Stream stream);

}  // namespace cuda
}  // namespace lamina
