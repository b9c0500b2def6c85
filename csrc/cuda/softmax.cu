#include "cuda/support/elementwise.cuh"
#include "cuda/support/row.cuh"
#include "ops/gemm.h"  // CHAIN
#include "ops/softmax.h"

namespace lamina::cuda {
namespace softmax_op {

template <Softmax KIND, class T>
struct Rows {
  int64_t n;
  const T* x;
  T* y;
  __device__ void operator()(int64_t row, RowLane lane) const {
    const T* const from = x + row * n;
    T* const to = y + row * n;
    const T most = largest(n, lane, from);
    const T sum = sum_row<T>(n, lane, [&](int64_t i, T& total) {
      const T below = from[i] - most, power = exp(below);
      to[i] = KIND == Softmax::plain ? power : below;
      total = total + power;
    });
    const T last = KIND == Softmax::plain ? T(1) / sum : log(sum);
    each_of_row(n, lane, [&](int64_t i) { to[i] = KIND == Softmax::plain ? to[i] * last : to[i] - last; });
  }
};

template <Softmax KIND, class T>
__device__ T gradient(T y, T dy, T sum) {
  return KIND == Softmax::plain ? y * (dy - sum) : fnma(exp(y), sum, dy);
}

template <Softmax KIND, class T>
struct RowsBackward {
  int64_t n;
  const T *y, *dy;
  T* dx;
  __device__ void operator()(int64_t row, RowLane lane) const {
    const T *const out = y + row * n, *const d = dy + row * n;
    const T sum = sum_row<T>(n, lane, [&](int64_t i, T& total) {
      total = KIND == Softmax::plain ? fma(out[i], d[i], total) : total + d[i];
    });
    each_of_row(n, lane, [&](int64_t i) { dx[row * n + i] = gradient<KIND>(out[i], d[i], sum); });
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
template <Softmax KIND, class T>
struct Columns {
  int64_t n, inner;
  const T* x;
  T* y;
  __device__ void operator()(int64_t column) const {
    const int64_t first = column / inner * n * inner + column % inner;
    const T* const from = x + first;
    T* const to = y + first;
    T most = from[0];
    for (int64_t k = 1; k < n; ++k) most = max(most, from[k * inner]);
    const T sum = sum_down<T>(n, [&](int64_t k, T chain) {
      const T below = from[k * inner] - most, power = exp(below);
      to[k * inner] = KIND == Softmax::plain ? power : below;
      return chain + power;
    });
    const T last = KIND == Softmax::plain ? T(1) / sum : log(sum);
    for (int64_t k = 0; k < n; ++k)
      to[k * inner] = KIND == Softmax::plain ? to[k * inner] * last : to[k * inner] - last;
  }
};

template <Softmax KIND, class T>
struct ColumnsBackward {
  int64_t n, inner;
  const T *y, *dy;
  T* dx;
  __device__ void operator()(int64_t column) const {
    const int64_t first = column / inner * n * inner + column % inner;
    const T *const out = y + first, *const d = dy + first;
    const T sum = sum_down<T>(n, [&](int64_t k, T chain) {
      return KIND == Softmax::plain ? fma(out[k * inner], d[k * inner], chain) : chain + d[k * inner];
    });
    for (int64_t k = 0; k < n; ++k) dx[first + k * inner] = gradient<KIND>(out[k * inner], d[k * inner], sum);
  }
};

template <Softmax KIND, class T>
void forward(int64_t outer, int64_t n, int64_t inner, const T* x, T* y, Stream stream) {
  if (inner == 1)
    each_row(outer, stream, Rows<KIND, T>{n, x, y});
  else
    each(outer * inner, stream, Columns<KIND, T>{n, inner, x, y});
}

template <Softmax KIND, class T>
void backward(int64_t outer, int64_t n, int64_t inner, const T* y, const T* dy, T* dx, Stream stream) {
  if (inner == 1)
    each_row(outer, stream, RowsBackward<KIND, T>{n, y, dy, dx});
  else
    each(outer * inner, stream, ColumnsBackward<KIND, T>{n, inner, y, dy, dx});
}

}  // namespace softmax_op
using namespace softmax_op;

template <class T>
void softmax_forward(Softmax kind, int64_t outer, int64_t n, int64_t inner, const T* x, T* y, Stream stream) {
  if (n == 0) return;
  kind == Softmax::plain ? forward<Softmax::plain>(outer, n, inner, x, y, stream)
                         : forward<Softmax::logarithm>(outer, n, inner, x, y, stream);
}

template <class T>
void softmax_backward(Softmax kind, int64_t outer, int64_t n, int64_t inner, const T* y, const T* dy, T* dx,
                      Stream stream) {
  if (n == 0) return;
  kind == Softmax::plain ? backward<Softmax::plain>(outer, n, inner, y, dy, dx, stream)
                         : backward<Softmax::logarithm>(outer, n, inner, y, dy, dx, stream);
}

template void softmax_forward(Softmax, int64_t, int64_t, int64_t, const float*, float*, Stream);
template void softmax_forward(Softmax, int64_t, int64_t, int64_t, const double*, double*, Stream);
template void softmax_backward(Softmax, int64_t, int64_t, int64_t, const float*, const float*, float*, Stream);
template void softmax_backward(Softmax, int64_t, int64_t, int64_t, const double*, const double*, double*, Stream);

}  // namespace lamina::cuda
