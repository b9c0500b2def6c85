// Adafactor: squares of gradients are remembered by row and by column alone, so that a matrix costs a vector's memory.
//
// A parameter is seen as matrices x rows x columns (its last two axes), and h = g^2 + epsilon_1:
//   r = beta r + (1 - beta) mean of h over columns, c = beta c + (1 - beta) mean of h over rows,
//   u = g / sqrt(r / mean(r) * c), mean(r) over the rows of one matrix;
// a parameter of one axis or none has v instead, of its own shape: v = beta v + (1 - beta) h, u = g / sqrt(v). Then
//   w -= rate * max(epsilon_2, rms(w)) / max(1, rms(u) / threshold) * u.
//
// Numerics. Row sums are Row's; column sums are chains over 512 rows, joined in order in float64; so are the sums of
// squares, row by row.
//
// Reference: Shazeer & Stern 2018, arXiv:1804.04235, with the order of Keras's arithmetic.
#pragma once
#include <cstdint>

#include "support/setting.h"
#include "support/stream.h"

namespace lamina {

template <class T>
struct FactoredParameter {
  int64_t matrices, rows, columns;
  T* weights;
  const T* gradients;
  T *r, *c;  // matrices x rows, matrices x columns; null where there is v
  T* v;      // columns; then there is one matrix of one row
};

struct AdafactorSettings {
  double rate, beta, epsilon_1, epsilon_2, threshold;
};

template <class Target, class T>
void adafactor_step(int64_t count, const FactoredParameter<T>* parameters, const AdafactorSettings& s);

namespace cuda {  // the same, and the same bits, over device memory

/// Lists of parameters and settings are the host's; rate and beta, which change from step to step, may lie in device
/// memory: a launch that is captured in a graph reads them anew at each replay.
struct DeviceAdafactorSettings {
  const double* rate = nullptr;  // where they are not null they count
  const double* beta = nullptr;
};
template <class T>
void adafactor_step(int64_t count, const FactoredParameter<T>* parameters, const AdafactorSettings& s,
                    const DeviceAdafactorSettings& there, Stream stream);

}  // namespace cuda
}  // namespace lamina
