#include "cuda/support/elementwise.cuh"
#include "ops/relu.h"

namespace lamina::cuda {

template <class S>
void relu_forward(int64_t n, const S* x, S* y, Stream stream) {
  using T = Computed<S>;
  map(n, stream, [] __device__(T v) { return v < T(0) ? T(0) : v; }, y, x);  // NaN is not less
}

template <class S>
void relu_backward(int64_t n, const S* y, const S* dy, S* dx, Stream stream) {
  using T = Computed<S>;
  map(n, stream, [] __device__(T v, T d) { return v > T(0) ? d : T(0); }, dx, y, dy);
}

template void relu_forward(int64_t, const float*, float*, Stream);
template void relu_forward(int64_t, const double*, double*, Stream);
template void relu_forward(int64_t, const Float16*, Float16*, Stream);
template void relu_forward(int64_t, const BFloat16*, BFloat16*, Stream);
template void relu_backward(int64_t, const float*, const float*, float*, Stream);
template void relu_backward(int64_t, const double*, const double*, double*, Stream);
template void relu_backward(int64_t, const Float16*, const Float16*, Float16*, Stream);
template void relu_backward(int64_t, const BFloat16*, const BFloat16*, BFloat16*, Stream);

}  // namespace lamina::cuda
