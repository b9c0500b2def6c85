// gemm: C = activation(op(A) . op(B) + bias + addend), row-major, and the same for a batch.
//
// Numerics: every C[i][j] is a fixed sum. k is cut into chains of CHAIN = 512; a chain is a sequence of fused
// multiply-adds in increasing k, from 0; the chains are added in order:
//     total = chain(0, 512);  total = total + chain(512, 1024);  ...;  C = activation((total + bias[j]) + addend[i][j])
// for every shape, tile, blocking, number of threads and ISA.
#pragma once
#include <cstdint>

#include "ops/activation.h"
#include "support/stream.h"

namespace lamina {

constexpr int64_t CHAIN = 512;

template <class T>
struct Gemm {
  int64_t m, n, k;
  const T* a;  // op(A) is m x k; stored k x m when transpose_a
  int64_t lda;
  bool transpose_a;
  const T* b;  // op(B) is k x n; stored n x k when transpose_b
  int64_t ldb;
  bool transpose_b;
  T* c;
  int64_t ldc;
  const T* bias = nullptr;  // n values, or none
  Activation activation = Activation::linear;
  const T* addend = nullptr;  // laid out as C, or none; gemm alone knows it
};

/// One product, shared out among the threads.
template <class Target, class T>
void gemm(const Gemm<T>& g);

/// The same, and the same bits, for one row and a matrix too large for caches; false: not of this shape, nothing done.
template <class Target, class T>
bool gemm_row(const Gemm<T>& g);

/// `count` products; the next one's A, B, C lie stride_a, stride_b, stride_c further on.
template <class Target, class T>
void gemm_batched(const Gemm<T>& g, int64_t count, int64_t stride_a, int64_t stride_b, int64_t stride_c);

// The same, and the same bits, over device memory. Float16 and BFloat16 too, on tensor cores: runs of four chains are
// summed in float in the hardware's order, added in order in float, and C is rounded once; the same bits every time.
namespace cuda {

template <class T>
void gemm(const Gemm<T>& g, Stream stream);

template <class T>
void gemm_batched(const Gemm<T>& g, int64_t count, int64_t stride_a, int64_t stride_b, int64_t stride_c, Stream stream);

}  // namespace cuda
}  // namespace lamina
