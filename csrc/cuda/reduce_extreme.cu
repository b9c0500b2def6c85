#include "cuda/support/elementwise.cuh"
#include "cuda/support/row.cuh"
#include "ops/reduce_extreme.h"

namespace lamina::cuda {
namespace reduce_extreme_op {

/// The further of two; NaN if either is one.
template <bool LARGEST, class T>
__device__ __forceinline__ T further(T a, T b) {
  if (a != a) return a;
  if (b != b) return b;
  return (LARGEST ? a > b : a < b) ? a : b;
}
/// One NaN for all, and 0 for -0.
template <class T>
__device__ __forceinline__ T settled(T value) {
  return value != value ? Elementary<T>::NOT_A_NUMBER : value + T(0);
}

constexpr int64_t PIECE = 512, ROWS = 64;  // of a row, of a column: what is gone through at once where few are there
constexpr int64_t MANY = int64_t(1) << 14;

/// The extremes of each row's pieces.
template <bool LARGEST, class S>
struct OfPiece {
  int64_t n, pieces, piece;
  const S* x;
  S* y;
  __device__ void operator()(int64_t task, RowLane lane) const {
    using T = Computed<S>;
    const int64_t begin = task % pieces * piece, end = min_of(begin + piece, n);
    const S* const row = x + task / pieces * n;
    T most = row[begin];
#pragma unroll 8
    for (int64_t i = begin + lane.lane; i < end; i += ROW_LANES) most = further<LARGEST>(most, T(row[i]));
    most = fold(lane, most, [](T a, T b) { return further<LARGEST>(a, b); });
    if (lane.lane == 0) y[task] = settled(most);
  }
};

/// The extremes of parts of columns: y[o][part][i].
template <bool LARGEST, class S>
struct OfPart {
  int64_t reduced, inner, parts, rows;
  const S* x;
  S* y;
  __device__ void operator()(int64_t at) const {
    using T = Computed<S>;
    const int64_t column = at % inner, task = at / inner, begin = task % parts * rows;
    const int64_t count = min_of(rows, reduced - begin);
    const S* const from = x + (task / parts * reduced + begin) * inner + column;
    T most = from[0];
#pragma unroll 8
    for (int64_t r = 1; r < count; ++r) most = further<LARGEST>(most, T(from[r * inner]));
    y[at] = settled(most);
  }
};

/// How long the parts are that `reduced` values are cut into: whole where there are many of them.
inline int64_t part_of(int64_t reduced, int64_t kept, int64_t part) {
  return kept >= MANY || reduced <= 2 * part ? reduced : part;
}

template <bool LARGEST, class S>
void reduce(int64_t outer, int64_t reduced, int64_t inner, const S* x, S* y, Stream stream) {
  const int64_t part = part_of(reduced, outer * inner, inner == 1 ? PIECE : ROWS), parts = ceil_div(reduced, part);
  const Scratch<S> found(parts > 1 ? outer * parts * inner : 0, stream);
  S* const to = parts > 1 ? found.data() : y;
  if (inner == 1)
    each_row(outer * parts, stream, OfPiece<LARGEST, S>{reduced, parts, part, x, to});
  else
    each(outer * parts * inner, stream, OfPart<LARGEST, S>{reduced, inner, parts, part, x, to});
  if (parts > 1) reduce<LARGEST, S>(outer, parts, inner, found.data(), y, stream);
}

using Count = unsigned long long;

template <class T>
__device__ __forceinline__ bool chosen(T v, T extreme) {
  return v == extreme || (v != v && extreme != extreme);
}

/// How many of a row's piece are the extreme.
template <class S>
struct CountInPiece {
  int64_t n, pieces, piece;
  const S *x, *y;
  Count* counts;
  __device__ void operator()(int64_t task, RowLane lane) const {
    const int64_t row = task / pieces, begin = task % pieces * piece, end = min_of(begin + piece, n);
    unsigned count = 0;
    for (int64_t i = begin + lane.lane; i < end; i += ROW_LANES) count += chosen(x[row * n + i], y[row]);
    count = fold(lane, count, [](unsigned a, unsigned b) { return a + b; });
    if (lane.lane == 0 && count) atomicAdd(counts + row, Count(count));
  }
};
template <class S>
struct CountInPart {
  int64_t reduced, inner, parts, rows;
  const S *x, *y;
  Count* counts;
  __device__ void operator()(int64_t at) const {
    const int64_t column = at % inner, task = at / inner, begin = task % parts * rows;
    const int64_t end = min_of(begin + rows, reduced), outer = task / parts, kept = outer * inner + column;
    Count count = 0;
    for (int64_t r = begin; r < end; ++r) count += chosen(x[(outer * reduced + r) * inner + column], y[kept]);
    if (count) atomicAdd(counts + kept, count);
  }
};

template <class S>
struct Spread {
  int64_t reduced, inner;
  const S *x, *y, *dy;
  const Count* counts;
  S* dx;
  __device__ void operator()(int64_t at) const {
    using T = Computed<S>;
    const int64_t kept = at / (reduced * inner) * inner + at % inner;
    dx[at] = chosen(x[at], y[kept]) ? dy[kept] / T(counts[kept]) : T(0);
  }
};

}  // namespace reduce_extreme_op
using namespace reduce_extreme_op;

template <class S>
void reduce_extreme(bool largest, int64_t outer, int64_t reduced, int64_t inner, const S* x, S* y, Stream stream) {
  if (outer * inner == 0) return;
  largest ? reduce<true>(outer, reduced, inner, x, y, stream) : reduce<false>(outer, reduced, inner, x, y, stream);
}

template <class S>
void reduce_extreme_backward(int64_t outer, int64_t reduced, int64_t inner, const S* x, const S* y, const S* dy, S* dx,
                             Stream stream) {
  const int64_t kept = outer * inner;
  if (kept * reduced == 0) return;
  const Scratch<Count> counts(kept, stream);
  fill_bytes(counts.data(), 0, size_t(kept) * sizeof(Count), stream);
  const int64_t part = part_of(reduced, kept, inner == 1 ? PIECE : ROWS), parts = ceil_div(reduced, part);
  if (inner == 1)
    each_row(outer * parts, stream, CountInPiece<S>{reduced, parts, part, x, y, counts.data()});
  else
    each(kept * parts, stream, CountInPart<S>{reduced, inner, parts, part, x, y, counts.data()});
  each(kept * reduced, stream, Spread<S>{reduced, inner, x, y, dy, counts.data(), dx});
}

template void reduce_extreme(bool, int64_t, int64_t, int64_t, const float*, float*, Stream);
template void reduce_extreme(bool, int64_t, int64_t, int64_t, const double*, double*, Stream);
template void reduce_extreme_backward(int64_t, int64_t, int64_t, const float*, const float*, const float*, float*,
                                      Stream);
template void reduce_extreme_backward(int64_t, int64_t, int64_t, const double*, const double*, const double*, double*,
                                      Stream);
template void reduce_extreme(bool, int64_t, int64_t, int64_t, const Float16*, Float16*, Stream);
template void reduce_extreme_backward(int64_t, int64_t, int64_t, const Float16*, const Float16*, const Float16*,
                                      Float16*, Stream);
template void reduce_extreme(bool, int64_t, int64_t, int64_t, const BFloat16*, BFloat16*, Stream);
template void reduce_extreme_backward(int64_t, int64_t, int64_t, const BFloat16*, const BFloat16*, const BFloat16*,
                                      BFloat16*, Stream);

}  // namespace lamina::cuda
