// local_response_norm: y = x * s^-beta, s = k + alpha / size * (sum of x^2 over the channels near this one), for each
// row of x, rows x channels. Near channel c are c - size / 2 ... c + (size - 1) / 2, of those that there are.
//
// Numerics. The sum runs from the first channel to the last; s^-beta = exp(-beta log s), with square roots alone for
// 0.5 and 0.75. dx = dy s^-beta - 2 alpha beta / size * x * (sum of dy y / s over the channels that c is near to).
//
// Reference: Krizhevsky, Sutskever & Hinton 2012, "ImageNet Classification with Deep Convolutional Neural Networks",
// section 3.3; alpha is divided by size as in PyTorch.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

struct LocalResponseNorm {
  int64_t rows, channels, size;
  double alpha, beta, k;
};

template <class Target, class T>
void local_response_norm_forward(const LocalResponseNorm& s, const T* x, T* y);

template <class Target, class T>
void local_response_norm_backward(const LocalResponseNorm& s, const T* x, const T* dy, T* dx);

namespace cuda {  // the same, and the same bits, over device memory

template <class T>
void local_response_norm_forward(const LocalResponseNorm& s, const T* x, T* y, Stream stream);

template <class T>
void local_response_norm_backward(const LocalResponseNorm& s, const T* x, const T* dy, T* dx, Stream stream);

}  // namespace cuda
}  // namespace lamina
