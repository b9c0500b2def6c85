#include "cuda/support/cuda.cuh"
#include "ops/relu.h"

namespace lamina::cuda {

template <class T>
struct ReluForward {
  const T* x;
  T* y;
  __device__ void operator()(int64_t i) const { y[i] = x[i] < T(0) ? T(0) : x[i]; }  // NaN is not less
};

template <class T>
struct ReluBackward {
  const T *y, *dy;
  T* dx;
  __device__ void operator()(int64_t i) const { dx[i] = y[i] > T(0) ? dy[i] : T(0); }
};

template <class T>
void relu_forward(int64_t n, const T* x, T* y, Stream stream) {
  each(n, stream, ReluForward<T>{x, y});
}

template <class T>
void relu_backward(int64_t n, const T* y, const T* dy, T* dx, Stream stream) {
  each(n, stream, ReluBackward<T>{y, dy, dx});
}

template void relu_forward(int64_t, const float*, float*, Stream);
template void relu_forward(int64_t, const double*, double*, Stream);
template void relu_backward(int64_t, const float*, const float*, float*, Stream);
template void relu_backward(int64_t, const double*, const double*, double*, Stream);

}  // namespace lamina::cuda
