// The gradients of a convolution's kernel and bias from that of the max pool behind it.
//
// Of each window only one of four products counts, but a different one in every lane. So the four values of x that a
// tap may see are laid beside each other ("fours"), and the winner's place picks one of them in the register: one load,
// one pick and one multiply-add a tap and window.
#include "cpu/support/chains.h"
#include "cpu/support/pick.h"
#include "ops/conv2d_pool.h"
#include "support/activation.h"

namespace lamina {
namespace LAMINA_ISA {

/// Taps and vectors of filters in a register tile. float64 is for checks, and without vectors of 256 bits an FMA may be
/// a call: smaller tiles there compile faster.
template <class T>
constexpr int TAPS = sizeof(T) == 8 || lanes<T> == 4 ? 5 : 9;
template <class T>
constexpr int VECTORS = sizeof(T) == 4 && REGISTERS == 32 ? 2 : 1;
constexpr int64_t PIECE_BYTES = 16 << 10;  // what a piece's tiles read stays in L1

/// A few rows of windows, prepared: fours of x, gradients and winners of one panel of filters.
template <class T>
struct Piece {
  int64_t rows, columns;  // of windows
  const T* fours;
  int64_t row, window;  // steps in fours to the next row of windows, and to the next window
  const T* dz;          // [window][filter of the panel]
  const uint8_t* place;
};

/// sums[m][..] += over the piece's windows: one chain of FMAs each, that goes on where it stopped.
template <class T, int M, int NV>
void pooled_tile(const Piece<T>& piece, const int64_t* at, T* sums) {
  constexpr int L = lanes<T>;
  // Loops with pragmas: as lambdas they would take twice as long to compile.
  V<T> sum[M][NV];
  int64_t tap[M];
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
    tap[m] = at[m];
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) sum[m][v] = load(sums + (m * NV + v) * L);
  }
  const T* dz = piece.dz;
  const uint8_t* place = piece.place;
  for (int64_t j = 0; j < piece.rows; ++j) {
    const T* p = piece.fours + j * piece.row;
    for (int64_t i = piece.columns; i > 0; --i, p += piece.window, dz += NV * L, place += NV * L) {
      V<T> d[NV];
      I<T> winner[NV];
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) {
        d[v] = load(dz + v * L);
        winner[v] = widen<T>(place + v * L);
      }
#pragma GCC unroll 16
      for (int m = 0; m < M; ++m) {
        const auto four = fours(p + tap[m]);
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v) sum[m][v] = fma(pick(four, winner[v]), d[v], sum[m][v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) store(sums + (m * NV + v) * L, sum[m][v]);
}

template <class T>
struct PooledJob {
  static constexpr int64_t L = lanes<T>, WIDE = VECTORS<T> * L;
  Gather d;       // its columns: those that the windows of a chain cover
  Chains chains;  // of windows
  int64_t filters;
  const T *x, *y, *dy;
  const uint8_t* offsets;
  Activation activation;
  const int64_t* at;  // where each tap's four lies, from its window's first

  int64_t taps() const { return d.h.kernel * d.w.kernel * d.channels; }
  int64_t panels() const { return ceil_div(filters, WIDE); }
  int64_t width(int64_t panel) const { return round_up(min_of(filters - panel * WIDE, WIDE), L); }
  int64_t sums_size() const { return (taps() + 1) * WIDE; }  // of a panel: the taps, then the bias

  // Fours of one row: every channel of every column that a window's taps may begin at.
  int64_t positions(int64_t columns) const { return (2 * (columns - 1) * d.w.stride + d.w.span) * d.channels; }
  int64_t pitch() const { return 4 * round_up(positions(chains.columns), 4); }
  int64_t four_rows(int64_t rows) const { return 2 * (rows - 1) * d.h.stride + d.h.span; }

  int64_t piece_rows() const {
    const int64_t row_bytes = (2 * d.h.stride * pitch() + chains.columns * WIDE) * int64_t(sizeof(T));
    return max_of(1, min_of(chains.rows, PIECE_BYTES / row_bytes));
  }

  void find_taps() {
    int64_t* next = scratch_for<int64_t>(Slot::caller2, taps());
    at = next;
    for (int64_t kh = 0; kh < d.h.kernel; ++kh)
      for (int64_t kw = 0; kw < d.w.kernel; ++kw)
        for (int64_t c = 0; c < d.channels; ++c)
          *next++ = d.h.offset(kh) * pitch() + 4 * (d.w.offset(kw) * d.channels + c);
  }

  /// The fours that windows [row, row + rows) x [column, column + columns) of an image see; padded: room for its rows.
  void make_fours(int64_t image, int64_t row, int64_t rows, int64_t column, int64_t columns, T* padded, T* to) const {
    const int64_t height = four_rows(rows) + d.h.stride, line = padded_row(d);
    const T* const from = x + image * d.h.source * d.w.source * d.channels;
    for (int64_t i = 0; i < height; ++i) {
      const int64_t source = d.h.low + 2 * row * d.h.stride + i;
      const bool inside = source >= 0 && source < d.h.source;
      pad_row(d, inside ? from + source * d.w.source * d.channels : nullptr, 2 * column, 2 * columns,
              padded + i * line);
    }
    const int64_t right = d.w.stride * d.channels, below = d.h.stride * line;
    for (int64_t i = 0; i < four_rows(rows); ++i) {
      const T* const p = padded + i * line;
      zip_fours(positions(columns), p, p + right, p + below, p + below + right, to + i * pitch());
    }
  }

  /// dz and the winners of a piece, whose first window is `window0`; the sum of dz goes on in `sum`.
  template <Activation A>
  void prepare(int64_t window0, const Piece<T>& piece, int64_t panel, T* dz, uint8_t* place, T* sum) const {
    const int64_t K = filters, n = width(panel), k = panel * WIDE, columns = piece.columns;
    for (int64_t l = 0; l < n; l += L) {
      const int64_t exist = K - k - l;
      const auto run = [&](auto mask) INLINE_LAMBDA {
        V<T> total = load(sum + l);
        const int64_t row = d.w.target / 2 * K;
        T* g_to = dz + l;
        uint8_t* place_to = place + l;
        for (int64_t j = 0; j < piece.rows; ++j) {
          const int64_t from = window0 * K + j * row + k + l;
          const T *const g_from = dy + from, *const y_from = y + from;
          const uint8_t* const place_from = offsets + from;
          for (int64_t i = 0; i < columns; ++i, g_to += n, place_to += n) {
            V<T> g = load(g_from + i * K, mask);
            if constexpr (A != Activation::linear) g = activation_gradient<A, T>(load(y_from + i * K, mask), g);
            store(g_to, g);
            narrow(place_to, widen<T>(place_from + i * K, exist));
            total = total + g;
          }
        }
        store(sum + l, total);
      };
      exist >= L ? run(All{}) : run(first<T>(exist));
    }
  }

  /// Adds chains [chain0, chain1) to the panels [panel0, panel1) of `to`: the kernel's gradient, then the bias's.
  void run(int64_t chain0, int64_t chain1, int64_t panel0, int64_t panel1, T* to) const {
    const int64_t most_rows = piece_rows(), windows = most_rows * chains.columns;
    const int64_t sums_total = (panel1 - panel0) * sums_size();
    const int64_t fours_size = four_rows(most_rows) * pitch();
    const int64_t padded_size = (four_rows(most_rows) + d.h.stride) * padded_row(d);
    T* const sums = scratch_for<T>(Slot::worker, sums_total + fours_size + padded_size + 2 * windows * WIDE + BLOCK);
    T* const four = sums + sums_total;
    T* const dz = four + fours_size;
    uint8_t* const place = reinterpret_cast<uint8_t*>(dz + windows * WIDE);
    T* const padded = dz + 2 * windows * WIDE;
    for (int64_t chain = chain0; chain < chain1; ++chain) {
      const Chain c = chains[chain];
      fill_zero(sums, sums_total);
      for (int64_t image = c.image; image < c.image + c.images; ++image)
        for (int64_t row = c.row; row < c.row + c.rows; row += most_rows) {
          const int64_t rows = min_of(most_rows, c.row + c.rows - row);
          make_fours(image, row, rows, c.column, c.columns, padded, four);
          const Piece<T> piece{rows, c.columns, four, 2 * d.h.stride * pitch(), 8 * d.w.stride * d.channels, dz, place};
          const int64_t window0 = (image * (d.h.target / 2) + row) * (d.w.target / 2) + c.column;
          for (int64_t panel = panel0; panel < panel1; ++panel) {
            T* const own = sums + (panel - panel0) * sums_size();
            with_activation(activation, [&](auto a) INLINE_LAMBDA {
              prepare<a.value>(window0, piece, panel, dz, place, own + taps() * width(panel));
            });
            run_tiles(piece, panel, own);
          }
        }
      for (int64_t panel = panel0; panel < panel1; ++panel) add_sums(panel, sums + (panel - panel0) * sums_size(), to);
    }
  }

  void run_tiles(const Piece<T>& piece, int64_t panel, T* sums) const {
    const int64_t tiles = ceil_div(taps(), TAPS<T>);
    for (int64_t i = 0; i < tiles; ++i) {
      const int64_t m0 = taps() * i / tiles, m1 = taps() * (i + 1) / tiles;
      with_constant<TAPS<T>>(int(m1 - m0), [&](auto M) INLINE_LAMBDA {
        if (width(panel) > L)
          pooled_tile<T, M, VECTORS<T>>(piece, at + m0, sums + m0 * WIDE);
        else
          pooled_tile<T, M, 1>(piece, at + m0, sums + m0 * L);
      });
    }
  }

  void add_sums(int64_t panel, const T* sums, T* to) const {
    for (int64_t m = 0; m < taps() + 1; ++m, sums += width(panel), to += filters)
      each_vector<T>(min_of(WIDE, filters - panel * WIDE), [&](int64_t k, auto mask) INLINE_LAMBDA {
        T* const p = to + panel * WIDE + k;
        store(p, load(p, mask) + load(sums + k), mask);
      });
  }
};

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void conv2d_pool_backward_kernel(const Conv2D& s, const T* x, const T* y, const T* dy, const uint8_t* offsets,
                                 Activation activation, T* dw, T* db) {
  PooledJob<T> job{};
  Gather& d = job.d;
  d.h = forward_view(s.h);
  d.w = forward_view(s.w);
  d.channels = d.source_pitch = s.channels;
  job.chains = Chains(s.batch, d.h.target / 2, d.w.target / 2);
  d.columns = 2 * job.chains.columns;
  job.filters = s.filters;
  job.x = x;
  job.y = y;
  job.dy = dy;
  job.offsets = offsets;
  job.activation = activation;
  job.find_taps();
  const int64_t kernel_size = job.taps() * s.filters, size = kernel_size + s.filters;
  T* const sums = scratch_for<T>(Slot::caller3, size);
  sum_chains(
      job.chains.count(), size, job.panels(), 4.0 * double(job.chains.pixels()) * double(size) / 100,
      [&](int64_t chain0, int64_t chain1, int64_t task0, int64_t task1, T* to)
          INLINE_LAMBDA { job.run(chain0, chain1, task0, task1, to); },
      sums);
  std::memcpy(dw, sums, size_t(kernel_size) * sizeof(T));
  if (db) std::memcpy(db, sums + kernel_size, size_t(s.filters) * sizeof(T));
}

template void conv2d_pool_backward_kernel<Target>(const Conv2D&, const float*, const float*, const float*,
                                                  const uint8_t*, Activation, float*, float*);
DOUBLE template void conv2d_pool_backward_kernel<Target>(const Conv2D&, const double*, const double*, const double*,
                                                         const uint8_t*, Activation, double*, double*);

}  // namespace lamina
