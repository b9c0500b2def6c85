#include "ops/embedding.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/parallel.h"
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
  constexpr int64_t COLUMNS = GROUP * lanes<T>;  // of a task: a long segment has no more than these in one piece
  const int64_t blocks = ceil_div(width, COLUMNS);
  parallel_for(blocks * s.positions, 4 + COLUMNS * 0.15, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    while (begin < end) {
      const int64_t block = begin / s.positions, from = begin % s.positions;
      const int64_t to = min_of(s.positions, from + end - begin), left = block * COLUMNS;
      const int64_t columns = min_of(COLUMNS, width - left);
      for (int64_t u = segment_from(s, from); u < s.count && s.first[u] < to; ++u) {
        const int64_t count = s.first[u + 1] - s.first[u];
        const int64_t* const order = s.order + s.first[u];
        const T* const part = dy + left;
        T* const sum = y + (s.rows ? s.rows[u] : u) * width + left;
        if (columns == COLUMNS) {
          sum_rows<GROUP>(part, width, order, count, sum, All{});
        } else {
          each_vector<T>(columns, [&](int64_t j, auto mask)
                                      INLINE_LAMBDA { sum_rows<1>(part + j, width, order, count, sum + j, mask); });
        }
      }
      begin += to - from;
    }
  });
}

template void embedding_backward<Target>(const Segments&, int64_t, const float*, float*);
template void embedding_backward<Target>(const Segments&, int64_t, const double*, double*);

}  // namespace lamina
