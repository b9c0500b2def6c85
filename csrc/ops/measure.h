// measure: what this processor can do at most, for the benchmarks: its fused multiply-adds and its memory bandwidth.
#pragma once
#include <cstdint>

namespace lamina {

/// Independent chains of float32 fused multiply-adds in registers, `rounds` links long, on one thread for each of the
/// `parts` values of sink (which receive the chains' sums, so that no compiler drops them).
/// Returns the number of floating-point operations done, two for each multiply-add.
template <class Target>
int64_t measure_fma(int64_t rounds, int64_t parts, float* sink);

/// y[i] = x[i] for n values, written past the caches as large outputs are.
template <class Target>
void measure_copy(int64_t n, const float* x, float* y);

}  // namespace lamina
