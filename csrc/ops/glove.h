// GloVe: vectors of words whose products are the logarithms of how often the words stand near one another.
//
// For an entry (i, j, x) of the matrix, with the rows w[i] and c[j], biases in the columns `size` and `size + 1`:
//     d = sum over k of w[i][k] c[j][k] + b[i] + b'[j] - log x;   loss += weight d^2 / 2
//     g = rate weight d c[j][k] for w[i][k] (and the other way round), clipped to 100;
//     w -= g / sqrt(square);   square += g^2                                  (AdaGrad)
// w[i][size + 1] and c[j][size] are 1 and stay so: the product of the rows holds the biases.
//
// Numerics: as in word2vec.h. The d of a block of entries are found with the rows as they stood at its beginning, then
// its entries change the rows one after the other. Threads split slices of the columns; the loss is summed in double,
// in the order of the entries.
#pragma once
#include <cstdint>

namespace lamina {

struct Glove {
  static constexpr int64_t BLOCK = 64;
  static constexpr int64_t UNIT = 16;

  int64_t count;  // of entries
  const int32_t* rows;
  const int32_t* columns;
  const float* target;  // log x
  const float* weight;
  int64_t size, width;  // numbers in a vector; floats in a row, at least two more, a multiple of 16
  float rate;
  float *w, *c;                // words x width
  float *w_square, *c_square;  // the same
  double* loss;                // one
};

template <class Target>
void glove(const Glove& s);

}  // namespace lamina
