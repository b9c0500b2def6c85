#include "cuda/support/elementwise.cuh"
#include "cuda/support/row.cuh"
#include "ops/pointwise_loss.h"
#include "support/pointwise_loss.h"

namespace lamina::cuda {
namespace pointwise_loss_op {

/// What a loss reads and writes.
template <class S>
struct Arrays {
  using T = Computed<S>;
  int64_t n;
  const S *x, *t;
  const T* weights;
  T divisor;
  T* losses;
  S* dx;
  LossParameters<T> parameters;
};

/// As evaluate, and NaN for a target that a cross entropy does not allow.
template <PointwiseLoss L, class T>
__device__ __forceinline__ ValueAndGradient<T> evaluate_checked(T x, T t, const LossParameters<T>& parameters) {
  const ValueAndGradient<T> both = evaluate<L, T>(x, t, parameters);
  if (!is_cross_entropy(L) || (t >= 0 && t <= 1)) return both;
  return {T(NAN), T(NAN)};
}

template <PointwiseLoss L, class S>
struct RowsOfOne {
  using T = Computed<S>;
  Arrays<S> s;
  __device__ void operator()(int64_t i) const {
    const auto [value, gradient] = evaluate_checked<L, T>(s.x[i], s.t[i], s.parameters);
    const T weight = s.weights ? s.weights[i] : T(1);
    s.losses[i] = weight * value;
    if (s.dx) s.dx[i] = gradient * (weight * (T(1) / s.divisor));
  }
};

template <PointwiseLoss L, class S>
struct RowsOfMany {
  using T = Computed<S>;
  Arrays<S> s;
  __device__ void operator()(int64_t row, RowLane lane) const {
    const T weight = (s.weights ? s.weights[row] : T(1)) / (L == PointwiseLoss::kl_divergence ? T(1) : T(s.n));
    const T scale = weight / s.divisor;
    const S *const x = s.x + row * s.n, *const t = s.t + row * s.n;
    S* const dx = s.dx ? s.dx + row * s.n : nullptr;
    const T sum = sum_row<T>(s.n, lane, [&](int64_t i, T& total) {
      const auto [value, gradient] = evaluate_checked<L, T>(x[i], t[i], s.parameters);
      total = total + value;
      if (dx) dx[i] = gradient * scale;
    });
    if (lane.lane == 0) s.losses[row] = sum * weight;
  }
};

template <PointwiseLoss L, class S>
void run(int64_t rows, const Arrays<S>& s, Stream stream) {
  s.n == 1 ? each(rows, stream, RowsOfOne<L, S>{s}) : each_row(rows, stream, RowsOfMany<L, S>{s});
}

}  // namespace pointwise_loss_op
using namespace pointwise_loss_op;

template <class S, class T>
void pointwise_loss(PointwiseLoss loss, int64_t rows, int64_t n, const S* x, const S* t, const T* weights, T divisor,
                    T* losses, S* dx, const LossParameters<T>& parameters, Stream stream) {
  const Arrays<S> s{n, x, t, weights, divisor, losses, dx, parameters};
  unroll<int(PointwiseLoss::squared_hinge) + 1>([&](auto number) {
    constexpr PointwiseLoss L = PointwiseLoss(int(decltype(number){}));
    if (loss == L) run<L>(rows, s, stream);
  });
}

template void pointwise_loss(PointwiseLoss, int64_t, int64_t, const float*, const float*, const float*, float, float*,
                             float*, const LossParameters<float>&, Stream);
template void pointwise_loss(PointwiseLoss, int64_t, int64_t, const double*, const double*, const double*, double,
                             double*, double*, const LossParameters<double>&, Stream);
template void pointwise_loss(PointwiseLoss, int64_t, int64_t, const Float16*, const Float16*, const float*, float,
                             float*, Float16*, const LossParameters<float>&, Stream);
template void pointwise_loss(PointwiseLoss, int64_t, int64_t, const BFloat16*, const BFloat16*, const float*, float,
                             float*, BFloat16*, const LossParameters<float>&, Stream);

}  // namespace lamina::cuda
