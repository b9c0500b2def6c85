#include "cuda/support/packs.cuh"
#include "cuda/support/row.cuh"
#include "ops/overlap_loss.h"

namespace lamina::cuda {
namespace overlap_loss_op {

constexpr int64_t PART = 8192;

/// A row here is a part of one of theirs.
template <class T>
struct Sums {
  int64_t n, parts;
  const T *x, *t;
  T* sums;  // [row][part][3]
  __device__ void operator()(int64_t task, RowLane lane) const {
    const Split of = split(task, parts);
    const int64_t first = of.rest * n + of.at * PART, count = min_of(PART, n - of.at * PART);
    const T *const row = x + first, *const target = t + first;
    const T both = sum_row<T>(count, lane, [&](int64_t i, T& total) { total = fma(row[i], target[i], total); });
    const T ours = sum_row<T>(count, lane, [&](int64_t i, T& total) { total = total + row[i]; });
    const T theirs = sum_row<T>(count, lane, [&](int64_t i, T& total) { total = total + target[i]; });
    if (lane.lane < 3) sums[task * 3 + lane.lane] = lane.lane == 0 ? both : lane.lane == 1 ? ours : theirs;
  }
};

template <class T>
struct Gradient {
  int64_t n;
  const T *t, *a, *b;
  T* dx;
  template <int N>
  __device__ void run(int64_t at) const {
    const int64_t row = split(at, n).rest;
    const T slope = a[row], level = b[row];
    Pack<T, N> v = load_pack<N>(t + at);
#pragma unroll
    for (int e = 0; e < N; ++e) v[e] = fma(v[e], slope, level);
    store_pack(dx + at, v);
  }
};

}  // namespace overlap_loss_op
using namespace overlap_loss_op;

template <class T>
void overlap_sums(int64_t rows, int64_t n, const T* x, const T* t, T* sums, Stream stream) {
  const int64_t parts = ceil_div(n, PART);
  const Scratch<T> scratch(rows * parts * 3, stream);
  T* const of_parts = scratch.data();
  each_row(rows * parts, stream, Sums<T>{n, parts, x, t, of_parts});
  each(rows * 3, stream, [=] __device__(int64_t i) {
    T total = 0;
    for (int64_t part = 0; part < parts; ++part) total = total + of_parts[(i / 3 * parts + part) * 3 + i % 3];
    sums[i] = total;
  });
}

template <class T>
void overlap_gradient(int64_t rows, int64_t n, const T* t, const T* a, const T* b, T* dx, Stream stream) {
  each_pack<T>(rows * n, packs_fit<T>(n, t, dx), stream, Gradient<T>{n, t, a, b, dx});
}

template void overlap_sums(int64_t, int64_t, const float*, const float*, float*, Stream);
template void overlap_sums(int64_t, int64_t, const double*, const double*, double*, Stream);
template void overlap_gradient(int64_t, int64_t, const float*, const float*, const float*, float*, Stream);
template void overlap_gradient(int64_t, int64_t, const double*, const double*, const double*, double*, Stream);

}  // namespace lamina::cuda
