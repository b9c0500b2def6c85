#include "cuda/support/broadcast.cuh"
#include "ops/transcendental.h"
#include "support/transcendental.h"

namespace lamina::cuda {
namespace transcendental_op {

using F = TranscendentalFunction;
constexpr int FUNCTIONS = int(F::log10) + 1;

/// What f of T is computed in.
template <F f, class T>
using Wide = std::conditional_t<sizeof(T) == 4 && has_float_form(f), float, double>;

template <F f, class T>
struct Value {
  __device__ T operator()(T x) const { return T(transcendental_value<f, Wide<f, T>>(Wide<f, T>(x))); }
};

template <F f, class T>
struct Gradient {
  __device__ T operator()(T saved, T dy) const {
    using U = Wide<f, T>;
    const U x = U(saved);
    U slope;
    if constexpr (f == F::sin)
      slope = transcendental_value<F::cos, U>(x);
    else if constexpr (f == F::cos)
      slope = -transcendental_value<F::sin, U>(x);
    else if constexpr (f == F::sinh)
      slope = transcendental_value<F::cosh, U>(x);
    else if constexpr (f == F::cosh)
      slope = transcendental_value<F::sinh, U>(x);
    else
      slope = transcendental_derivative<f, U>(x);
    return T(U(dy) * slope);
  }
};

template <TranscendentalPair f, class T>
struct OfPair {
  __device__ T operator()(T a, T b) const {
    return T(transcendental_pair_value<f, sizeof(T) == 4>(double(a), double(b)));
  }
};

}  // namespace transcendental_op
using namespace transcendental_op;

template <class T>
void transcendental_forward(TranscendentalFunction f, int64_t n, const T* x, T* y, Stream stream) {
  with_constant<FUNCTIONS>(int(f) + 1, [&](auto number) { map(n, stream, Value<F(int(number) - 1), T>{}, y, x); });
}

template <class T>
void transcendental_backward(TranscendentalFunction f, int64_t n, const T* x, const T* dy, T* dx, Stream stream) {
  with_constant<FUNCTIONS>(int(f) + 1,
                           [&](auto number) { map(n, stream, Gradient<F(int(number) - 1), T>{}, dx, x, dy); });
}

template <class T>
void transcendental_pair(TranscendentalPair f, const Broadcast& s, const T* a, const T* b, T* y, Stream stream) {
  if (s.elements == 0) return;
  with_constant<4>(int(f) + 1, [&](auto number) {
    map_broadcast(s, stream, OfPair<TranscendentalPair(int(number) - 1), T>{}, a, b, y);
  });
}

template void transcendental_forward(TranscendentalFunction, int64_t, const float*, float*, Stream);
template void transcendental_forward(TranscendentalFunction, int64_t, const double*, double*, Stream);
template void transcendental_backward(TranscendentalFunction, int64_t, const float*, const float*, float*, Stream);
template void transcendental_backward(TranscendentalFunction, int64_t, const double*, const double*, double*, Stream);
template void transcendental_pair(TranscendentalPair, const Broadcast&, const float*, const float*, float*, Stream);
template void transcendental_pair(TranscendentalPair, const Broadcast&, const double*, const double*, double*, Stream);

}  // namespace lamina::cuda
