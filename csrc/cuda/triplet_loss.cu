#include "cuda/support/row.cuh"
#include "ops/triplet_loss.h"

namespace lamina::cuda {
namespace triplet_loss_op {

template <class T>
struct Rows {
  int64_t n;
  const T *x, *p, *q, *weights;
  T divisor;
  T *losses, *dx, *dp, *dq;
  T margin;
  bool swap;

  __device__ T distance(RowLane lane, const T* u, const T* v) const {
    return sqrt(sum_row<T>(n, lane, [&](int64_t i, T& total) {
      const T d = u[i] - v[i] + T(1e-6);
      total = fma(d, d, total);
    }));
  }
  __device__ void operator()(int64_t r, RowLane lane) const {
    const int64_t at = r * n;
    const T near = distance(lane, x + at, p + at);
    T far = distance(lane, x + at, q + at);
    bool swapped = false;
    if (swap) {
      const T other = distance(lane, p + at, q + at);
      swapped = other < far;
      if (swapped) far = other;
    }
    const T gap = near - far + margin, weight = weights ? weights[r] : T(1);
    if (lane.lane == 0) losses[r] = weight * (gap < 0 ? T(0) : gap);
    if (!dx) return;
    const T factor = gap < 0 ? T(0) : weight / divisor;
    const T pull = near > 0 ? factor / near : T(0), push = far > 0 ? factor / far : T(0);
    const T* const from = swapped ? p : x;
    each_of_row(n, lane, [&](int64_t i) {
      const T nearer = (x[at + i] - p[at + i] + T(1e-6)) * pull;
      const T farther = (from[at + i] - q[at + i] + T(1e-6)) * push;
      dx[at + i] = swapped ? nearer : nearer - farther;
      dp[at + i] = swapped ? -nearer - farther : -nearer;
      dq[at + i] = farther;
    });
  }
};

}  // namespace triplet_loss_op
using namespace triplet_loss_op;

template <class T>
void triplet_loss(int64_t rows, int64_t n, const T* x, const T* p, const T* q, const T* weights, T divisor, T* losses,
                  T* dx, T* dp, T* dq, T margin, bool swap, Stream stream) {
  each_row(rows, stream, Rows<T>{n, x, p, q, weights, divisor, losses, dx, dp, dq, margin, swap});
}

template void triplet_loss(int64_t, int64_t, const float*, const float*, const float*, const float*, float, float*,
                           float*, float*, float*, float, bool, Stream);
template void triplet_loss(int64_t, int64_t, const double*, const double*, const double*, const double*, double,
                           double*, double*, double*, double*, double, bool, Stream);

}  // namespace lamina::cuda
