// gemm, gemm_batched: products of matrices, by the tiles of support/tile_product.cuh; those of 16-bit numbers on tensor
// cores, by support/tensor_product.cuh.
#include "cuda/support/tensor_product.cuh"
#include "ops/gemm.h"

namespace lamina::cuda {
namespace gemm_op {

template <class T_, bool TRANSPOSE_A, bool TRANSPOSE_B>
struct Product {
  using T = T_;
  static constexpr Along A_ALONG = TRANSPOSE_A ? Along::side : Along::depth;
  static constexpr Along B_ALONG = TRANSPOSE_B ? Along::depth : Along::side;
  static constexpr bool LINES = false, ADDS = true;
  using ASpot = int64_t;  // the offset of a row of A, of a column of B
  using BSpot = int64_t;
  struct Line {};
  struct Cursor {
    int64_t k;
    int left, depth;
  };
  int64_t m, n, k, batch;
  const T *a, *b;
  int64_t lda, ldb, ldc, a_batch, b_batch;
  bool packed_a, packed_b;

  __device__ void start(Cursor& c, int64_t chain) const {
    c.k = chain * CHAIN;
    c.left = int(ceil_div(min_of(k - c.k, CHAIN), UNIT));
    c.depth = int(min_of(k - c.k, UNIT));
  }
  __device__ void next(Cursor& c) const {
    c.k += UNIT;
    --c.left;
    c.depth = int(min_of(k - c.k, UNIT));
  }
  __device__ int64_t a_spot(int64_t i, int64_t z) const { return z * a_batch + i * (TRANSPOSE_A ? 1 : lda); }
  __device__ int64_t b_spot(int64_t j, int64_t z) const { return z * b_batch + j * (TRANSPOSE_B ? ldb : 1); }
  __device__ From<T> a_from(int64_t spot, const Cursor& c, int step, Line) const {
    return {a + spot + (c.k + step) * (TRANSPOSE_A ? lda : 1), true};
  }
  __device__ From<T> b_from(int64_t spot, const Cursor& c, int step, Line) const {
    return {b + spot + (c.k + step) * (TRANSPOSE_B ? 1 : ldb), true};
  }
  __device__ int64_t target(int64_t i) const { return i * ldc; }
};

/// Whether every line of `length` values, `pitch` apart, is made of whole packs.
template <class T>
bool lines_are_packed(const T* p, int64_t length, int64_t pitch, int64_t batch_pitch) {
  constexpr int N = 16 / int(sizeof(T));
  return is_packed<N>(p) && length % N == 0 && pitch % N == 0 && batch_pitch % N == 0;
}

template <bool TRANSPOSE_A, bool TRANSPOSE_B, class T>
void multiply(const Gemm<T>& g, int64_t count, int64_t stride_a, int64_t stride_b, int64_t stride_c, Stream stream) {
  Product<T, TRANSPOSE_A, TRANSPOSE_B> p{g.m,
                                         g.n,
                                         g.k,
                                         count,
                                         g.a,
                                         g.b,
                                         g.lda,
                                         g.ldb,
                                         g.ldc,
                                         stride_a,
                                         stride_b,
                                         lines_are_packed(g.a, TRANSPOSE_A ? g.m : g.k, g.lda, stride_a),
                                         lines_are_packed(g.b, TRANSPOSE_B ? g.k : g.n, g.ldb, stride_b)};
  constexpr int PACK = 16 / int(sizeof(T));
  const bool packed_c =
      lines_are_packed(g.c, g.n, g.ldc, stride_c) && is_packed<PACK>(g.bias) && is_packed<PACK>(g.addend);
  const ProductOutput<T> o{g.c, stride_c, g.bias, 0, g.activation, false, packed_c, g.addend};
  if constexpr (sizeof(T) == 2)
    tensor_product(p, o, ceil_div(g.k, CHAIN), 1, stream);
  else
    tile_product(p, o, ceil_div(g.k, CHAIN), 1, stream);
}

}  // namespace gemm_op
using namespace gemm_op;

template <class T>
void gemm_batched(const Gemm<T>& g, int64_t count, int64_t stride_a, int64_t stride_b, int64_t stride_c,
                  Stream stream) {
  if (g.transpose_a)
    g.transpose_b ? multiply<true, true>(g, count, stride_a, stride_b, stride_c, stream)
                  : multiply<true, false>(g, count, stride_a, stride_b, stride_c, stream);
  else
    g.transpose_b ? multiply<false, true>(g, count, stride_a, stride_b, stride_c, stream)
                  : multiply<false, false>(g, count, stride_a, stride_b, stride_c, stream);
}

template <class T>
void gemm(const Gemm<T>& g, Stream stream) {
  gemm_batched(g, 1, 0, 0, 0, stream);
}

template void gemm(const Gemm<float>&, Stream);
template void gemm(const Gemm<double>&, Stream);
template void gemm_batched(const Gemm<float>&, int64_t, int64_t, int64_t, int64_t, Stream);
template void gemm_batched(const Gemm<double>&, int64_t, int64_t, int64_t, int64_t, Stream);
template void gemm(const Gemm<Float16>&, Stream);
template void gemm(const Gemm<BFloat16>&, Stream);
template void gemm_batched(const Gemm<Float16>&, int64_t, int64_t, int64_t, int64_t, Stream);
template void gemm_batched(const Gemm<BFloat16>&, int64_t, int64_t, int64_t, int64_t, Stream);

}  // namespace lamina::cuda
