#include "cuda/support/packs.cuh"
#include "cuda/support/row.cuh"
#include "ops/loss.h"

namespace lamina::cuda {
namespace loss_op {

constexpr int64_t PART = 512 * ROW_LANES;  // of sum_row

/// A row is a part of the losses; divisor 1 while there are more.
template <class T>
struct Parts {
  int64_t n;
  const T* losses;
  Setting<double> divisor;
  T* sums;
  __device__ void operator()(int64_t part, RowLane lane) const {
    const T* const from = losses + part * PART;
    const T sum =
        sum_row<T>(min_of(PART, n - part * PART), lane, [&](int64_t i, T& total) { total = total + from[i]; });
    if (lane.lane == 0) sums[part] = sum / T(divisor);
  }
};

template <class S>
struct ScaleRows {
  using T = Computed<S>;
  int64_t n;
  const S* x;
  const T* factors;
  int64_t step;
  S* y;
  template <int N>
  __device__ void run(int64_t at) const {
    const T factor = factors[step ? split(at, n).rest * step : 0];
    Pack<T, N> v = load_wide<N>(x + at);
#pragma unroll
    for (int e = 0; e < N; ++e) v[e] = v[e] * factor;
    store_wide(y + at, v);
  }
};

}  // namespace loss_op
using namespace loss_op;

template <class T>
void loss_sum(int64_t n, const T* losses, Setting<double> divisor, T* total, Stream stream) {
  const int64_t parts = max_of(1, ceil_div(n, PART));
  if (parts == 1) return each_row(1, stream, Parts<T>{n, losses, divisor, total});
  const Scratch<T> scratch(parts, stream);
  T* const sums = scratch.data();
  each_row(parts, stream, Parts<T>{n, losses, 1, sums});
  each(1, stream, [=] __device__(int64_t) {
    T sum = sums[0];
    for (int64_t part = 1; part < parts; ++part) sum = sum + sums[part];
    *total = sum / T(divisor);
  });
}

template <class S, class T>
void scale_rows(int64_t rows, int64_t n, const S* x, const T* factors, int64_t step, S* y, Stream stream) {
  if (step == 0) n = n * rows;
  each_pack<S>(step == 0 ? n : rows * n, packs_fit<S>(n, x, y), stream, ScaleRows<S>{n, x, factors, step, y});
}

template void loss_sum(int64_t, const float*, Setting<double>, float*, Stream);
template void loss_sum(int64_t, const double*, Setting<double>, double*, Stream);
template void scale_rows(int64_t, int64_t, const float*, const float*, int64_t, float*, Stream);
template void scale_rows(int64_t, int64_t, const double*, const double*, int64_t, double*, Stream);
template void scale_rows(int64_t, int64_t, const Float16*, const float*, int64_t, Float16*, Stream);
template void scale_rows(int64_t, int64_t, const BFloat16*, const float*, int64_t, BFloat16*, Stream);

}  // namespace lamina::cuda
