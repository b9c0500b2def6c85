// Winograd convolution, forward and, with the weights turned by 180 degrees, backward to the input.
//
// A block of tiles is carried through all three steps while it lies in L2:
//   input transform   V[xi][c / CB][t][CB]
//   then, for every panel of NR output channels:
//     one product for each xi   M[xi][t][NR] = V[xi] (tiles x C) * U[panel][xi] (C x NR)
//     output transform, bias and activation, straight into y
// Which block a tile is in, and when the weights are transformed, changes no bits.
#include "cpu/runtime/isa.h"
#include "cpu/support/activation.h"
#include "cpu/support/elementwise.h"
#include "cpu/support/transpose.h"
#include "cpu/support/winograd_transform.h"
#include "ops/conv2d.h"
#include "ops/gemm.h"

namespace lamina {
namespace LAMINA_ISA {

/// m (M x NR) = v (M x depth, in blocks of CB, the next one `step` further on) * u (depth x NR); or += . NV vectors of
/// the NR columns count.
template <int M, int NV, class T>
void multiply_rows(int64_t depth, const T* v, int64_t step, const T* u, T* m, bool add) {
  V<T> acc[M][NV];
  const auto each = [](auto f) INLINE_LAMBDA {
    unroll<M>([&](auto i) INLINE_LAMBDA { unroll<NV>([&](auto j) INLINE_LAMBDA { f(i, j); }); });
  };
  each([&](auto i, auto j) INLINE_LAMBDA { acc[i][j] = zero<T>(); });
  for (int64_t c = 0; c < depth; c += CB<T>, v += step) {
    unroll<M>([&](auto i) INLINE_LAMBDA { prefetch(v + step + i * CB<T>); });
#pragma GCC unroll 4
    for (int k = 0; k < CB<T>; ++k, u += NR<T>) {
      V<T> row[NV];
      unroll<NV>([&](auto j) INLINE_LAMBDA { row[j] = load(u + j * lanes<T>); });
      each([&](auto i, auto j) INLINE_LAMBDA { acc[i][j] = fma(set(v[i * CB<T> + k]), row[j], acc[i][j]); });
    }
  }
  if (add) each([&](auto i, auto j) INLINE_LAMBDA { acc[i][j] = load(m + i * NR<T> + j * lanes<T>) + acc[i][j]; });
  each([&](auto i, auto j) INLINE_LAMBDA { store(m + i * NR<T> + j * lanes<T>, acc[i][j]); });
}

template <int F, class T>
struct WinogradForward {
  static constexpr int A = F + 2, XI = A * A;
  static constexpr int64_t STAGE_BYTES = int64_t(24) << 20;  // of V, when all tiles are transformed first
  static constexpr int64_t MOST_BYTES = int64_t(48) << 20;   // of U, when all weights are

  TileGrid grid;
  int64_t channels, filters;  // of x and of y
  const T *x, *w;             // w (3, 3, channels, filters); turned: (3, 3, filters, channels)
  bool turned;
  const T* bias;
  Activation activation;
  T* y;
  bool past_caches;       // y is written past the caches: whole lines, and more than caches hold
  int64_t blocks, block;  // of tiles, and the most tiles in one

  WinogradForward(const TileGrid& tiles, int64_t in, int64_t out, const T* input, const T* weights, bool turn,
                  const T* offset, Activation function, T* output)
      : grid(tiles),
        channels(in),
        filters(out),
        x(input),
        w(weights),
        turned(turn),
        bias(offset),
        activation(function),
        y(output) {
    const int64_t bytes = grid.images * grid.out_height * grid.out_width * filters * int64_t(sizeof(T));
    past_caches = sizeof(V<T>) == 64 && filters % lanes<T> == 0 && reinterpret_cast<uintptr_t>(y) % 64 == 0 &&
                  bytes >= STREAM_BYTES && !read_again();
  }

  /// Whether the activation needs a pass of its own, over a tile's outputs while they are in L1.
  bool read_again() const { return activation == Activation::sigmoid || activation == Activation::tanh; }

  // The xi streams of V, U and M lie one cache line more than a multiple of 4096 bytes apart: they must not share a
  // set.
  int64_t padded() const { return round_up(channels, CB<T>); }
  int64_t panels() const { return ceil_div(filters, NR<T>); }
  int64_t u_stride() const { return padded() * NR<T> + CB<T>; }
  int64_t u_panel() const { return XI * u_stride(); }
  int64_t v_stride() const { return padded() * block + CB<T>; }
  int64_t v_block() const { return XI * v_stride(); }
  int64_t m_stride() const { return NR<T> * block + CB<T>; }
  int64_t m_block() const { return XI * m_stride(); }

  /// U = G w G^T for the channels c .. c + CB of a panel, [xi][c][NR].
  void transform_weights(int64_t panel, int64_t c, T* u) const {
    const int64_t k = panel * NR<T>, rows = min_of(CB<T>, channels - c), columns = min_of(NR<T>, filters - k);
    alignas(64) T rotated[9][CB<T>][NR<T>];  // a gather across w would fight over a few cache sets
    for (int i = 0; turned && i < 9; ++i) {
      const T* const from = w + ((8 - i) * filters + k) * channels + c;
      if (rows == CB<T> && columns == NR<T>) {
        for (int j = 0; j < CB<T>; j += lanes<T>)
          for (int l = 0; l < NR<T>; l += lanes<T>) {
            const T* lines[lanes<T>];
            for (int r = 0; r < lanes<T>; ++r) lines[r] = from + (l + r) * channels + j;
            transpose_block(&rotated[i][j][l], NR<T>, lines);
          }
      } else {
        for (int j = 0; j < CB<T>; ++j)
          for (int64_t l = 0; l < NR<T>; ++l)
            rotated[i][j][l] = j < rows && l < columns ? from[l * channels + j] : T(0);
      }
    }
    for (int64_t j = 0; j < CB<T>; ++j)
      for (int64_t l = 0; l < NR<T>; l += lanes<T>) {
        const Mask<T> exist = first<T>(j < rows ? columns - l : 0);
        V<T> g[3][3], half[A][3];
        unroll<9>([&](auto i) INLINE_LAMBDA {
          g[i % 3][i / 3] =
              turned ? load(&rotated[i][j][l]) : load(w + (i * channels + c + j) * filters + k + l, exist);
        });
        unroll<3>([&](auto q) INLINE_LAMBDA {
          V<T> column[A];
          Winograd<F>::template weights<T>(g[q], column);
          unroll<A>([&](auto a) INLINE_LAMBDA { half[a][q] = column[a]; });
        });
        T* const to = u + (c + j) * NR<T> + l;
        unroll<A>([&](auto a) INLINE_LAMBDA {
          V<T> row[A];
          Winograd<F>::template weights<T>(half[a], row);
          unroll<A>([&](auto b) INLINE_LAMBDA { store(to + (a * A + b) * u_stride(), row[b]); });
        });
      }
  }

  /// The transformed inputs of the tiles begin .. begin + count.
  void transform_inputs(int64_t begin, int64_t count, T* v, const T* zeros) const {
    for (int64_t t = 0; t < count; ++t)
      transform_input<F>(grid, channels, x, begin + t, v + t * CB<T>, v_stride(), block * CB<T>, zeros);
  }

  /// One tile's outputs k .. k + lanes from m[xi][...], or those of them that exist.
  void transform_output(const T* m, const TileGrid::Tile& tile, int64_t k) const {
    const bool whole = k + lanes<T> <= filters;
    const Mask<T> exist = first<T>(filters - k);
    V<T> mid[F][A];
    unroll<A>([&](auto j) INLINE_LAMBDA {
      V<T> in[A], out[F];
      unroll<A>([&](auto i) INLINE_LAMBDA { in[i] = load(m + (i * A + j) * m_stride()); });
      Winograd<F>::template output<T>(in, out);
      unroll<F>([&](auto i) INLINE_LAMBDA { mid[i][j] = out[i]; });
    });
    const V<T> b = bias ? load(bias + k, exist) : zero<T>();
    unroll<F>([&](auto i) INLINE_LAMBDA {
      const int64_t row = tile.row + i * grid.step_h;
      if (row >= grid.out_height) return;
      V<T> out[F];
      Winograd<F>::template output<T>(mid[i], out);
      T* const to = y + ((tile.image * grid.out_height + row) * grid.out_width + tile.column) * filters + k;
      unroll<F>([&](auto j) INLINE_LAMBDA {
        if (tile.column + j * grid.step_w >= grid.out_width) return;
        if (bias) out[j] = out[j] + b;
        if (activation == Activation::relu) out[j] = max(zero<T>(), out[j]);
        T* const at = to + j * grid.step_w * filters;
        if (!whole)
          store(at, out[j], exist);
        else
          past_caches ? stream(at, out[j]) : store(at, out[j]);
      });
    });
  }

  /// M[xi] = V[xi] * U[xi] for the `count` tiles of a block. float64 is for checks: its panels are always whole.
  void multiply(int64_t panel, int64_t xi, int64_t count, const T* v, const T* u, T* m) const {
    if (sizeof(T) == 4 && panel_width<T>(filters, panel) == lanes<T>)
      multiply<sizeof(T) == 4 ? 1 : 2>(xi, count, v, u, m);
    else
      multiply<2>(xi, count, v, u, m);
  }
  template <int NV>
  void multiply(int64_t xi, int64_t count, const T* v, const T* u, T* m) const {
    const int64_t groups = ceil_div(count, MR);  // equal shares: 64 tiles are 13 + 13 + 13 + 13 + 12, not 4 * 14 + 8
    v += xi * v_stride();
    u += xi * u_stride();
    m += xi * m_stride();
    for (int64_t g = 0; g < groups; ++g) {
      const int64_t a = count * g / groups, b = count * (g + 1) / groups;
      with_constant<MR>(int(b - a), [&](auto rows) {
        for (int64_t c = 0; c < padded(); c += CHAIN)
          multiply_rows<rows, NV>(min_of(CHAIN, padded() - c), v + c * block + a * CB<T>, block * CB<T>, u + c * NR<T>,
                                  m + a * NR<T>, c > 0);
      });
    }
  }

  /// One panel's outputs for the tiles begin .. begin + count.
  void transform_outputs(int64_t begin, int64_t count, int64_t panel, const T* m) const {
    const int64_t k = panel * NR<T>;
    for (int64_t t = 0; t < count; ++t) {
      const TileGrid::Tile tile = grid.at(begin + t);
      for (int64_t l = 0; l < NR<T> && k + l < filters; l += lanes<T>) transform_output(m + t * NR<T> + l, tile, k + l);
      if (read_again())
        for (int64_t r = tile.row; r < min_of(tile.row + F * grid.step_h, grid.out_height); r += grid.step_h)
          for (int64_t c = tile.column; c < min_of(tile.column + F * grid.step_w, grid.out_width); c += grid.step_w)
            apply_activation(y + ((tile.image * grid.out_height + r) * grid.out_width + c) * filters + k,
                             min_of(NR<T>, filters - k), activation);
    }
  }

  /// Weights first, then blocks of tiles in parallel: few channels, many tiles. V stays in L2, U streams by from L3.
  void run_blocks() const {
    const int64_t tiles = grid.count(), steps = padded() / CB<T>;
    T* const u = scratch_for<T>(Slot::caller, panels() * u_panel() + padded());
    T* const zeros = u + panels() * u_panel();
    std::memset(zeros, 0, size_t(padded()) * sizeof(T));
    parallel_for(panels() * steps, 0.13 * double(XI * CB<T> * NR<T>), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) transform_weights(i / steps, i % steps * CB<T>, u + i / steps * u_panel());
    });
    parallel_for(blocks, 0.02 * double(u_stride() * XI * panels() * block), [&](int64_t begin, int64_t end) {
      T* const v = scratch_for<T>(Slot::worker, v_block() + m_block());
      for (int64_t i = begin; i < end; ++i) {
        const int64_t first_tile = tiles * i / blocks, count = tiles * (i + 1) / blocks - first_tile;
        transform_inputs(first_tile, count, v, zeros);
        for (int64_t p = 0; p < panels(); ++p) {
          for (int64_t xi = 0; xi < XI; ++xi) multiply(p, xi, count, v, u + p * u_panel(), v + v_block());
          transform_outputs(first_tile, count, p, v + v_block());
        }
      }
      if (past_caches) stream_fence();
    });
  }

  /// All tiles of a stage first, then panels in parallel, each transformed just before its use: many channels, few
  /// tiles. U (36 * C * K values; 38 MB at 512 x 512) is never in memory whole.
  void run_panels() const {
    const int64_t tiles = grid.count(), stage = max_of(1, min_of(blocks, STAGE_BYTES / int64_t(sizeof(T)) / v_block()));
    T* const v = scratch_for<T>(Slot::caller, stage * v_block() + padded());
    T* const zeros = v + stage * v_block();
    std::memset(zeros, 0, size_t(padded()) * sizeof(T));
    const auto from = [&](int64_t i) { return tiles * i / blocks; };
    for (int64_t s = 0; s < blocks; s += stage) {
      const int64_t here = min_of(stage, blocks - s);
      parallel_for(here * block, 0.1 * double(XI * padded()), [&](int64_t begin, int64_t end) {
        for (int64_t i = 0; i < here; ++i) {
          const int64_t count = from(s + i + 1) - from(s + i);
          const int64_t a = max_of(0, begin - i * block), b = min_of(count, end - i * block);
          if (a < b) transform_inputs(from(s + i) + a, b - a, v + i * v_block() + a * CB<T>, zeros);
        }
      });
      parallel_for(panels(), double(u_panel()) * (0.13 + 0.02 * double(here * block)), [&](int64_t begin, int64_t end) {
        T* const u = scratch_for<T>(Slot::worker, u_panel() + here * m_block());
        T* const m = u + u_panel();
        for (int64_t p = begin; p < end; ++p) {
          for (int64_t c = 0; c < padded(); c += CB<T>) transform_weights(p, c, u);
          const auto count = [&](int64_t i) { return from(s + i + 1) - from(s + i); };
          for (int64_t xi = 0; xi < XI; ++xi)
            for (int64_t i = 0; i < here; ++i) multiply(p, xi, count(i), v + i * v_block(), u, m + i * m_block());
          for (int64_t i = 0; i < here; ++i) transform_outputs(from(s + i), count(i), p, m + i * m_block());
        }
        if (past_caches) stream_fence();
      });
    }
  }

  void run() {
    const int64_t tiles = grid.count(), threads = num_threads();
    if (tiles == 0 || filters == 0) return;
    // Two register tiles a block, equal shares, as many blocks for each thread.
    blocks = ceil_div(tiles, 28);
    const bool by_panels = blocks < 2 * threads || panels() * u_panel() * int64_t(sizeof(T)) > MOST_BYTES;
    blocks = by_panels ? ceil_div(tiles, 56) : min_of(tiles, round_up(blocks, threads));
    block = ceil_div(tiles, blocks);
    by_panels ? run_panels() : run_blocks();
  }
};

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <int F, class T>
static void forward(const Conv2D& s, const T* x, const T* w, const T* bias, Activation activation, T* y) {
  const TileGrid grid(s, F, false);
  WinogradForward<F, T>(grid, s.channels, s.filters, x, w, false, bias, activation, y).run();
}

/// dx is the convolution of dy with the weights turned by 180 degrees, their channels and filters exchanged.
template <int F, class T>
static void backward_input(const Conv2D& s, const T* dy, const T* w, const T* bias, Activation activation, T* dx) {
  const TileGrid grid(s, F, true);
  WinogradForward<F, T>(grid, s.filters, s.channels, dy, w, true, bias, activation, dx).run();
}

template <class Target, class T>
void winograd_forward(const Conv2D& s, int tile, const T* x, const T* w, const T* bias, Activation activation, T* y) {
  tile == 2 ? forward<2>(s, x, w, bias, activation, y) : forward<4>(s, x, w, bias, activation, y);
}

template <class Target, class T>
void winograd_backward_input(const Conv2D& s, int tile, const T* dy, const T* w, const T* bias, Activation activation,
                             T* dx) {
  tile == 2 ? backward_input<2>(s, dy, w, bias, activation, dx) : backward_input<4>(s, dy, w, bias, activation, dx);
}

template void winograd_forward<Target>(const Conv2D&, int, const float*, const float*, const float*, Activation,
                                       float*);
DOUBLE template void winograd_forward<Target>(const Conv2D&, int, const double*, const double*, const double*,
                                              Activation, double*);
template void winograd_backward_input<Target>(const Conv2D&, int, const float*, const float*, const float*, Activation,
                                              float*);
DOUBLE template void winograd_backward_input<Target>(const Conv2D&, int, const double*, const double*, const double*,
                                                     Activation, double*);

}  // namespace lamina
