// Broadcast operands: where an element of the result comes from.
#pragma once
#include "cuda/support/elementwise.cuh"
#include "support/shape.h"

namespace lamina::cuda {

struct Offsets {
  int64_t a, b;
};
/// The offsets of element i of the result. Index: uint32_t where it holds all elements, as 64-bit division is slow.
template <class Index>
__device__ __forceinline__ Offsets offsets_of(const Broadcast& s, Index i) {
  Offsets o{0, 0};
  for (int axis = s.axes - 1; axis >= 0; --axis) {
    const Index size = Index(s.size[axis]), rest = i / size, at = i - rest * size;
    o.a += int64_t(at) * s.a_stride[axis];
    o.b += int64_t(at) * s.b_stride[axis];
    i = rest;
  }
  return o;
}

/// N values of an operand along the last axis, where its stride is 1 or 0.
template <int N, class T>
__device__ __forceinline__ Pack<T, N> pack_along(const T* p, int64_t stride) {
  if (stride) return load_pack<N>(p);
  Pack<T, N> all;
  const T value = *p;
  for (int i = 0; i < N; ++i) all[i] = value;
  return all;
}

template <int N, class Index, class T, class U, class F>
struct BroadcastMap {
  Broadcast s;
  F f;
  const T *a, *b;
  U* y;
  __device__ void operator()(int64_t i) const {
    const Offsets from = offsets_of(s, Index(i * N));
    const int last = s.axes - 1;
    store_pack(y + i * N, map_pack<N, U>(f, pack_along<N>(a + from.a, s.a_stride[last]),
                                         pack_along<N>(b + from.b, s.b_stride[last])));
  }
};

/// y = f(a, b) over a broadcast shape, 16 bytes at a time where rows allow it; y may be a or b where that is not
/// broadcast.
template <class T, class U, class F>
void map_broadcast(const Broadcast& s, Stream stream, F f, const T* a, const T* b, U* y) {
  constexpr int N = 16 / int(sizeof(T));
  const int last = s.axes - 1;
  const bool small = s.elements <= int64_t(UINT32_MAX);
  const bool packed = s.size[last] % N == 0 && is_packed<N>(a) && is_packed<N>(b) && is_packed<N>(y);
  if (packed && small)
    each(s.elements / N, stream, BroadcastMap<N, uint32_t, T, U, F>{s, f, a, b, y});
  else if (small)
    each(s.elements, stream, BroadcastMap<1, uint32_t, T, U, F>{s, f, a, b, y});
  else
    each(s.elements, stream, BroadcastMap<1, uint64_t, T, U, F>{s, f, a, b, y});
}

}  // namespace lamina::cuda
