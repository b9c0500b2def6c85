// Winograd convolution, backward to the kernel:
//     dw = G^T [ sum over tiles of V . D ] G,   V = In^T x In,   D = Out dy Out^T
//
// A segment of tiles is transformed, in parallel, into V[c / CB][xi][t][CB] and D[panel][xi][t][NR]; then the weights
// are shared out in blocks of CB x NR: one product C x T times T x K for each xi, then G^T ( ) G straight into dw. The
// transformed gradient of all weights is never in memory.
//
// Few weights, whose transformed gradient does fit in a cache: each thread takes whole chains of tiles through both
// steps, and what it transformed stays in its own cache.
//
// The sum over tiles, counted through the batch, is cut at fixed places: chains of SPLIT tiles; the chains of a segment
// (whose length follows from C and K) are added in order, then transformed; the segments are added in order.
#include "cpu/runtime/isa.h"
#include "cpu/support/parallel.h"
#include "cpu/support/winograd_transform.h"
#include "ops/conv2d.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr int64_t SPLIT = 56;  // tiles of a chain: 28 err less but take 5 % longer
/// Rows of the register tile here: a divisor of CB for float and double.
constexpr int GRADIENT_ROWS = REGISTERS == 32 ? 8 : 4;

/// u (ROWS x NR) = v (count x ROWS, transposed) * d (count x NV vectors); or += .
template <int NV, class T>
void multiply_tiles(int64_t count, const T* v, const T* d, T* u, bool add) {
  constexpr int ROWS = GRADIENT_ROWS;
  V<T> acc[ROWS][NV];
  const auto each = [](auto f) INLINE_LAMBDA {
    unroll<ROWS>([&](auto i) INLINE_LAMBDA { unroll<NV>([&](auto j) INLINE_LAMBDA { f(i, j); }); });
  };
  each([&](auto i, auto j) INLINE_LAMBDA { acc[i][j] = zero<T>(); });
  for (int64_t t = 0; t < count; ++t, v += CB<T>, d += NV * lanes<T>) {
    V<T> row[NV];
    unroll<NV>([&](auto j) INLINE_LAMBDA { row[j] = load(d + j * lanes<T>); });
    each([&](auto i, auto j) INLINE_LAMBDA { acc[i][j] = fma(set(v[i]), row[j], acc[i][j]); });
  }
  if (add) each([&](auto i, auto j) INLINE_LAMBDA { acc[i][j] = load(u + i * NR<T> + j * lanes<T>) + acc[i][j]; });
  each([&](auto i, auto j) INLINE_LAMBDA { store(u + i * NR<T> + j * lanes<T>, acc[i][j]); });
}

template <int F, class T>
struct WinogradKernelGradient {
  static constexpr int R = KERNEL<F>, A = F + R - 1, XI = A * A;
  static constexpr int PHASES = PHASED<F> ? 4 : 1;  // of x, side by side as channels are
  static constexpr int INPUT = A - 2;               // whose transform of A x A pixels a phase shares

  TileGrid grid;
  int64_t groups, channels, filters;  // of one group
  const T *x, *dy;
  T* dw;
  int64_t held = 0;  // tiles that V and D have room for

  /// Tiles of a segment: V and D of about 24 MB in float32, so that they stay in L3; in L2 where each thread has groups
  /// of its own. From the shape alone: it cuts sums.
  int64_t segment() const {
    return SPLIT *
           max_of(1, min_of(groups == 1 ? 8 : 2, (int64_t(6) << 20) / (XI * SPLIT * (PHASES * channels + filters))));
  }
  int64_t stage() const { return min_of(segment(), grid.count()); }
  int64_t padded() const { return round_up(channels, CB<T>); }
  int64_t blocks() const { return PHASES * padded() / CB<T>; }
  int64_t panels() const { return ceil_div(filters, NR<T>); }
  int64_t width(int64_t panel) const { return panel_width<T>(filters, panel); }
  // One cache line more than a multiple of 4096 bytes: streams must not share a cache set.
  int64_t v_stride() const { return CB<T> * held + CB<T>; }
  int64_t d_stride() const { return NR<T> * held + CB<T>; }
  static constexpr int64_t U_STRIDE = CB<T> * NR<T> + CB<T>, U_BLOCK = XI * U_STRIDE;
  static constexpr int64_t FEW_BYTES = 320 << 10;  // of U, of which a thread holds one beside V and D

  int64_t zero_count() const { return round_up(max_of(channels, filters), CB<T>); }
  int64_t v_size() const { return blocks() * XI * v_stride(); }
  int64_t d_size() const { return panels() * XI * d_stride(); }
  T* zeros_behind(T* v) const {
    T* const zeros = v + v_size() + d_size();
    std::memset(zeros, 0, size_t(zero_count()) * sizeof(T));
    return zeros;
  }

  /// V of tile t0 + t of the grid.
  void transform_image(int64_t group, int64_t t0, int64_t t, T* v, const T* zeros) const {
    const auto transform = PHASED<F> ? transform_phases<INPUT, T> : transform_input<INPUT, T>;
    transform(grid, channels, groups * channels, x + group * channels, t0 + t, v + t * CB<T>, v_stride(),
              XI * v_stride(), zeros);
  }
  /// D of tile t0 + t of the grid.
  void transform_gradient(int64_t group, int64_t t0, int64_t t, T* d, const T* zeros) const {
    const TileGrid::Tile tile = grid.at(t0 + t);
    const T* const image = dy + tile.image * grid.out_height * grid.out_width * groups * filters + group * filters;
    const T* from[F * F];
    find_pixels<F>(image, grid.out_height, grid.out_width, groups * filters, tile.row, grid.step_h, tile.column,
                   grid.step_w, zeros, from);
    each_padded(from, filters, round_up(filters, lanes<T>),
                [&](const auto& lines, int64_t k, int64_t mine) INLINE_LAMBDA {
                  const int64_t panel = k / NR<T>;
                  transform_gradient_lines(lines, mine, d + panel * (XI * d_stride()) + t * width(panel) + k % NR<T>);
                });
  }
  [[gnu::noinline]] void transform_gradient_lines(const T* const (&from)[F * F], int64_t mine, T* to) const {
    V<T> mid[A][F];
    unroll<F>([&](auto j) INLINE_LAMBDA {
      V<T> in[F], out[A];
      unroll<F>([&](auto i) INLINE_LAMBDA { in[i] = load(from[i * F + j] + mine); });
      Winograd<F>::template gradient<T>(in, out);
      unroll<A>([&](auto i) INLINE_LAMBDA { mid[i][j] = out[i]; });
    });
    unroll<A>([&](auto i) INLINE_LAMBDA {
      V<T> out[A];
      Winograd<F>::template gradient<T>(mid[i], out);
      unroll<A>([&](auto j) INLINE_LAMBDA { store(to + (i * A + j) * d_stride(), out[j]); });
    });
  }

  /// dw = or += G^T u G for the weights of row c (a channel, or one of a phase) at k .. k + lanes, or those of them
  /// that exist.
  void transform_back(int64_t group, const T* u, int64_t c, int64_t k, bool add) const {
    const int64_t phase = c / padded(), channel = c % padded();
    if (channel >= channels) return;
    const bool whole = k + lanes<T> <= filters;
    const Mask<T> exist = first<T>(filters - k);
    V<T> mid[A][R];
    unroll<A>([&](auto a) INLINE_LAMBDA {
      V<T> in[A];
      unroll<A>([&](auto b) INLINE_LAMBDA { in[b] = load(u + (a * A + b) * U_STRIDE); });
      Winograd<F>::template weights_gradient<T>(in, mid[a]);
    });
    unroll<R>([&](auto q) INLINE_LAMBDA {
      V<T> in[A], out[R];
      unroll<A>([&](auto a) INLINE_LAMBDA { in[a] = mid[a][q]; });
      Winograd<F>::template weights_gradient<T>(in, out);
      unroll<R>([&](auto p) INLINE_LAMBDA {
        const int64_t tap = PHASED<F> ? (2 * p + phase / 2) * 4 + 2 * q + phase % 2 : p * R + q;
        T* const to = dw + ((tap * channels + channel) * groups + group) * filters + k;
        if (whole)
          store(to, add ? load(to) + out[p] : out[p]);
        else
          store(to, add ? load(to, exist) + out[p] : out[p], exist);
      });
    });
  }

  /// u[block][xi] = the sums over `count` tiles for the blocks [first_block, last_block) of channels and one panel of
  /// filters.
  void multiply(int64_t first_block, int64_t last_block, int64_t panel, int64_t count, const T* v, const T* d,
                T* u) const {
    for (int64_t xi = 0; xi < XI; ++xi)
      for (int64_t cb = first_block; cb < last_block; ++cb) {
        const T* const from_v = v + (cb * XI + xi) * v_stride();
        const T* const from_d = d + (panel * XI + xi) * d_stride();
        T* const to = u + (cb - first_block) * U_BLOCK + xi * U_STRIDE;
        for (int64_t t = 0; t < count; t += SPLIT)
          for (int64_t c = 0; c < CB<T>; c += GRADIENT_ROWS)
            with_constant<2>(int(width(panel) / lanes<T>), [&](auto vectors) INLINE_LAMBDA {
              multiply_tiles<vectors>(min_of(SPLIT, count - t), from_v + t * CB<T> + c, from_d + t * width(panel),
                                      to + c * NR<T>, t > 0);
            });
      }
  }

  /// dw = or += from u for the same.
  void finish(int64_t group, int64_t first_block, int64_t last_block, int64_t panel, const T* u, bool add) const {
    const int64_t k = panel * NR<T>;
    for (int64_t c = first_block * CB<T>; c < last_block * CB<T>; ++c) {
      const T* const from = u + (c / CB<T> - first_block) * U_BLOCK + c % CB<T> * NR<T>;
      for (int64_t l = 0; l < NR<T> && k + l < filters; l += lanes<T>) transform_back(group, from + l, c, k + l, add);
    }
  }

  void transform(int64_t group, int64_t t0, int64_t begin, int64_t end, T* v, T* d, const T* zeros) const {
    for (int64_t t = begin; t < end; ++t) {
      transform_image(group, t0, t, v, zeros);
      transform_gradient(group, t0, t, d, zeros);
    }
  }

  /// Chain by chain: U of every chain of a segment, then their sum in order.
  void run_chains(int64_t group) const {
    const int64_t tiles = grid.count(), parts = panels() * blocks(), u_size = parts * U_BLOCK;
    T* const u = scratch_for<T>(Slot::caller, ceil_div(stage(), SPLIT) * u_size);
    for (int64_t t0 = 0; t0 < tiles; t0 += stage()) {
      const int64_t count = min_of(stage(), tiles - t0), chains = ceil_div(count, SPLIT);
      parallel_for(chains, 1e9, [&](int64_t begin, int64_t end) {
        T* const v = scratch_for<T>(Slot::worker, v_size() + d_size() + zero_count());
        const T* const zeros = zeros_behind(v);
        for (int64_t i = begin; i < end; ++i) {
          const int64_t here = min_of(SPLIT, count - i * SPLIT);
          transform(group, t0 + i * SPLIT, 0, here, v, v + v_size(), zeros);
          for (int64_t p = 0; p < panels(); ++p)
            multiply(0, blocks(), p, here, v, v + v_size(), u + i * u_size + p * blocks() * U_BLOCK);
        }
      });
      parallel_for(parts, 0.1 * double(chains * U_BLOCK), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          T* const own = u + i * U_BLOCK;
          const int64_t panel = i / blocks(), block = i % blocks(), columns = width(panel);
          for (int64_t chain = 1; chain < chains; ++chain)
            for (int64_t xi = 0; xi < XI; ++xi)
              for (int64_t c = 0; c < CB<T>; ++c)
                for (int64_t l = 0; l < columns; l += lanes<T>) {
                  T* const to = own + xi * U_STRIDE + c * NR<T> + l;
                  store(to, load(to) + load(to + chain * u_size));
                }
          finish(group, block, block + 1, panel, own, t0 > 0);
        }
      });
    }
  }

  /// Segment by segment: V and D of all its tiles, then their product, weights shared out.
  void run_segments(int64_t group) const {
    const int64_t tiles = grid.count();
    T* const v = scratch_for<T>(Slot::caller, v_size() + d_size() + zero_count());
    T* const d = v + v_size();
    const T* const zeros = zeros_behind(v);
    // D of a panel is read once for all blocks of a share: larger ones read less, smaller ones occupy more threads.
    const int64_t shares = min_of(blocks(), max_of(ceil_div(blocks(), 4), ceil_div(num_threads(), panels())));
    const auto block = [&](int64_t share) { return blocks() * share / shares; };
    for (int64_t t0 = 0; t0 < tiles; t0 += stage()) {
      const int64_t count = min_of(stage(), tiles - t0);
      parallel_for(count, 0.1 * double(XI * (PHASES * channels + filters)),
                   [&](int64_t begin, int64_t end) { transform(group, t0, begin, end, v, d, zeros); });
      parallel_for(panels() * shares, 0.02 * double(XI * PHASES * channels * filters / (panels() * shares) * count),
                   [&](int64_t begin, int64_t end) {
                     T* const u = scratch_for<T>(Slot::worker, ceil_div(blocks(), shares) * U_BLOCK);
                     for (int64_t i = begin; i < end; ++i) {
                       const int64_t b0 = block(i % shares), b1 = block(i % shares + 1), panel = i / shares;
                       multiply(b0, b1, panel, count, v, d, u);
                       finish(group, b0, b1, panel, u, t0 > 0);
                     }
                   });
    }
  }

  void run() {
    if (grid.count() == 0) std::memset(dw, 0, size_t(PHASES * R * R * channels * filters * groups) * sizeof(T));
    if (grid.count() == 0 || channels == 0 || filters == 0) return;
    const bool few = panels() * blocks() * U_BLOCK * int64_t(sizeof(T)) <= FEW_BYTES;
    held = few ? SPLIT : stage();
    const auto each = [&](int64_t begin, int64_t end) {
      for (int64_t group = begin; group < end; ++group) few ? run_chains(group) : run_segments(group);
    };
    if (groups < 2 * num_threads()) return each(0, groups);
    parallel_for(groups, 0.02 * double(XI * channels * filters * grid.count()), each);
  }
};

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <class Target, class T>
void winograd_backward_kernel(const Conv2D& s, int tile, const T* x, const T* dy, T* dw) {
  const auto run = [&](auto side) {
    WinogradKernelGradient<side, T>{
        TileGrid(s, side, false), s.groups, s.channels / s.groups, s.filters / s.groups, x, dy, dw}
        .run();
  };
  tile == 2 ? run(Int<2>{}) : tile == 3 ? run(Int<3>{}) : tile == 4 ? run(Int<4>{}) : run(Int<5>{});
}

template void winograd_backward_kernel<Target>(const Conv2D&, int, const float*, const float*, float*);
DOUBLE template void winograd_backward_kernel<Target>(const Conv2D&, int, const double*, const double*, double*);

}  // namespace lamina
