#include "cuda/support/sums.cuh"
#include "ops/bias_backward.h"
#include "support/activation.h"

namespace lamina::cuda {
namespace bias_backward_op {

template <Activation A, class S>
struct Term {
  using T = Computed<S>;
  int64_t n;
  const S *y, *dy;
  S* dz;
  __device__ T operator()(int64_t, int64_t row, int64_t column) const {
    const int64_t at = row * n + column;
    T d = dy[at];
    if constexpr (A != Activation::linear) {
      d = activation_gradient<A, T>(T(y[at]), d);
      dz[at] = d;
    }
    return d;
  }
};

template <Activation A, class T>
struct Gradient {
  __device__ T operator()(T y, T dy) const { return activation_gradient<A, T>(y, dy); }
};

}  // namespace bias_backward_op
using namespace bias_backward_op;

template <class S>
void bias_backward(int64_t rows, int64_t n, const S* y, const S* dy, Activation activation, S* dz, S* db,
                   Stream stream) {
  with_activation(activation, [&](auto a) {
    constexpr Activation A = decltype(a)::value;
    if (db)
      sum_columns(1, rows, n, stream, Term<A, S>{n, y, dy, dz}, db);
    else if (A != Activation::linear)
      map(rows * n, stream, Gradient<A, Computed<S>>{}, dz, y, dy);
  });
}

template void bias_backward(int64_t, int64_t, const float*, const float*, Activation, float*, float*, Stream);
template void bias_backward(int64_t, int64_t, const double*, const double*, Activation, double*, double*, Stream);
template void bias_backward(int64_t, int64_t, const Float16*, const Float16*, Activation, Float16*, Float16*, Stream);
template void bias_backward(int64_t, int64_t, const BFloat16*, const BFloat16*, Activation, BFloat16*, BFloat16*,
                            Stream);

}  // namespace lamina::cuda
