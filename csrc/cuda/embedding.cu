#include "cuda/support/elementwise.cuh"
#include "ops/embedding.h"
#include "ops/gemm.h"  // CHAIN

namespace lamina::cuda {
namespace embedding_op {

/// A chain of a segment: positions [begin, end) of `order`, from chain number 0 on. Nothing where begin >= end.
struct ChainOf {
  int64_t segment, number, begin, end;
};

__device__ inline int64_t first_of(const Segments& s, int64_t segment) {
  return max_of(0, min_of(s.first[segment], s.positions));
}
/// Segment u's chain 0 for task u; the later chains start in windows of CHAIN positions, at most one in each: that of
/// window w is task count + w.
__device__ inline ChainOf chain_of(const Segments& s, int64_t task) {
  ChainOf c{task, 0, 0, 0};
  if (task < s.count) {
    c.begin = first_of(s, task);
  } else {
    const int64_t window = (task - s.count) * CHAIN;
    int64_t low = 0, high = s.count;  // the last segment that begins before the window does
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      if (s.first[middle] < window)
        low = middle;
      else
        high = middle;
    }
    c.segment = low;
    const int64_t first = first_of(s, low);
    c.number = max_of(1, ceil_div(window - first, CHAIN));
    c.begin = first + c.number * CHAIN;
    if (c.begin >= window + CHAIN) return {low, 0, 0, 0};
  }
  c.end = min_of(c.begin + CHAIN, first_of(s, c.segment + 1));
  return c;
}
/// The row of y that a segment goes to, or -1.
__device__ inline int64_t row_of(const Segments& s, int64_t segment, int64_t table) {
  const int64_t row = s.rows ? s.rows[segment] : segment;
  return row >= 0 && row < table ? row : -1;
}

/// N columns of a chain.
template <int N, class S, class T>
struct SumChain {
  Segments s;
  int64_t packs, table;  // packs of a row
  const S* dy;
  T *y, *later;  // later: of each window
  __device__ void operator()(int64_t i) const {
    const int64_t task = i / packs, at = i - task * packs;
    const ChainOf c = chain_of(s, task);
    if (c.begin >= c.end) return;
    Pack<T, N> sum = {};
#pragma unroll 8
    for (int64_t k = c.begin; k < c.end; ++k) {
      const int64_t position = s.order[k];
      const bool good = uint64_t(position) < uint64_t(s.positions);
      const Pack<T, N> term = load_wide<N>(dy + ((good ? position : 0) * packs + at) * N);
      for (int e = 0; e < N; ++e) sum[e] = good ? sum[e] + term[e] : sum[e];
    }
    if (task >= s.count) {
      store_pack(later + ((task - s.count) * packs + at) * N, sum);
    } else if (const int64_t row = row_of(s, task, table); row >= 0) {
      store_pack(y + (row * packs + at) * N, sum);
    }
  }
};

/// The later chains of long segments, added in order.
template <class T>
struct JoinChains {
  Segments s;
  int64_t width, table;
  const T* later;
  T* y;
  __device__ void operator()(int64_t i) const {
    const int64_t segment = i / width, column = i - segment * width;
    const int64_t first = first_of(s, segment), end = first_of(s, segment + 1), row = row_of(s, segment, table);
    if (end - first <= CHAIN || row < 0) return;
    T total = y[row * width + column];
    for (int64_t k = first + CHAIN; k < end; k += CHAIN) total = total + later[k / CHAIN * width + column];
    y[row * width + column] = total;
  }
};

template <int N, class S, class T>
void sum_chains(const Segments& s, int64_t windows, int64_t width, int64_t table, const S* dy, T* y, T* later,
                Stream stream) {
  each((s.count + windows) * (width / N), stream, SumChain<N, S, T>{s, width / N, table, dy, y, later});
}

}  // namespace embedding_op
using namespace embedding_op;

template <class S, class T>
void embedding_backward(const Segments& s, int64_t width, int64_t table, const S* dy, T* y, Stream stream) {
  constexpr int N = 16 / int(sizeof(S));
  if (s.count == 0 || width == 0) return;
  const int64_t windows = s.positions > CHAIN ? ceil_div(s.positions, CHAIN) : 0;
  const Scratch<T> later(windows * width, stream);
  if (width % N == 0 && is_packed<N>(dy) && is_packed<N>(y))
    sum_chains<N>(s, windows, width, table, dy, y, later.data(), stream);
  else
    sum_chains<1>(s, windows, width, table, dy, y, later.data(), stream);
  if (windows) each(s.count * width, stream, embedding_op::JoinChains<T>{s, width, table, later.data(), y});
}

template void embedding_backward(const Segments&, int64_t, int64_t, const float*, float*, Stream);
template void embedding_backward(const Segments&, int64_t, int64_t, const double*, double*, Stream);
template void embedding_backward(const Segments&, int64_t, int64_t, const Float16*, float*, Stream);
template void embedding_backward(const Segments&, int64_t, int64_t, const BFloat16*, float*, Stream);

}  // namespace lamina::cuda
