// Packed, blocked products. Loops, from outside: blocks of rows of C > CHAIN of k (A block, packed, in L2 or L3) >
// columns of C (B block, packed, stays in L2) > strips of ROWS rows (A strip, in L1) > tiles of WIDTH columns.
#include "ops/gemm.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/activation.h"
#include "cpu/support/elementwise.h"
#include "cpu/support/gemm_tile.h"
#include "cpu/support/parallel.h"
#include "cpu/support/transpose.h"

namespace lamina {
namespace LAMINA_ISA {

template <class T>
constexpr Tiles<T> tiles;
template <class T>
const Tiles<T>& shared_tiles() {
  return tiles<T>;
}
template const Tiles<float>& shared_tiles();
template const Tiles<double>& shared_tiles();

template <class T>
struct Blocks {
  static constexpr int ROWS = Tiles<T>::ROWS, WIDTH = Tiles<T>::WIDTH, LINE = Tiles<T>::PACKED_ROWS;
  static constexpr int64_t STRIPS = 1024 / ROWS;                              // of A, packed at once
  static constexpr int64_t COLUMNS = round_up(1024 / int(sizeof(T)), WIDTH);  // of B: half a megabyte a chain
  static constexpr int64_t IN_PLACE_ROWS = REGISTERS == 32 ? 64 : 32;  // up to here, packing B costs more than it gives
};

/// Activations that run over finished rows, not in the tile.
template <class T>
INLINE bool passes_after(const Gemm<T>& g) {
  return g.activation == Activation::sigmoid || g.activation == Activation::tanh;
}

// What to pack. No choice here changes a bit of the result.
template <class T>
struct Plan {
  bool pack_a, pack_b;
  explicit Plan(const Gemm<T>& g) {
    constexpr int WIDTH = Blocks<T>::WIDTH;
    pack_b = g.transpose_b || g.m > Blocks<T>::IN_PLACE_ROWS;
    const bool rows_collide = !g.transpose_a && g.lda * int64_t(sizeof(T)) % 4096 == 0;  // in one set of L1
    pack_a = g.m > 4 && (g.n > 4 * WIDTH || (rows_collide && g.n > WIDTH));
  }
};

/// Whether C is better written past the caches: it is large, written once, and every vector is whole and aligned.
template <class T>
INLINE bool streams_result(const Gemm<T>& g) {
  return sizeof(V<T>) == 64 && g.k <= CHAIN && !passes_after(g) && g.n % lanes<T> == 0 &&
         g.ldc * int64_t(sizeof(T)) % 64 == 0 && stream_rows(g.c, g.m, g.n);
}

// Strips are even: 18 rows are 9 + 9 rather than 14 + 4.
struct Strips {
  int64_t rows, count;
  int64_t begin(int64_t s) const { return s * (rows / count) + min_of(s, rows % count); }
};

/// past_caches: see streams_result.
template <class T>
void gemm_on_one_thread(const Gemm<T>& g, bool past_caches = false) {
  using B = Blocks<T>;
  constexpr int W = lanes<T>, WIDTH = B::WIDTH;
  if (g.m <= 0 || g.n <= 0) return;
  const Plan<T> plan(g);
  const Strips strips{g.m, ceil_div(g.m, B::ROWS)};
  const int64_t most_depth = min_of(g.k, CHAIN), strip_size = most_depth * B::LINE;
  const int64_t packed_strips = plan.pack_a ? min_of(strips.count, B::STRIPS) : 0;
  const int64_t packed_columns = plan.pack_b ? min_of(round_up(g.n, WIDTH), B::COLUMNS) : WIDTH;
  T* const a_packed = scratch_for<T>(Slot::gemm, packed_strips * strip_size + most_depth * packed_columns + 64);
  T* const b_packed = a_packed + packed_strips * strip_size;
  const int64_t step = plan.pack_a ? B::STRIPS : strips.count;
  const bool pass_after = passes_after(g);

  for (int64_t s0 = 0; s0 < strips.count; s0 += step) {
    const int64_t s1 = min_of(s0 + step, strips.count);
    int64_t k0 = 0;
    do {  // once even for k = 0: C = activation(bias)
      const int64_t depth = min_of(g.k - k0, CHAIN);
      const int64_t a_row = g.transpose_a ? 1 : g.lda, a_step = g.transpose_a ? g.lda : 1;
      const T* const a0 = g.a + k0 * a_step;
      if (plan.pack_a)
        for (int64_t s = s0; s < s1; ++s)
          pack_panel(a_packed + (s - s0) * strip_size, B::LINE, strips.begin(s + 1) - strips.begin(s), depth,
                     a0 + strips.begin(s) * a_row, a_row, a_step);
      for (int64_t j0 = 0; j0 < g.n; j0 += B::COLUMNS) {
        const int64_t columns = min_of(g.n - j0, B::COLUMNS);
        const int64_t in_place = plan.pack_b ? 0 : columns % W == 0 ? columns : columns / WIDTH * WIDTH;
        const int64_t b_column = g.transpose_b ? g.ldb : 1, b_step = g.transpose_b ? 1 : g.ldb;
        const T* const b0 = g.b + k0 * b_step + j0 * b_column;
        for (int64_t j = in_place; j < columns; j += WIDTH)  // a ragged end is always packed
          pack_panel(b_packed + (j - in_place) * most_depth, WIDTH, min_of(columns - j, WIDTH), depth,
                     b0 + j * b_column, b_column, b_step);

        for (int64_t s = s0; s < s1; ++s) {
          const int64_t i = strips.begin(s);
          const int rows = int(strips.begin(s + 1) - i);
          Tile<T> t;
          t.depth = depth;
          t.a_row = plan.pack_a ? 1 : a_row;
          t.a_step = plan.pack_a ? B::LINE : a_step;
          t.a = plan.pack_a ? a_packed + (s - s0) * strip_size : a0 + i * a_row;
          t.c_row = g.ldc;
          t.resume = k0 > 0;
          t.finish = k0 + depth == g.k;
          t.past_caches = past_caches;
          t.relu = g.activation == Activation::relu;
          // The next strip, on its way to L2: packed, lines in order; rows in place, one line of each row in turn.
          // Columns in place: the next chain.
          t.next = plan.pack_a ? t.a + strip_size : g.transpose_a ? t.a + depth * a_step : t.a + rows * a_row;
          t.next_step = t.a_step == 1 ? t.a_row : t.a_step;
          t.next_jump = t.a_step == 1 ? NEXT_RUN - NEXT_RUN * t.a_row : 0;
          for (int64_t j = 0; j < columns;) {
            int vectors;
            if (j < in_place) {
              t.b = b0 + j;
              t.b_row = g.ldb;
              const int64_t left = (in_place - j) / W;
              constexpr int WIDE = Tiles<T>::WIDE;
              if (left >= WIDE && rows <= Tiles<T>::rows_for(WIDE))
                vectors = WIDE;
              else if (left >= 4 && rows <= Tiles<T>::rows_for(4))
                vectors = 4;
              else
                vectors = int(min_of(left, Tiles<T>::VECTORS));
            } else {
              t.b = b_packed + (j - in_place) * most_depth;
              t.b_row = WIDTH;
              vectors = int(min_of(ceil_div(columns - j, W), Tiles<T>::VECTORS));
            }
            t.last = first<T>(columns - j - (vectors - 1) * W);
            t.c = g.c + i * g.ldc + j0 + j;
            t.bias = g.bias ? g.bias + j0 + j : nullptr;
            tiles<T>.at[vectors][rows](t);
            j += vectors * W;
          }
          if (t.finish && pass_after)
            for (int64_t r = 0; r < rows; ++r) apply_activation(g.c + (i + r) * g.ldc + j0, columns, g.activation);
        }
      }
      k0 += depth;
    } while (k0 < g.k);
  }
  if (past_caches) stream_fence();
}

/// Rows [i0, i1) and columns [j0, j1) of the product.
template <class T>
Gemm<T> part_of(Gemm<T> g, int64_t i0, int64_t i1, int64_t j0, int64_t j1) {
  g.a += i0 * (g.transpose_a ? 1 : g.lda);
  g.b += j0 * (g.transpose_b ? g.ldb : 1);
  g.c += i0 * g.ldc + j0;
  if (g.bias) g.bias += j0;
  g.m = i1 - i0;
  g.n = j1 - j0;
  return g;
}

/// How many parts rows and columns are cut into, one part a thread, so that the largest part costs least: its tiles,
/// and its share of A and B, which comes from further away (half a cycle a value).
template <class T>
struct Grid {
  int64_t rows = 1, columns = 1;
  Grid(int64_t strips, int64_t panels, int threads) {
    double least = 0;
    for (int64_t r = 1; r <= threads; ++r) {
      const double s = double(ceil_div(strips, r)), p = double(ceil_div(panels, threads / r));
      const double cost = s * p * Tiles<T>::ROWS * Tiles<T>::VECTORS + 0.5 * (s * Tiles<T>::ROWS + p * Tiles<T>::WIDTH);
      if (r == 1 || cost < least) {
        least = cost;
        rows = min_of(r, strips);
        columns = min_of(threads / r, panels);
      }
    }
  }
};

/// A product with too few tiles to share out: every chain of k on its own, then their sum in order. The same bits.
template <class T>
void gemm_by_chains(const Gemm<T>& g) {
  const int64_t chains = ceil_div(g.k, CHAIN), size = g.m * g.n;
  T* const partial = scratch_for<T>(Slot::caller, chains * size);
  parallel_for(chains, 1e9, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Gemm<T> one = g;
      one.a += i * CHAIN * (g.transpose_a ? g.lda : 1);
      one.b += i * CHAIN * (g.transpose_b ? 1 : g.ldb);
      one.k = min_of(g.k - i * CHAIN, CHAIN);
      one.c = partial + i * size;
      one.ldc = g.n;
      one.bias = nullptr;
      one.activation = Activation::linear;
      gemm_on_one_thread(one);
    }
  });
  parallel_for(g.m, double(g.n * chains) * 0.1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      each_vector<T>(g.n, [&](int64_t j, auto mask) INLINE_LAMBDA {
        V<T> sum = load(partial + i * g.n + j, mask);
        for (int64_t c = 1; c < chains; ++c) sum = sum + load(partial + c * size + i * g.n + j, mask);
        if (g.bias) sum = sum + load(g.bias + j, mask);
        store(g.c + i * g.ldc + j, sum, mask);
      });
      apply_activation(g.c + i * g.ldc, g.n, g.activation);
    }
  });
}

constexpr double NANOSECONDS_A_FLOP = 0.01, NANOSECONDS_A_VALUE = 0.05;
constexpr double LEAST_WORK = 10e3;  // from here on threads share a product: at its best it takes half as long

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <class Target, class T>
void gemm(const Gemm<T>& g) {
  const double work = 2.0 * double(g.m) * double(g.n) * double(g.k) * NANOSECONDS_A_FLOP +
                      double(g.m * g.n + g.m * g.k + g.k * g.n) * NANOSECONDS_A_VALUE;
  const int threads = num_threads();
  const bool past_caches = streams_result(g);
  if (threads == 1 || work < LEAST_WORK) return gemm_on_one_thread(g, past_caches);
  const int64_t strips = ceil_div(g.m, Tiles<T>::ROWS), panels = ceil_div(g.n, Tiles<T>::WIDTH);
  const int64_t chains = ceil_div(g.k, CHAIN);
  constexpr int64_t MOST_PARTIALS = int64_t(1) << 20;
  if (strips * panels < 2 * threads && chains >= 2 * threads && chains * g.m * g.n <= MOST_PARTIALS)
    return gemm_by_chains(g);
  const Grid<T> grid(strips, panels, threads);
  parallel_for(grid.rows * grid.columns, 1e9, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      const int64_t r = part / grid.columns, c = part % grid.columns;
      const auto row = [&](int64_t at) { return min_of(g.m, strips * at / grid.rows * Tiles<T>::ROWS); };
      const auto column = [&](int64_t at) { return min_of(g.n, panels * at / grid.columns * Tiles<T>::WIDTH); };
      gemm_on_one_thread(part_of(g, row(r), row(r + 1), column(c), column(c + 1)), past_caches);
    }
  });
}

template <class Target, class T>
void gemm_batched(const Gemm<T>& g, int64_t count, int64_t stride_a, int64_t stride_b, int64_t stride_c) {
  const auto product_at = [&](int64_t i) {
    Gemm<T> one = g;
    one.a += i * stride_a;
    one.b += i * stride_b;
    one.c += i * stride_c;
    return one;
  };
  if (count < num_threads()) {
    for (int64_t i = 0; i < count; ++i) gemm<Target>(product_at(i));
    return;
  }
  const double work = 2.0 * double(g.m) * double(g.n) * double(g.k) * NANOSECONDS_A_FLOP;
  parallel_for(count, work, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) gemm_on_one_thread(product_at(i));
  });
}

template void gemm<Target>(const Gemm<float>&);
DOUBLE template void gemm<Target>(const Gemm<double>&);
template void gemm_batched<Target>(const Gemm<float>&, int64_t, int64_t, int64_t, int64_t);
DOUBLE template void gemm_batched<Target>(const Gemm<double>&, int64_t, int64_t, int64_t, int64_t);

}  // namespace lamina
