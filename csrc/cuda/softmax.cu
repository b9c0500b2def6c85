#include "cuda/support/elementwise.cuh"
#include "cuda/support/row.cuh"
#include "ops/gemm.h"  // CHAIN
#include "ops/softmax.h"

namespace lamina::cuda {
namespace softmax_op {

/// y of x - most, once the sum of the powers has said its `last`: its inverse, or its logarithm. Powers are computed
/// anew: that is cheaper than to write and to read them.
template <Softmax KIND, class T>
__device__ T value_of(T below, T last) {
  return KIND == Softmax::plain ? exp(below) * last : below - last;
}
template <Softmax KIND, class T>
__device__ T last_of(T sum) {
  return KIND == Softmax::plain ? T(1) / sum : log(sum);
}

template <Softmax KIND, class S>
struct Rows {
  using T = Computed<S>;
  int64_t n;
  const S* x;
  S* y;
  __device__ void operator()(int64_t row, RowLane lane) const {
    const S* const from = x + row * n;
    S* const to = y + row * n;
    const T most = largest(n, lane, from);
    const T sum = sum_row<T>(n, lane, [&](int64_t i, T& total) { total = total + exp(from[i] - most); });
    const T last = last_of<KIND>(sum);
    each_of_row(n, lane, [&](int64_t i) { to[i] = value_of<KIND>(from[i] - most, last); });
  }
};

template <Softmax KIND, class T>
__device__ T gradient(T y, T dy, T sum) {
  return KIND == Softmax::plain ? y * (dy - sum) : fnma(exp(y), sum, dy);
}

template <Softmax KIND, class S>
struct RowsBackward {
  using T = Computed<S>;
  int64_t n;
  const S *y, *dy;
  S* dx;
  __device__ void operator()(int64_t row, RowLane lane) const {
    const S *const out = y + row * n, *const d = dy + row * n;
    const T sum = sum_row<T>(n, lane, [&](int64_t i, T& total) {
      total = KIND == Softmax::plain ? fma(out[i], d[i], total) : total + d[i];
    });
    each_of_row(n, lane, [&](int64_t i) { dx[row * n + i] = gradient<KIND, T>(out[i], d[i], sum); });
  }
};

/// The sum of n terms in order, in chains of CHAIN: add(k, chain).
template <class T, class F>
__device__ T sum_down(int64_t n, F&& add) {
  T total = 0;
  for (int64_t begin = 0; begin < n; begin += CHAIN) {
    T chain = 0;
    for (int64_t k = begin; k < min_of(begin + CHAIN, n); ++k) chain = add(k, chain);
    total = begin == 0 ? chain : total + chain;
  }
  return total;
}

/// An axis with others behind it: a thread has a column, its neighbours the columns beside it.
template <Softmax KIND, class S>
struct Columns {
  using T = Computed<S>;
  int64_t n, inner;
  const S* x;
  S* y;
  __device__ void operator()(int64_t column) const {
    const int64_t first = column / inner * n * inner + column % inner;
    const S* const from = x + first;
    S* const to = y + first;
    T most = from[0];
    for (int64_t k = 1; k < n; ++k) most = max(most, T(from[k * inner]));
    const T sum = sum_down<T>(n, [&](int64_t k, T chain) { return chain + exp(from[k * inner] - most); });
    const T last = last_of<KIND>(sum);
    for (int64_t k = 0; k < n; ++k) to[k * inner] = value_of<KIND>(from[k * inner] - most, last);
  }
};

template <Softmax KIND, class S>
struct ColumnsBackward {
  using T = Computed<S>;
  int64_t n, inner;
  const S *y, *dy;
  S* dx;
  __device__ void operator()(int64_t column) const {
    const int64_t first = column / inner * n * inner + column % inner;
    const S *const out = y + first, *const d = dy + first;
    const T sum = sum_down<T>(n, [&](int64_t k, T chain) {
      return KIND == Softmax::plain ? fma(out[k * inner], d[k * inner], chain) : chain + d[k * inner];
    });
    for (int64_t k = 0; k < n; ++k) dx[first + k * inner] = gradient<KIND, T>(out[k * inner], d[k * inner], sum);
  }
};

template <Softmax KIND, class S>
void forward(int64_t outer, int64_t n, int64_t inner, const S* x, S* y, Stream stream) {
  if (inner == 1)
    each_row(outer, stream, Rows<KIND, S>{n, x, y});
  else
    each(outer * inner, stream, Columns<KIND, S>{n, inner, x, y});
}

template <Softmax KIND, class S>
void backward(int64_t outer, int64_t n, int64_t inner, const S* y, const S* dy, S* dx, Stream stream) {
  if (inner == 1)
    each_row(outer, stream, RowsBackward<KIND, S>{n, y, dy, dx});
  else
    each(outer * inner, stream, ColumnsBackward<KIND, S>{n, inner, y, dy, dx});
}

}  // namespace softmax_op
using namespace softmax_op;

template <class S>
void softmax_forward(Softmax kind, int64_t outer, int64_t n, int64_t inner, const S* x, S* y, Stream stream) {
  if (n == 0) return;
  kind == Softmax::plain ? forward<Softmax::plain>(outer, n, inner, x, y, stream)
                         : forward<Softmax::logarithm>(outer, n, inner, x, y, stream);
}

template <class S>
void softmax_backward(Softmax kind, int64_t outer, int64_t n, int64_t inner, const S* y, const S* dy, S* dx,
                      Stream stream) {
  if (n == 0) return;
  kind == Softmax::plain ? backward<Softmax::plain>(outer, n, inner, y, dy, dx, stream)
                         : backward<Softmax::logarithm>(outer, n, inner, y, dy, dx, stream);
}

template void softmax_forward(Softmax, int64_t, int64_t, int64_t, const float*, float*, Stream);
template void softmax_forward(Softmax, int64_t, int64_t, int64_t, const double*, double*, Stream);
template void softmax_forward(Softmax, int64_t, int64_t, int64_t, const Float16*, Float16*, Stream);
template void softmax_forward(Softmax, int64_t, int64_t, int64_t, const BFloat16*, BFloat16*, Stream);
template void softmax_backward(Softmax, int64_t, int64_t, int64_t, const float*, const float*, float*, Stream);
template void softmax_backward(Softmax, int64_t, int64_t, int64_t, const double*, const double*, double*, Stream);
template void softmax_backward(Softmax, int64_t, int64_t, int64_t, const Float16*, const Float16*, Float16*, Stream);
template void softmax_backward(Softmax, int64_t, int64_t, int64_t, const BFloat16*, const BFloat16*, BFloat16*, Stream);

}  // namespace lamina::cuda
