#include "cuda/support/elementwise.cuh"
#include "ops/activation_function.h"
#include "support/activation_function.h"

namespace lamina::cuda {
namespace activation_function_op {

template <ActivationFunction f, class T>
struct Value {
  ActivationLanes<T> p;
  __device__ T operator()(T x) const { return activation_value<f, T>(x, p); }
};

template <ActivationFunction f, class T>
struct Slope {
  ActivationLanes<T> p;
  __device__ T operator()(T x, T dy) const { return activation_slope<f, T>(x, dy, p); }
};

/// body(Int<number>{}) for the function asked for.
template <class Body>
void with_function(ActivationFunction f, Body&& body) {
  with_constant<ACTIVATION_FUNCTIONS>(int(f) + 1, [&](auto i) { body(Int<i - 1>{}); });
}

}  // namespace activation_function_op
using namespace activation_function_op;

template <class S, class T>
void activation_function_forward(ActivationFunction f, int64_t n, const S* x, S* y, ActivationParameters<T> p,
                                 Stream stream) {
  with_function(f, [&](auto number) {
    constexpr auto which = ActivationFunction(int(number));
    map(n, stream, Value<which, T>{{p.a, p.b, p.c}}, y, x);
  });
}

template <class S, class T>
void activation_function_backward(ActivationFunction f, int64_t n, const S* x, const S* dy, S* dx,
                                  ActivationParameters<T> p, Stream stream) {
  with_function(f, [&](auto number) {
    constexpr auto which = ActivationFunction(int(number));
    map(n, stream, Slope<which, T>{{p.a, p.b, p.c}}, dx, x, dy);
  });
}

template void activation_function_forward(ActivationFunction, int64_t, const float*, float*,
                                          ActivationParameters<float>, Stream);
template void activation_function_forward(ActivationFunction, int64_t, const double*, double*,
                                          ActivationParameters<double>, Stream);
template void activation_function_forward(ActivationFunction, int64_t, const Float16*, Float16*,
                                          ActivationParameters<float>, Stream);
template void activation_function_forward(ActivationFunction, int64_t, const BFloat16*, BFloat16*,
                                          ActivationParameters<float>, Stream);
template void activation_function_backward(ActivationFunction, int64_t, const float*, const float*, float*,
                                           ActivationParameters<float>, Stream);
template void activation_function_backward(ActivationFunction, int64_t, const double*, const double*, double*,
                                           ActivationParameters<double>, Stream);
template void activation_function_backward(ActivationFunction, int64_t, const Float16*, const Float16*, Float16*,
                                           ActivationParameters<float>, Stream);
template void activation_function_backward(ActivationFunction, int64_t, const BFloat16*, const BFloat16*, BFloat16*,
                                           ActivationParameters<float>, Stream);

}  // namespace lamina::cuda
