#include "ops/embedding.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/parallel.h"
#include "cpu/support/row_ahead.h"
#include "ops/gemm.h"

namespace lamina {
using namespace LAMINA_ISA;

namespace LAMINA_ISA {

/// N vectors of the sum of rows of dy.
template <int N, class T>
INLINE void sum_rows(const T* dy, int64_t width, const int64_t* order, int64_t count, T* y, auto mask) {
  V<T> total[N];
  unroll<N>([&](auto v) INLINE_LAMBDA { total[v] = zero<T>(); });
  for (int64_t begin = 0; begin < count; begin += CHAIN) {
    V<T> sum[N];
    unroll<N>([&](auto v) INLINE_LAMBDA { sum[v] = zero<T>(); });
    const int64_t end = min_of(begin + CHAIN, count);
    for (int64_t i = begin; i < end; ++i) {
      const T* const row = dy + order[i] * width;
      unroll<N>([&](auto v) INLINE_LAMBDA { sum[v] = sum[v] + load(row + v * lanes<T>, mask); });
    }
    unroll<N>([&](auto v) INLINE_LAMBDA { total[v] = begin == 0 ? sum[v] : total[v] + sum[v]; });
  }
  unroll<N>([&](auto v) INLINE_LAMBDA { store(y + v * lanes<T>, total[v], mask); });
}

/// The first segment that begins at this position or behind it.
INLINE int64_t segment_from(const Segments& s, int64_t position) {
  int64_t low = 0, high = s.count;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (s.first[middle] < position)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

}  // namespace LAMINA_ISA

template <class Target, class T>
void embedding_backward(const Segments& s, int64_t width, const T* dy, T* y) {
  constexpr int GROUP = int(256 / sizeof(V<T>));
  constexpr int64_t COLUMNS = GROUP * lanes<T>;
  int64_t longest = 0;
  for (int64_t u = 0; u < s.count; ++u) longest = max_of(longest, s.first[u + 1] - s.first[u]);
  // Whole rows are read best; but a long segment's columns are shared out, that no thread has it alone.
  const int64_t blocks = longest * 64 > s.positions ? ceil_div(width, COLUMNS) : 1;
  parallel_for(blocks * s.positions, 4 + double(width) / blocks * 0.2, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    while (begin < end) {
      const int64_t block = begin / s.positions, from = begin % s.positions;
      const int64_t to = min_of(s.positions, from + end - begin);
      const int64_t left = block * COLUMNS, right = blocks == 1 ? width : min_of(width, left + COLUMNS);
      for (int64_t u = segment_from(s, from); u < s.count && s.first[u] < to; ++u) {
        const int64_t count = s.first[u + 1] - s.first[u];
        const int64_t* const order = s.order + s.first[u];
        T* const sum = y + (s.rows ? s.rows[u] : u) * width;
        for (int64_t i = s.first[u] + ROWS_AHEAD; i < min_of(s.first[u + 1] + ROWS_AHEAD, to); ++i)
          prefetch_row(dy + s.order[i] * width + left, right - left);
        int64_t j = left;
        for (; j + COLUMNS <= right; j += COLUMNS) sum_rows<GROUP>(dy + j, width, order, count, sum + j, All{});
        each_vector<T>(right - j, [&](int64_t k, auto mask) INLINE_LAMBDA {
          sum_rows<1>(dy + j + k, width, order, count, sum + j + k, mask);
        });
      }
      begin += to - from;
    }
  });
}

template void embedding_backward<Target>(const Segments&, int64_t, const float*, float*);
DOUBLE template void embedding_backward<Target>(const Segments&, int64_t, const double*, double*);

}  // namespace lamina
