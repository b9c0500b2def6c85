#include "cuda/support/elementwise.cuh"
#include "ops/relu.h"

namespace lamina::cuda {

template <class T>
void relu_forward(int64_t n, const T* x, T* y, Stream stream) {
  map(n, stream, [] __device__(T v) { return v < T(0) ? T(0) : v; }, y, x);  // NaN is not less
}

template <class T>
void relu_backward(int64_t n, const T* y, const T* dy, T* dx, Stream stream) {
  map(n, stream, [] __device__(T v, T d) { return v > T(0) ? d : T(0); }, dx, y, dy);
}

template void relu_forward(int64_t, const float*, float*, Stream);
template void relu_forward(int64_t, const double*, double*, Stream);
template void relu_backward(int64_t, const float*, const float*, float*, Stream);
template void relu_backward(int64_t, const double*, const double*, double*, Stream);

}  // namespace lamina::cuda
