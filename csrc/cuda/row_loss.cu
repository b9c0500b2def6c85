#include "cuda/support/row.cuh"
#include "ops/row_loss.h"

namespace lamina::cuda {
namespace row_loss_op {

template <class S>
struct Arrays {
  int64_t n;
  const S *x, *t;
  const Computed<S>* weights;
  Computed<S> divisor;
  Computed<S>* losses;
  S* dx;
};

template <class S, class T = Computed<S>>
__device__ T dot(int64_t n, RowLane lane, const S* x, const S* t) {
  return sum_row<T>(n, lane, [&](int64_t i, T& total) { total = fma(x[i], t[i], total); });
}
template <class T>
__device__ T inverse_of_norm(T squares) {
  const T norm = sqrt(squares);
  return norm < T(1e-7) ? T(1e7) : 1 / norm;
}

template <class S>
struct CosineSimilarity {
  using T = Computed<S>;
  Arrays<S> s;
  __device__ void operator()(int64_t r, RowLane lane) const {
    const int64_t n = s.n;
    const S *const x = s.x + r * n, *const t = s.t + r * n;
    const T squares = dot(n, lane, x, x);
    const T a = inverse_of_norm(squares), b = inverse_of_norm(dot(n, lane, t, t));
    const T cosine = dot(n, lane, x, t) * a * b, weight = s.weights ? s.weights[r] : T(1);
    if (lane.lane == 0) s.losses[r] = weight * -cosine;
    if (!s.dx) return;
    const T factor = weight / s.divisor;
    const T along = squares < T(1e-14) ? T(0) : factor * cosine * a * a, across = factor * a * b;
    each_of_row(n, lane, [&](int64_t i) { s.dx[r * n + i] = fnma(t[i], across, x[i] * along); });
  }
};

template <class S>
struct CategoricalHinge {
  using T = Computed<S>;
  Arrays<S> s;
  __device__ void operator()(int64_t r, RowLane lane) const {
    const int64_t n = s.n;
    const S *const x = s.x + r * n, *const t = s.t + r * n;
    const auto wrong = [&](int64_t i) { return (T(1) - t[i]) * x[i]; };
    T most = -Elementary<T>::INFINITE;
    each_of_row(n, lane, [&](int64_t i) { most = max(most, wrong(i)); });
    most = fold(lane, most, [](T a, T b) { return a > b ? a : b; });
    const T gap = most - dot(n, lane, x, t) + 1, weight = s.weights ? s.weights[r] : T(1);
    if (lane.lane == 0) s.losses[r] = weight * (gap < 0 ? T(0) : gap);
    S* const to = s.dx ? s.dx + r * n : nullptr;
    if (to && gap > 0) {
      const auto is_most = [&](int64_t i) { return wrong(i) == most ? T(1) : T(0); };
      const T factor = weight / s.divisor;
      const T equals = sum_row<T>(n, lane, [&](int64_t i, T& total) { total = total + is_most(i); });
      const T share = factor / equals;
      each_of_row(n, lane, [&](int64_t i) { to[i] = fnma(t[i], factor, (T(1) - t[i]) * (is_most(i) * share)); });
    } else if (to) {
      each_of_row(n, lane, [&](int64_t i) { to[i] = gap < 0 ? T(0) : gap; });
    }
  }
};

}  // namespace row_loss_op
using namespace row_loss_op;

template <class S, class T>
void row_loss(RowLoss loss, int64_t rows, int64_t n, const S* x, const S* t, const T* weights, T divisor, T* losses,
              S* dx, Stream stream) {
  const Arrays<S> s{n, x, t, weights, divisor, losses, dx};
  loss == RowLoss::cosine_similarity ? each_row(rows, stream, CosineSimilarity<S>{s})
                                     : each_row(rows, stream, CategoricalHinge<S>{s});
}

template void row_loss(RowLoss, int64_t, int64_t, const float*, const float*, const float*, float, float*, float*,
                       Stream);
template void row_loss(RowLoss, int64_t, int64_t, const double*, const double*, const double*, double, double*, double*,
                       Stream);
template void row_loss(RowLoss, int64_t, int64_t, const Float16*, const Float16*, const float*, float, float*, Float16*,
                       Stream);
template void row_loss(RowLoss, int64_t, int64_t, const BFloat16*, const BFloat16*, const float*, float, float*,
                       BFloat16*, Stream);

}  // namespace lamina::cuda
