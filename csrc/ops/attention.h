// attention: y = softmax(scale q k' + mask) v, head by head, and never a matrix of queries by keys in memory.
//
// With query i of query head h, key j of key head h / (heads / key_heads):
//   s[i][j] = scale * sum_d q[i][d] k[j][d] + added[i][j];  p = softmax over the keys that i sees;  y[i] = sum_j
//   p[i][j] v[j]
// A query that sees no key has y = 0. Dropout: p[i][j] draws the 16 bits that element
// ((batch * heads + h) * queries + i) * (keys, rounded up to 128) + j draws in ops/dropout.h, and is 0 or
// p * 65536 / (65536 - dropped).
//
// Numerics, in the dtype at hand. Scores are in units of log 2:
//   forward   s: one chain over d of fma(q[d] * (scale * log2 e), k[d]). A block of KEYS keys at a time: top = the
//   largest
//             s so far; p = 2^(s - top); sum (16 lanes, value j in lane j % 16) = fma(sum, decay, the block's p in
//             order); o = o * decay + a chain over the block's keys of fma(p, v), decay = 2^(top before - top). y = o /
//             sum.
//   backward  p = 2^(s - lse) again, ds = p (dp - delta), delta = dy . y. dq: chains over KEYS_BACK keys, added in
//             order within PIECE keys, those in order. dk and dv: chains over QUERIES_BACK queries (of all query heads
//             that share the key head, one head after the other), added in order.
// Chains over d are at most 512 long (CHAIN). These constants are part of the results: the same for every ISA.
//
// Memory beyond the arrays: about 2 keys * size values a thread forward, 5 PIECE * size backward.
//
// Reference: Rabe & Staats 2021, arXiv:2112.05682; Dao et al. 2022, arXiv:2205.14135 (one pass over the keys, the
// backward pass from the sum); Ainslie et al. 2023, arXiv:2305.13245 (key heads shared).
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

constexpr int64_t ATTENTION_KEYS = 512, ATTENTION_KEYS_BACK = 128, ATTENTION_QUERIES_BACK = 128, ATTENTION_PIECE = 1024;

/// Values for (batch, head, query, key); a step of 0 repeats them along that axis. Keys lie one after the other.
template <class T>
struct AttentionMask {
  const T* values = nullptr;
  int64_t batch = 0, head = 0, query = 0;  // steps
};

template <class T>
struct Attention {
  int64_t batch, queries, keys, heads, key_heads, size, value_size;
  const T* q;              // (batch, queries, heads, size)
  const T* k;              // (batch, keys, key_heads, size)
  const T* v;              // (batch, keys, key_heads, value_size)
  const int64_t* lengths;  // (batch): keys from there on are not seen; null: all are
  AttentionMask<T> added;  // to the scores
  AttentionMask<uint8_t> seen;
  bool causal;  // key j is seen by query i if j <= i
  double scale;
  int dropped;  // of 65536
  uint64_t seed, stream;
};

/// y: (batch, queries, heads, value_size). lse: (batch, heads, queries), log2 of the sum of 2^s (infinite where no key
/// is seen): what the backward pass needs; null: not wanted.
template <class Target, class T>
void attention_forward(const Attention<T>& s, T* y, T* lse);

/// The gradients have the shapes of q, k and v.
template <class Target, class T>
void attention_backward(const Attention<T>& s, const T* y, const T* lse, const T* dy, T* dq, T* dk, T* dv);

namespace cuda {  // the same, and the same bits, over device memory; a block of a few rows or keys, none of whose sums
                  // another block has a part in

template <class T>
void attention_forward(const Attention<T>& s, T* y, T* lse, Stream stream);
template <class T>
void attention_backward(const Attention<T>& s, const T* y, const T* lse, const T* dy, T* dq, T* dk, T* dv,
                        Stream stream);

/// T = Float16 or BFloat16, on tensor cores. The same formulas with other sums, and 2^x by the GPU's instruction: the
/// same bits in every run on a kind of GPU, and for a row in any batch; not the CPU's.
///   scores, dy . v  sums of products in float32, by mma in steps of 16; times scale * log2 e in float32
///   forward         64 keys at a time, 48 for heads above 64, 32 above 128 and with masks or dropout; p is rounded to
///                   16 bits before it meets v, its sum is of what it was before; y is rounded once
///   backward        p and ds are rounded to 16 bits before they meet dy, q and k; every sum over keys or rows is one
///                   float32 chain in order (query heads that share a key head one after the other), rounded once
/// Against float32 that is half a unit in the last place of each term and half of the result. Philox's masks are the
/// CPU's. lse is float32.
///
/// Heads above 256, and all on devices without the tensor cores or the shared memory for them, go through float32
/// copies and the kernels above.
///
/// Reference: Dao 2023, "FlashAttention-2", arXiv:2307.08691.
template <class T>
void attention_forward_16(const Attention<T>& s, T* y, float* lse, Stream stream);
template <class T>
void attention_backward_16(const Attention<T>& s, const T* y, const float* lse, const T* dy, T* dq, T* dk, T* dv,
                           Stream stream);

}  // namespace cuda
}  // namespace lamina
