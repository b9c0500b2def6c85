#include "cuda/support/broadcast.cuh"
#include "ops/prelu.h"

namespace lamina::cuda {
namespace prelu_op {

template <class T>
struct Forward {
  __device__ T operator()(T x, T slope) const { return x > T(0) ? x : x * slope; }
};

/// N elements, and the slopes that belong to them.
template <int N, class S>
struct Backward {
  using T = Computed<S>;
  int64_t n;
  const S *x, *slopes, *dy;
  S *dx, *terms;
  __device__ void operator()(int64_t i) const {
    const int64_t at = i * N;
    const Pack<S, N> v = load_pack<N>(x + at), d = load_pack<N>(dy + at);
    if (dx) {
      const auto slope = pack_along<N>(slopes + (n == 1 ? 0 : at % n), n > 1);
      store_pack(dx + at, map_pack<N, S>([](T a, T b, T s) { return a > T(0) ? b : b * s; }, v, d, slope));
    }
    if (terms) store_pack(terms + at, map_pack<N, S>([](T a, T b) { return a > T(0) ? T(0) : a * b; }, v, d));
  }
};

}  // namespace prelu_op
using namespace prelu_op;

template <class S>
void prelu_forward(int64_t rows, int64_t n, const S* x, const S* slopes, S* y, Stream stream) {
  const int64_t shape[] = {rows, n}, slopes_shape[] = {n};
  const Broadcast s("prelu", 2, shape, 1, slopes_shape);
  if (s.elements) map_broadcast(s, stream, Forward<Computed<S>>{}, x, slopes, y);
}

template <class S>
void prelu_backward(int64_t rows, int64_t n, const S* x, const S* slopes, const S* dy, S* dx, S* terms, Stream stream) {
  constexpr int N = 16 / int(sizeof(S));
  const bool even = n == 1 ? rows % N == 0 : n % N == 0;
  if (even && is_packed<N>(x) && is_packed<N>(dy) && is_packed<N>(dx) && is_packed<N>(terms) &&
      (n == 1 || is_packed<N>(slopes)))
    each(rows * n / N, stream, Backward<N, S>{n, x, slopes, dy, dx, terms});
  else
    each(rows * n, stream, Backward<1, S>{n, x, slopes, dy, dx, terms});
}

template void prelu_forward(int64_t, int64_t, const float*, const float*, float*, Stream);
template void prelu_forward(int64_t, int64_t, const double*, const double*, double*, Stream);
template void prelu_forward(int64_t, int64_t, const Float16*, const Float16*, Float16*, Stream);
template void prelu_forward(int64_t, int64_t, const BFloat16*, const BFloat16*, BFloat16*, Stream);
template void prelu_backward(int64_t, int64_t, const float*, const float*, const float*, float*, float*, Stream);
template void prelu_backward(int64_t, int64_t, const double*, const double*, const double*, double*, double*, Stream);
template void prelu_backward(int64_t, int64_t, const Float16*, const Float16*, const Float16*, Float16*, Float16*,
                             Stream);
template void prelu_backward(int64_t, int64_t, const BFloat16*, const BFloat16*, const BFloat16*, BFloat16*, BFloat16*,
                             Stream);

}  // namespace lamina::cuda
