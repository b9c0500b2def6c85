#include "cuda/support/broadcast.cuh"
#include "ops/selection.h"

namespace lamina::cuda {
namespace selection_op {

template <class T>
struct Choose {
  __device__ T operator()(uint8_t condition, T a, T b) const { return condition ? a : b; }
};

/// N results, whose operands lie side by side or are one.
template <int N, class Index, class T>
struct BroadcastChoose {
  Broadcast a_shape, b_shape;
  const uint8_t* condition;
  const T *a, *b;
  T* y;
  __device__ void operator()(int64_t i) const {
    const int64_t of_a = offsets_of(a_shape, Index(i * N)).a, of_b = offsets_of(b_shape, Index(i * N)).a;
    const auto yes = pack_along<N>(a + of_a, a_shape.a_stride[a_shape.axes - 1]);
    const auto no = pack_along<N>(b + of_b, b_shape.a_stride[b_shape.axes - 1]);
    store_pack(y + i * N, map_pack<N, T>(Choose<T>{}, load_pack<N>(condition + i * N), yes, no));
  }
};

/// Whether the first operand lies as the result does.
inline bool is_whole(const Broadcast& s) { return s.axes == 1 && (s.a_stride[0] == 1 || s.size[0] == 1); }

}  // namespace selection_op
using namespace selection_op;

template <class T>
void where(const Broadcast& a_shape, const Broadcast& b_shape, const uint8_t* condition, const T* a, const T* b, T* y,
           Stream stream) {
  constexpr int N = 16 / int(sizeof(T));
  const int64_t n = a_shape.elements;
  if (is_whole(a_shape) && is_whole(b_shape)) return map(n, stream, Choose<T>{}, y, condition, a, b);
  const bool packed = a_shape.size[a_shape.axes - 1] % N == 0 && b_shape.size[b_shape.axes - 1] % N == 0 &&
                      is_packed<N>(condition) && is_packed<N>(a) && is_packed<N>(b) && is_packed<N>(y);
  if (packed && n <= int64_t(UINT32_MAX))
    each(n / N, stream, BroadcastChoose<N, uint32_t, T>{a_shape, b_shape, condition, a, b, y});
  else
    each(n, stream, BroadcastChoose<1, uint64_t, T>{a_shape, b_shape, condition, a, b, y});
}

template void where(const Broadcast&, const Broadcast&, const uint8_t*, const float*, const float*, float*, Stream);
template void where(const Broadcast&, const Broadcast&, const uint8_t*, const double*, const double*, double*, Stream);
template void where(const Broadcast&, const Broadcast&, const uint8_t*, const Float16*, const Float16*, Float16*,
                    Stream);
template void where(const Broadcast&, const Broadcast&, const uint8_t*, const BFloat16*, const BFloat16*, BFloat16*,
                    Stream);

}  // namespace lamina::cuda
