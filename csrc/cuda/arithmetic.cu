#include "cuda/support/broadcast.cuh"
#include "ops/arithmetic.h"

namespace lamina::cuda {
namespace arithmetic_op {

template <Arithmetic OPERATION, class T>
struct Combine {
  __device__ T operator()(T l, T r) const {
    if constexpr (OPERATION == Arithmetic::add) return l + r;
    if constexpr (OPERATION == Arithmetic::subtract) return l - r;
    if constexpr (OPERATION == Arithmetic::multiply) return l * r;
    if constexpr (OPERATION == Arithmetic::divide) return l / r;
    if constexpr (OPERATION == Arithmetic::maximum) return unordered(l, r) ? l + r : max(l, r);
    if constexpr (OPERATION == Arithmetic::minimum) return unordered(l, r) ? l + r : min(l, r);
  }
};

}  // namespace arithmetic_op
using arithmetic_op::Combine;

template <class S>
void arithmetic(Arithmetic operation, const Broadcast& s, const S* a, const S* b, S* y, Stream stream) {
  if (s.elements == 0) return;
  with_constant<6>(int(operation) + 1, [&](auto number) {
    map_broadcast(s, stream, Combine<Arithmetic(number - 1), Computed<S>>{}, a, b, y);
  });
}

template void arithmetic(Arithmetic, const Broadcast&, const float*, const float*, float*, Stream);
template void arithmetic(Arithmetic, const Broadcast&, const double*, const double*, double*, Stream);
template void arithmetic(Arithmetic, const Broadcast&, const Float16*, const Float16*, Float16*, Stream);
template void arithmetic(Arithmetic, const Broadcast&, const BFloat16*, const BFloat16*, BFloat16*, Stream);

}  // namespace lamina::cuda
