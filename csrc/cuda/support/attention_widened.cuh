// Attention in 16 bits by the float32 kernels, through copies: for heads above 256, and for devices whose tensor cores
// or shared memory will not do.
#pragma once
#include "cuda/support/attention_16.cuh"
#include "cuda/support/elementwise.cuh"

namespace lamina::cuda {

template <class To, class From>
struct Converted {
  const From* from;
  To* to;
  __device__ void operator()(int64_t i) const { to[i] = To(float(from[i])); }
};

/// An array in float32.
struct WideArray {
  int64_t count;
  Stream stream;
  Scratch<float> values;
  WideArray(int64_t n, Stream s) : count(n), stream(s), values(n, s) {}
  template <class T>
  WideArray(const T* from, int64_t n, Stream s) : WideArray(n, s) {
    each(n, s, Converted<float, T>{from, values.data()});
  }
  template <class T>
  void narrow(T* to) const {
    each(count, stream, Converted<T, float>{values.data(), to});
  }
};

/// All that attention reads, in float32.
template <class T>
struct WideAttention {
  WideArray q, k, v, added;
  Attention<float> s;
  WideAttention(const Attention<T>& a, Stream stream)
      : q(a.q, a.batch * a.queries * a.heads * a.size, stream),
        k(a.k, a.batch * a.keys * a.key_heads * a.size, stream),
        v(a.v, a.batch * a.keys * a.key_heads * a.value_size, stream),
        added(a.added.values, mask_values(a), stream),
        s{a.batch,         a.queries,       a.keys,
          a.heads,         a.key_heads,     a.size,
          a.value_size,    q.values.data(), k.values.data(),
          v.values.data(), a.lengths,       {added.values.data(), a.added.batch, a.added.head, a.added.query},
          a.seen,          a.causal,        a.scale,
          a.dropped,       a.seed,          a.stream} {}

 private:
  static int64_t mask_values(const Attention<T>& a) {
    const auto& m = a.added;
    if (!m.values || a.batch * a.heads * a.queries * a.keys == 0) return 0;
    return (a.batch - 1) * m.batch + (a.heads - 1) * m.head + (a.queries - 1) * m.query + a.keys;
  }
};

}  // namespace lamina::cuda
