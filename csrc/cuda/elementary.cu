#include "cuda/support/elementwise.cuh"
#include "ops/elementary.h"
#include "support/elementary.h"

namespace lamina::cuda {
namespace elementary_op {

constexpr int FUNCTIONS = int(ElementaryFunction::binary_step) + 1;

template <ElementaryFunction f, class T>
struct Value {
  __device__ T operator()(T x) const { return elementary_value<f, T>(x); }
};
template <ElementaryFunction f, class T>
struct Gradient {
  __device__ T operator()(T saved, T dy) const { return elementary_gradient<f, T>(saved, dy); }
};

}  // namespace elementary_op
using namespace elementary_op;

template <class S>
void elementary_forward(ElementaryFunction f, int64_t n, const S* x, S* y, Stream stream) {
  with_constant<FUNCTIONS>(int(f) + 1, [&](auto number) {
    map(n, stream, Value<ElementaryFunction(int(number) - 1), Computed<S>>{}, y, x);
  });
}

template <class S>
void elementary_backward(ElementaryFunction f, int64_t n, const S* saved, const S* dy, S* dx, Stream stream) {
  with_constant<FUNCTIONS>(int(f) + 1, [&](auto number) {
    map(n, stream, Gradient<ElementaryFunction(int(number) - 1), Computed<S>>{}, dx, saved, dy);
  });
}

template void elementary_forward(ElementaryFunction, int64_t, const float*, float*, Stream);
template void elementary_forward(ElementaryFunction, int64_t, const double*, double*, Stream);
template void elementary_forward(ElementaryFunction, int64_t, const Float16*, Float16*, Stream);
template void elementary_forward(ElementaryFunction, int64_t, const BFloat16*, BFloat16*, Stream);
template void elementary_backward(ElementaryFunction, int64_t, const float*, const float*, float*, Stream);
template void elementary_backward(ElementaryFunction, int64_t, const double*, const double*, double*, Stream);
template void elementary_backward(ElementaryFunction, int64_t, const Float16*, const Float16*, Float16*, Stream);
template void elementary_backward(ElementaryFunction, int64_t, const BFloat16*, const BFloat16*, BFloat16*, Stream);

}  // namespace lamina::cuda
