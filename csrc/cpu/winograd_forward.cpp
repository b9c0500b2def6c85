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
#include "cpu/support/winograd_weights.h"
#include "ops/gemm.h"

namespace lamina {
namespace LAMINA_ISA {

/// What m holds before a product: nothing; sums to which this chain is added; the chain itself so far.
enum class Holds { nothing, sums, chain };

/// m (M x NR) = v (M x depth, in blocks of CB, the next one `step` further on) * u (depth x NR), or more of that. NV
/// vectors of the NR columns count.
template <int M, int NV, class T>
void multiply_rows(int64_t depth, const T* v, int64_t step, const T* u, T* m, Holds before) {
  // Loops with pragmas: as lambdas they would take twice as long to compile.
  V<T> acc[M][NV];
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < NV; ++j) acc[i][j] = before == Holds::chain ? load(m + i * NR<T> + j * lanes<T>) : zero<T>();
  for (int64_t c = 0; c < depth; c += CB<T>, v += step) {
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i) prefetch(v + step + i * CB<T>);
#pragma GCC unroll 4
    for (int k = 0; k < CB<T>; ++k, u += NR<T>) {
      V<T> row[NV];
#pragma GCC unroll 2
      for (int j = 0; j < NV; ++j) row[j] = load(u + j * lanes<T>);
#pragma GCC unroll 16
      for (int i = 0; i < M; ++i) {
        const V<T> x = set(v[i * CB<T> + k]);
#pragma GCC unroll 2
        for (int j = 0; j < NV; ++j) acc[i][j] = fma(x, row[j], acc[i][j]);
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < NV; ++j) {
      T* const to = m + i * NR<T> + j * lanes<T>;
      store(to, before == Holds::sums ? load(to) + acc[i][j] : acc[i][j]);
    }
}

template <int F, class T>
struct WinogradForward {
  static constexpr int A = F + KERNEL<F> - 1, XI = A * A;
  static constexpr int64_t STAGE_BYTES = int64_t(24) << 20;      // of V, when all tiles are transformed first
  static constexpr int64_t SLICE = 4 * CB<T>, MOST_SLICED = 16;  // channels of U at a time; tiles
  static constexpr int64_t MOST_BYTES = int64_t(PHASED<F> ? 24 : 48) << 20;  // of U, when all weights are

  TileGrid grid;
  WinogradWeights<F, T> weights;
  int64_t groups, channels, filters;  // of x and of y, in one group
  int64_t depth, columns;             // of a product
  const T *x, *bias;
  Activation activation;
  T* y;
  bool past_caches;       // y is written past the caches: whole lines, and more than caches hold
  int64_t blocks, block;  // of tiles, and the most tiles in one

  WinogradForward(const Conv2D& s, bool turned, const T* input, const T* w, const T* offset, Activation function,
                  T* output)
      : grid(s, F, turned),
        groups(s.groups),
        channels((turned ? s.filters : s.channels) / groups),
        filters((turned ? s.channels : s.filters) / groups),
        x(input),
        bias(offset),
        activation(function),
        y(output) {
    weights = {w, turned, channels, filters, s.filters, 0};
    depth = weights.depth();
    columns = weights.columns();
    weights.stride = depth * NR<T> + CB<T>;
    const int64_t bytes = grid.images * grid.out_height * grid.out_width * pitch() * int64_t(sizeof(T));
    past_caches = sizeof(V<T>) == 64 && filters % lanes<T> == 0 && reinterpret_cast<uintptr_t>(y) % 64 == 0 &&
                  bytes >= STREAM_BYTES && !read_again();
  }

  /// From pixel to pixel of y.
  int64_t pitch() const { return groups * filters; }
  /// Whether the activation needs a pass of its own, over a tile's outputs while they are in L1.
  bool read_again() const { return activation == Activation::sigmoid || activation == Activation::tanh; }

  // The xi streams of V, U and M lie one cache line more than a multiple of 4096 bytes apart: they must not share a
  // set.
  int64_t panels() const { return ceil_div(columns, NR<T>); }
  int64_t u_stride() const { return weights.stride; }
  int64_t u_slice() const { return XI * (SLICE * NR<T> + CB<T>); }
  int64_t u_panel() const { return XI * u_stride(); }
  int64_t v_stride() const { return depth * block + CB<T>; }
  int64_t v_block() const { return XI * v_stride(); }
  int64_t m_stride() const { return NR<T> * block + CB<T>; }
  int64_t m_block() const { return XI * m_stride(); }

  /// A group's transformed inputs of the tiles begin .. begin + count.
  void transform_inputs(int64_t group, int64_t begin, int64_t count, T* v, const T* zeros) const {
    constexpr int INPUT = A - 2;  // F(3x3, 2x2) has the input transform of F(2x2, 3x3), F(5x5, 2x2) that of F(4x4, 3x3)
    const auto transform = PHASED<F> && !weights.turned ? transform_phases<INPUT, T> : transform_input<INPUT, T>;
    for (int64_t t = 0; t < count; ++t)
      transform(grid, channels, groups * channels, x + group * channels, begin + t, v + t * CB<T>, v_stride(),
                block * CB<T>, zeros);
  }

  /// Where the outputs of a tile lie in y, and their channel in it.
  struct Place {
    int64_t image, row, column, step_h, step_w, channel, count;  // count: channels that are left
  };
  Place place_of(const TileGrid::Tile& tile, int64_t group, int64_t k) const {
    const int64_t channel = group * filters;
    if (!PHASED<F> || !weights.turned)
      return {tile.image, tile.row, tile.column, grid.step_h, grid.step_w, channel + k, filters - k};
    const int64_t each = weights.phase_columns(), phase = k / each;
    return {tile.image,
            2 * tile.row + phase / 2 + grid.shift_h,
            2 * tile.column + phase % 2 + grid.shift_w,
            2,
            2,
            channel + k % each,
            filters - k % each};
  }

  /// A tile's outputs in columns k .. k + lanes of m[xi][...], or those of them that exist.
  void transform_output(const T* m, const Place& p) const {
    const bool whole = p.count >= lanes<T>;
    const Mask<T> exist = first<T>(p.count);
    V<T> mid[F][A];
    unroll<A>([&](auto j) INLINE_LAMBDA {
      V<T> in[A], out[F];
      unroll<A>([&](auto i) INLINE_LAMBDA { in[i] = load(m + (i * A + j) * m_stride()); });
      Winograd<F>::template output<T>(in, out);
      unroll<F>([&](auto i) INLINE_LAMBDA { mid[i][j] = out[i]; });
    });
    const V<T> b = bias ? load(bias + p.channel, exist) : zero<T>();
    unroll<F>([&](auto i) INLINE_LAMBDA {
      const int64_t row = p.row + i * p.step_h;
      if (row < 0 || row >= grid.out_height) return;
      V<T> out[F];
      Winograd<F>::template output<T>(mid[i], out);
      T* const line = y + (p.image * grid.out_height + row) * grid.out_width * pitch() + p.channel;
      unroll<F>([&](auto j) INLINE_LAMBDA {
        const int64_t column = p.column + j * p.step_w;
        if (column < 0 || column >= grid.out_width) return;
        if (bias) out[j] = out[j] + b;
        if (activation == Activation::relu) out[j] = max(zero<T>(), out[j]);
        T* const at = line + column * pitch();
        if (!whole)
          store(at, out[j], exist);
        else
          past_caches ? stream(at, out[j]) : store(at, out[j]);
      });
    });
  }
  void activate(const Place& p) const {
    for (int64_t i = 0, r = p.row; i < F; ++i, r += p.step_h)
      for (int64_t j = 0, c = p.column; j < F; ++j, c += p.step_w)
        if (r >= 0 && r < grid.out_height && c >= 0 && c < grid.out_width)
          apply_activation(y + ((p.image * grid.out_height + r) * grid.out_width + c) * pitch() + p.channel,
                           min_of(lanes<T>, p.count), activation);
  }

  /// M[xi] = V[xi] * U[xi] for the `count` tiles of a block. float64 is for checks: its panels are always whole.
  void multiply(int64_t panel, int64_t xi, int64_t count, const T* v, const T* u, T* m) const {
    multiply(panel, xi, count, v, u + xi * u_stride(), m, 0, depth);
  }
  /// With the channels begin .. end alone, u's first ones; those before are in m.
  void multiply(int64_t panel, int64_t xi, int64_t count, const T* v, const T* u, T* m, int64_t begin,
                int64_t end) const {
    if (sizeof(T) == 4 && panel_width<T>(columns, panel) == lanes<T>)
      multiply<sizeof(T) == 4 ? 1 : 2>(xi, count, v, u, m, begin, end);
    else
      multiply<2>(xi, count, v, u, m, begin, end);
  }
  template <int NV>
  void multiply(int64_t xi, int64_t count, const T* v, const T* u, T* m, int64_t begin, int64_t end) const {
    const int64_t shares = ceil_div(count, MR);  // equal ones: 64 tiles are 13 + 13 + 13 + 13 + 12, not 4 * 14 + 8
    v += xi * v_stride();
    m += xi * m_stride();
    for (int64_t g = 0; g < shares; ++g) {
      const int64_t a = count * g / shares, b = count * (g + 1) / shares;
      with_constant<MR>(int(b - a), [&](auto rows) {
        for (int64_t c = begin; c < end; c += CHAIN)
          multiply_rows<rows, NV>(min_of(CHAIN, end - c), v + c * block + a * CB<T>, block * CB<T>,
                                  u + (c - begin) * NR<T>, m + a * NR<T>,
                                  c == 0  ? Holds::nothing
                                  : begin ? Holds::chain
                                          : Holds::sums);
      });
    }
  }

  /// One panel's outputs for the tiles begin .. begin + count.
  void transform_outputs(int64_t group, int64_t begin, int64_t count, int64_t panel, const T* m) const {
    for (int64_t t = 0; t < count; ++t) {
      const TileGrid::Tile tile = grid.at(begin + t);
      for (int64_t l = 0; l < NR<T> && panel * NR<T> + l < columns; l += lanes<T>) {
        const Place p = place_of(tile, group, panel * NR<T> + l);
        transform_output(m + t * NR<T> + l, p);
        if (read_again()) activate(p);
      }
    }
  }

  /// Weights first, then blocks of tiles in parallel: few channels, many tiles. V stays in L2, U streams by from L3.
  void run_blocks() const {
    const int64_t tiles = grid.count(), steps = depth / CB<T>, all = groups * panels();
    T* const u = scratch_for<T>(Slot::caller, all * u_panel() + depth);
    T* const zeros = u + all * u_panel();
    std::memset(zeros, 0, size_t(depth) * sizeof(T));
    parallel_for(all * steps, 0.13 * double(XI * CB<T> * NR<T>), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t panel = i / steps;
        weights.transform(panel / panels(), panel % panels(), i % steps * CB<T>, u + panel * u_panel());
      }
    });
    parallel_for(blocks * groups, 0.02 * double(u_stride() * XI * panels() * block), [&](int64_t begin, int64_t end) {
      T* const v = scratch_for<T>(Slot::worker, v_block() + m_block());
      for (int64_t i = begin; i < end; ++i) {
        const int64_t b = i / groups, group = i % groups;  // the groups of a tile's pixels lie side by side
        const int64_t first_tile = tiles * b / blocks, count = tiles * (b + 1) / blocks - first_tile;
        transform_inputs(group, first_tile, count, v, zeros);
        for (int64_t p = 0; p < panels(); ++p) {
          for (int64_t xi = 0; xi < XI; ++xi)
            multiply(p, xi, count, v, u + (group * panels() + p) * u_panel(), v + v_block());
          transform_outputs(group, first_tile, count, p, v + v_block());
        }
      }
      if (past_caches) stream_fence();
    });
  }

  /// Few tiles: U is most of the memory, and a panel of it more than L2 holds. So a slice of it at a time, which every
  /// chain goes on with.
  template <class Count>
  void multiply_slices(int64_t group, int64_t panel, int64_t here, Count count, const T* v, T* u, T* m) const {
    WinogradWeights<F, T> slice = weights;
    slice.stride = SLICE * NR<T> + CB<T>;
    for (int64_t c = 0; c < depth; c += SLICE) {
      const int64_t end = min_of(depth, c + SLICE);
      for (int64_t k = c; k < end; k += CB<T>) slice.transform(group, panel, k, u - c * NR<T>);
      for (int64_t xi = 0; xi < XI; ++xi)
        for (int64_t i = 0; i < here; ++i)
          multiply(panel, xi, count(i), v + i * v_block(), u + xi * slice.stride, m + i * m_block(), c, end);
    }
  }

  /// All tiles of a stage first, then panels in parallel, each transformed just before its use: many channels, few
  /// tiles. U (36 * C * K values; 38 MB at 512 x 512) is never in memory whole.
  void run_panels(int64_t group) const {
    const int64_t tiles = grid.count(), stage = max_of(1, min_of(blocks, STAGE_BYTES / int64_t(sizeof(T)) / v_block()));
    T* const v = scratch_for<T>(Slot::caller, stage * v_block() + depth);
    T* const zeros = v + stage * v_block();
    std::memset(zeros, 0, size_t(depth) * sizeof(T));
    const auto from = [&](int64_t i) { return tiles * i / blocks; };
    for (int64_t s = 0; s < blocks; s += stage) {
      const int64_t here = min_of(stage, blocks - s);
      parallel_for(here * block, 0.1 * double(XI * depth), [&](int64_t begin, int64_t end) {
        for (int64_t i = 0; i < here; ++i) {
          const int64_t count = from(s + i + 1) - from(s + i);
          const int64_t a = max_of(0, begin - i * block), b = min_of(count, end - i * block);
          if (a < b) transform_inputs(group, from(s + i) + a, b - a, v + i * v_block() + a * CB<T>, zeros);
        }
      });
      parallel_for(panels(), double(u_panel()) * (0.13 + 0.02 * double(here * block)), [&](int64_t begin, int64_t end) {
        const bool sliced = depth <= CHAIN && depth > 4 * SLICE && here * block <= MOST_SLICED;
        T* const u = scratch_for<T>(Slot::worker, (sliced ? u_slice() : u_panel()) + here * m_block());
        T* const m = u + (sliced ? u_slice() : u_panel());
        for (int64_t p = begin; p < end; ++p) {
          const auto count = [&](int64_t i) { return from(s + i + 1) - from(s + i); };
          if (sliced) {
            multiply_slices(group, p, here, count, v, u, m);
          } else {
            for (int64_t c = 0; c < depth; c += CB<T>) weights.transform(group, p, c, u);
            for (int64_t xi = 0; xi < XI; ++xi)
              for (int64_t i = 0; i < here; ++i) multiply(p, xi, count(i), v + i * v_block(), u, m + i * m_block());
          }
          for (int64_t i = 0; i < here; ++i) transform_outputs(group, from(s + i), count(i), p, m + i * m_block());
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
    const bool by_panels =
        blocks * groups < 2 * threads || groups * panels() * u_panel() * int64_t(sizeof(T)) > MOST_BYTES;
    blocks = by_panels ? ceil_div(tiles, 56) : min_of(tiles, groups == 1 ? round_up(blocks, threads) : blocks);
    block = ceil_div(tiles, blocks);
    if (!by_panels) return run_blocks();
    for (int64_t group = 0; group < groups; ++group) run_panels(group);
  }
};

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <class Target, class T>
void winograd_forward(const Conv2D& s, int tile, const T* x, const T* w, const T* bias, Activation activation, T* y) {
  const auto run = [&](auto side) { WinogradForward<side, T>(s, false, x, w, bias, activation, y).run(); };
  tile == 2 ? run(Int<2>{}) : tile == 3 ? run(Int<3>{}) : tile == 4 ? run(Int<4>{}) : run(Int<5>{});
}

/// dx is the convolution of dy with the weights turned by 180 degrees, their channels and filters exchanged.
template <class Target, class T>
void winograd_backward_input(const Conv2D& s, int tile, const T* dy, const T* w, const T* bias, Activation activation,
                             T* dx) {
  const auto run = [&](auto side) { WinogradForward<side, T>(s, true, dy, w, bias, activation, dx).run(); };
  tile == 2 ? run(Int<2>{}) : tile == 3 ? run(Int<3>{}) : tile == 4 ? run(Int<4>{}) : run(Int<5>{});
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
