// Packed, blocked products. Loops, from outside: blocks of rows of C (A block, packed, in L2 or L3) > CHAIN of k >
// columns of C (B, in L2) > strips of ROWS rows > tiles of WIDTH columns. Where both are packed, B comes panel by
// panel, the next one while tiles multiply the one before it; else A strips stay in L1 for half a megabyte of B.
#include "ops/gemm.h"

#include <utility>

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
  static constexpr int64_t STRIPS = 448 / ROWS;                               // of A, packed at once
  static constexpr int64_t COLUMNS = round_up(1024 / int(sizeof(T)), WIDTH);  // of B: half a megabyte a chain
  // Up to so many rows, packing B costs more than it gives: before the tiles, and panel by panel while they multiply.
  static constexpr int64_t IN_PLACE_ROWS = REGISTERS == 32 ? 64 : 32;
  static constexpr int64_t IN_PLACE_ROWS_OF_PANELS = REGISTERS == 32 ? 28 : 16;
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
    using B = Blocks<T>;
    const auto collide = [](int64_t row, int64_t set) { return row * int64_t(sizeof(T)) % set == 0; };  // rows, in L1
    const bool rows_collide = !g.transpose_a && collide(g.lda, 4096);
    pack_a = g.m > 4 && (g.n > 4 * B::WIDTH || (rows_collide && g.n > B::WIDTH));
    const int64_t in_place = !pack_a ? B::IN_PLACE_ROWS : collide(g.ldb, 2048) ? B::ROWS : B::IN_PLACE_ROWS_OF_PANELS;
    pack_b = g.transpose_b || g.m > in_place;
  }
  bool by_panels() const { return pack_a && pack_b; }
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
  int64_t rows_of(int64_t s) const { return begin(s + 1) - begin(s); }
};

/// A product on one thread, place after place: a block of strips, a chain of k, a block of columns.
template <class T>
class Multiplication {
  using B = Blocks<T>;
  static constexpr int W = lanes<T>, WIDTH = B::WIDTH, WIDE = Tiles<T>::WIDE;

  struct Place {
    int64_t strip, last_strip, k, depth, column, columns;
  };

  const Gemm<T>& g;
  const bool past_caches;  // see streams_result
  const Plan<T> plan{g};
  const Strips strips{g.m, ceil_div(g.m, B::ROWS)};
  const int64_t chains_at_once = plan.by_panels() && ceil_div(g.k, CHAIN) == 2 ? 2 : 1;
  const int64_t blocks = plan.pack_a ? ceil_div(strips.count, B::STRIPS / chains_at_once) : 1;
  const int64_t most_strips = ceil_div(strips.count, blocks), most_columns = plan.by_panels() ? WIDTH : B::COLUMNS;
  const int64_t most_depth = min_of(g.k, CHAIN), strip_size = most_depth * B::LINE;
  const int64_t a_row = g.transpose_a ? 1 : g.lda, a_step = g.transpose_a ? g.lda : 1;
  const int64_t b_column = g.transpose_b ? g.ldb : 1, b_step = g.transpose_b ? 1 : g.ldb;
  T *a_packed, *b_packed, *b_next;
  NextPanel<T> next_panel;

 public:
  Multiplication(const Gemm<T>& product, bool past) : g(product), past_caches(past) {
    const int64_t a_size = plan.pack_a ? chains_at_once * most_strips * strip_size : 0;
    const int64_t b_size = most_depth * (plan.pack_b ? min_of(round_up(g.n, WIDTH), most_columns) : WIDTH);
    a_packed = scratch_for<T>(Slot::gemm, a_size + (plan.by_panels() ? 2 : 1) * b_size + 64);
    b_packed = a_packed + a_size;
    b_next = b_packed + b_size;
  }

  void run() {
    bool brought = false;  // whether this place's columns are in b_packed already
    for (Place p = at(0, 0, 0), next; p.strip < strips.count; p = next) {
      if (!brought) pack_columns(p);
      next = after(p);
      brought = plan.by_panels() && !g.transpose_b && next.columns == WIDTH && next.depth > 0;
      if (brought) {
        const int64_t times = (p.last_strip - p.strip) * ceil_div(p.depth, NEXT_RUN);
        next_panel = {b_at(next), g.ldb, b_next, next.depth, ceil_div(next.depth, times)};
      }
      for (int64_t s = p.strip; s < p.last_strip; ++s) multiply_strip(p, s, next, brought);
      if (brought) {
        next_panel.bring(next_panel.left);  // tiles of one vector bring nothing
        std::swap(b_packed, b_next);
      }
    }
    if (past_caches) stream_fence();
  }

 private:
  Place at(int64_t strip, int64_t k, int64_t column) const {
    const int64_t columns = strip < strips.count ? min_of(g.n - column, most_columns) : 0;  // none after the last
    return {strip, min_of(strip + most_strips, strips.count), k, min_of(g.k - k, CHAIN), column, columns};
  }
  Place after(const Place& p) const {
    const bool columns_left = p.column + p.columns < g.n, k_left = p.k + p.depth < g.k;
    if (k_left && chains_at_once == 2) return at(p.strip, p.k + p.depth, p.column);
    if (columns_left) return at(p.strip, chains_at_once == 2 ? 0 : p.k, p.column + p.columns);
    if (k_left) return at(p.strip, p.k + p.depth, 0);
    return at(p.last_strip, 0, 0);
  }
  const T* b_at(const Place& p) const { return g.b + p.k * b_step + p.column * b_column; }

  /// How many columns tiles read where they lie: a ragged end is always packed.
  int64_t in_place(const Place& p) const {
    return plan.pack_b ? 0 : p.columns % W == 0 ? p.columns : p.columns / WIDTH * WIDTH;
  }

  T* strip_at(const Place& p, int64_t strip) const {
    return a_packed + (p.k / CHAIN % chains_at_once * most_strips + strip - p.strip) * strip_size;
  }
  const T* rows_at(const Place& p, int64_t strip) const { return g.a + p.k * a_step + strips.begin(strip) * a_row; }
  void pack_columns(const Place& p) const {
    const int64_t begin = in_place(p);
    for (int64_t j = begin; j < p.columns; j += WIDTH)
      pack_panel(b_packed + (j - begin) * most_depth, WIDTH, min_of(p.columns - j, WIDTH), p.depth,
                 b_at(p) + j * b_column, b_column, b_step);
  }

  // What a tile asks for, a line a step, on its way to L2: NEXT_RUN rows, one line of each in turn; a strip's rows,
  // where they are packed from; or lines in order.
  static void ask_for_rows(Tile<T>& t, const T* rows, int64_t row) {
    t.next = rows;
    t.next_step = row;
    t.next_jump = NEXT_RUN - NEXT_RUN * row;
  }
  static void ask_for_lines(Tile<T>& t, const T* lines, int64_t step) {
    t.next = lines;
    t.next_step = step;
    t.next_jump = 0;
  }
  void ask_for_strip(Tile<T>& t, const Place& p, int64_t strip) const {
    g.transpose_a ? ask_for_lines(t, rows_at(p, strip), g.lda) : ask_for_rows(t, rows_at(p, strip), g.lda);
  }
  void ask_for_next(Tile<T>& t, const Place& p, int64_t strip, const Place& next) const {
    const bool last = strip + 1 == p.last_strip;
    const int64_t turned = (strip - p.strip) * NEXT_RUN;  // columns of the next panel, asked for strip by strip
    if (!last && (!plan.pack_a || p.column == 0))
      ask_for_strip(t, p, strip + 1);
    else if (last && next.columns > 0 && (!plan.pack_a || next.column == 0))
      ask_for_strip(t, next, next.strip);
    else if (plan.by_panels() && g.transpose_b && turned < next.columns)
      ask_for_rows(t, b_at(next) + turned * g.ldb, g.ldb);
    else
      ask_for_lines(t, t.a + strip_size, B::LINE);
  }

  void multiply_strip(const Place& p, int64_t strip, const Place& next, bool bring) {
    const int64_t i = strips.begin(strip), rows = strips.rows_of(strip);
    if (plan.pack_a && p.column == 0)
      pack_panel(strip_at(p, strip), B::LINE, rows, p.depth, rows_at(p, strip), a_row, a_step);
    Tile<T> t;
    t.depth = p.depth;
    t.a_row = plan.pack_a ? 1 : a_row;
    t.a_step = plan.pack_a ? B::LINE : a_step;
    t.a = plan.pack_a ? strip_at(p, strip) : rows_at(p, strip);
    t.c_row = g.ldc;
    t.resume = p.k > 0;
    t.finish = p.k + p.depth == g.k;
    t.past_caches = past_caches;
    t.relu = g.activation == Activation::relu;
    t.next_panel = bring ? &next_panel : nullptr;
    ask_for_next(t, p, strip, next);

    const int64_t read_in_place = in_place(p);
    for (int64_t j = 0; j < p.columns;) {
      int vectors;
      if (j < read_in_place) {
        t.b = b_at(p) + j;
        t.b_row = g.ldb;
        const int64_t left = (read_in_place - j) / W;
        if (left >= WIDE && rows <= Tiles<T>::rows_for(WIDE))
          vectors = WIDE;
        else if (left >= 4 && rows <= Tiles<T>::rows_for(4))
          vectors = 4;
        else
          vectors = int(min_of(left, Tiles<T>::VECTORS));
      } else {
        t.b = b_packed + (j - read_in_place) * most_depth;
        t.b_row = WIDTH;
        vectors = int(min_of(ceil_div(p.columns - j, W), Tiles<T>::VECTORS));
      }
      t.last = first<T>(p.columns - j - (vectors - 1) * W);
      t.c = g.c + i * g.ldc + p.column + j;
      t.bias = g.bias ? g.bias + p.column + j : nullptr;
      t.addend = t.finish && g.addend ? g.addend + i * g.ldc + p.column + j : nullptr;
      tiles<T>.at[vectors][rows](t);
      j += vectors * W;
    }
    if (t.finish && passes_after(g))
      for (int64_t r = 0; r < rows; ++r) apply_activation(g.c + (i + r) * g.ldc + p.column, p.columns, g.activation);
  }
};

template <class T>
void gemm_on_one_thread(const Gemm<T>& g, bool past_caches = false) {
  if (g.m > 0 && g.n > 0) Multiplication<T>(g, past_caches).run();
}

/// Rows [i0, i1) and columns [j0, j1) of the product.
template <class T>
Gemm<T> part_of(Gemm<T> g, int64_t i0, int64_t i1, int64_t j0, int64_t j1) {
  g.a += i0 * (g.transpose_a ? 1 : g.lda);
  g.b += j0 * (g.transpose_b ? g.ldb : 1);
  g.c += i0 * g.ldc + j0;
  if (g.bias) g.bias += j0;
  if (g.addend) g.addend += i0 * g.ldc + j0;
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
      one.bias = one.addend = nullptr;
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
        if (g.addend) sum = sum + load(g.addend + i * g.ldc + j, mask);
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
  if (gemm_row<Target>(g)) return;
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
