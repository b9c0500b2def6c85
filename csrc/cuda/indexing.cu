#include "cuda/support/elementwise.cuh"
#include "ops/indexing.h"

namespace lamina::cuda {
namespace indexing_op {

template <int N, class T, class Index>
struct Take {
  int64_t rows, count, inner;  // inner in packs
  const T* x;
  const int64_t* index;
  T* y;
  __device__ void operator()(int64_t i) const {
    const Index line = Index(i) / Index(inner), outer = line / Index(count);
    const int64_t row = index[line - outer * Index(count)], column = i - int64_t(line) * inner;
    if (uint64_t(row) >= uint64_t(rows)) return;
    store_pack(y + i * N, load_pack<N>(x + ((int64_t(outer) * rows + row) * inner + column) * N));
  }
};

template <int N, class T>
void take_packs(int64_t outer, int64_t rows, int64_t count, int64_t inner, const T* x, const int64_t* index, T* y,
                Stream stream) {
  const int64_t all = outer * count * inner;
  if (all <= int64_t(UINT32_MAX))
    each(all, stream, Take<N, T, uint32_t>{rows, count, inner, x, index, y});
  else
    each(all, stream, Take<N, T, uint64_t>{rows, count, inner, x, index, y});
}

constexpr int WARPS = BLOCK / 32;
constexpr int64_t ENOUGH = 2048;  // warps, or groups of threads, among which the rows are shared out

/// How many parts y's rows are cut into, when each part's work is `groups` of warps.
inline int64_t parts_for(int64_t rows, int64_t groups) {
  return max_of(1, min_of(rows, ceil_div(ENOUGH, max_of(1, groups))));
}

/// A warp has 32 columns of a part of y's rows. It looks through the whole index, 32 numbers at once, and adds the
/// terms of its own rows in their order; a sum stays in a register for as long as its row is named again. along: the
/// index has a line for each `outer` (and inner is 1).
template <class S, class T>
__global__ void scatter_add_kernel(int64_t tasks, int64_t parts, int64_t groups, int64_t rows, int64_t count,
                                   int64_t inner, bool along, const S* v, const int64_t* index, T* y) {
  const int64_t warp = int64_t(blockIdx.x) * WARPS + threadIdx.x / 32, step = int64_t(gridDim.x) * WARPS;
  const int lane = int(threadIdx.x) % 32;
  for (int64_t task = warp; task < tasks; task += step) {
    const int64_t part = task % parts, group = task / parts, o = group / groups, column = group % groups * 32 + lane;
    const int64_t first = rows * part / parts, last = rows * (part + 1) / parts;
    const int64_t* const numbers = along ? index + o * count : index;
    const S* const from = v + o * count * inner + column;
    T* const to = y + o * rows * inner + column;
    const bool inside = column < inner;
    int64_t held = -1;
    T sum = 0;
    for (int64_t begin = 0; begin < count; begin += 32) {
      const int64_t own = begin + lane < count ? numbers[begin + lane] : -1;
      unsigned found = __ballot_sync(ALL_LANES, own >= first && own < last);
      while (found) {
        const int at = __ffs(int(found)) - 1;
        found &= found - 1;
        const int64_t row = __shfl_sync(ALL_LANES, own, at);
        if (!inside) continue;
        if (row != held) {
          if (held >= 0) to[held * inner] = sum;
          held = row;
          sum = to[row * inner];
        }
        sum = sum + from[(begin + at) * inner];
      }
    }
    if (inside && held >= 0) to[held * inner] = sum;
  }
}

template <class S, class T>
void scatter_by_warps(int64_t outer, int64_t rows, int64_t count, int64_t inner, bool along, const S* v,
                      const int64_t* index, T* y, Stream stream) {
  const int64_t groups = ceil_div(inner, 32), parts = parts_for(rows, outer * groups), tasks = outer * groups * parts;
  if (tasks == 0 || count == 0 || rows == 0) return;
  launch(scatter_add_kernel<S, T>, unsigned(min_of(ceil_div(tasks, WARPS), MOST_BLOCKS)), BLOCK, 0, stream, tasks,
         parts, groups, rows, count, inner, along, v, index, y);
}

/// A column of a part of y's rows, with an index of its own.
template <class S, class T>
struct ScatterAlong {
  int64_t parts, rows, count, inner;
  const S* v;
  const int64_t* index;
  T* y;
  __device__ void operator()(int64_t i) const {
    const int64_t column = i % inner, part = i / inner % parts, o = i / inner / parts;
    const int64_t first = rows * part / parts, last = rows * (part + 1) / parts;
    T* const to = y + o * rows * inner + column;
#pragma unroll 4
    for (int64_t k = 0; k < count; ++k) {
      const int64_t at = (o * count + k) * inner + column, row = index[at];
      if (row >= first && row < last) to[row * inner] = to[row * inner] + v[at];
    }
  }
};

}  // namespace indexing_op
using namespace indexing_op;

template <class T>
void take(int64_t outer, int64_t rows, int64_t count, int64_t inner, const T* x, const int64_t* index, T* y,
          Stream stream) {
  constexpr int N = 16 / int(sizeof(T));
  if (inner % N == 0 && is_packed<N>(x) && is_packed<N>(y))
    take_packs<N>(outer, rows, count, inner / N, x, index, y, stream);
  else
    take_packs<1>(outer, rows, count, inner, x, index, y, stream);
}

template <class S, class T>
void scatter_add(int64_t outer, int64_t rows, int64_t count, int64_t inner, const S* v, const int64_t* index, T* y,
                 Stream stream) {
  scatter_by_warps(outer, rows, count, inner, false, v, index, y, stream);
}

template <class S, class T>
void scatter_add_along(int64_t outer, int64_t rows, int64_t count, int64_t inner, const S* v, const int64_t* index,
                       T* y, Stream stream) {
  if (inner == 1) return scatter_by_warps(outer, rows, count, inner, true, v, index, y, stream);
  const int64_t parts = parts_for(rows, outer * ceil_div(inner, 32));
  if (count && rows) each(outer * parts * inner, stream, ScatterAlong<S, T>{parts, rows, count, inner, v, index, y});
}

template void take(int64_t, int64_t, int64_t, int64_t, const float*, const int64_t*, float*, Stream);
template void take(int64_t, int64_t, int64_t, int64_t, const double*, const int64_t*, double*, Stream);
template void scatter_add(int64_t, int64_t, int64_t, int64_t, const float*, const int64_t*, float*, Stream);
template void scatter_add(int64_t, int64_t, int64_t, int64_t, const double*, const int64_t*, double*, Stream);
template void scatter_add_along(int64_t, int64_t, int64_t, int64_t, const float*, const int64_t*, float*, Stream);
template void scatter_add_along(int64_t, int64_t, int64_t, int64_t, const double*, const int64_t*, double*, Stream);
template void take(int64_t, int64_t, int64_t, int64_t, const Float16*, const int64_t*, Float16*, Stream);
template void scatter_add(int64_t, int64_t, int64_t, int64_t, const Float16*, const int64_t*, float*, Stream);
template void scatter_add_along(int64_t, int64_t, int64_t, int64_t, const Float16*, const int64_t*, float*, Stream);
template void take(int64_t, int64_t, int64_t, int64_t, const BFloat16*, const int64_t*, BFloat16*, Stream);
template void scatter_add(int64_t, int64_t, int64_t, int64_t, const BFloat16*, const int64_t*, float*, Stream);
template void scatter_add_along(int64_t, int64_t, int64_t, int64_t, const BFloat16*, const int64_t*, float*, Stream);

}  // namespace lamina::cuda
