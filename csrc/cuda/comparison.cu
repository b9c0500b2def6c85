#include "cuda/support/broadcast.cuh"
#include "ops/comparison.h"

namespace lamina::cuda {
namespace comparison_op {

using C = Comparison;

template <class T>
__device__ T size_of_number(T v) {
  return magnitude<T>(v);
}
__device__ inline uint8_t size_of_number(uint8_t v) { return v; }

template <C c, class T>
struct Compare {
  __device__ uint8_t operator()(T a, T b) const {
    if constexpr (c == C::equal) return a == b;
    if constexpr (c == C::not_equal) return a != b;
    if constexpr (c == C::less) return a < b;
    if constexpr (c == C::less_equal) return a <= b;
    if constexpr (c == C::magnitude_equal) return size_of_number(a) == b;
    if constexpr (c == C::magnitude_less) return size_of_number(a) < b;
    if constexpr (c == C::logical_and) return (a != T(0)) & (b != T(0));
    if constexpr (c == C::logical_or) return (a != T(0)) | (b != T(0));
    if constexpr (c == C::logical_xor) return (a != T(0)) != (b != T(0));
  }
};

}  // namespace comparison_op
using namespace comparison_op;

template <class S>
void compare(Comparison comparison, const Broadcast& s, const S* a, const S* b, uint8_t* y, Stream stream) {
  if (s.elements == 0) return;
  with_constant<int(C::logical_xor) + 1>(int(comparison) + 1, [&](auto number) {
    map_broadcast(s, stream, Compare<C(int(number) - 1), Computed<S>>{}, a, b, y);
  });
}

template void compare(Comparison, const Broadcast&, const float*, const float*, uint8_t*, Stream);
template void compare(Comparison, const Broadcast&, const double*, const double*, uint8_t*, Stream);
template void compare(Comparison, const Broadcast&, const Float16*, const Float16*, uint8_t*, Stream);
template void compare(Comparison, const Broadcast&, const BFloat16*, const BFloat16*, uint8_t*, Stream);
template void compare(Comparison, const Broadcast&, const uint8_t*, const uint8_t*, uint8_t*, Stream);

}  // namespace lamina::cuda
