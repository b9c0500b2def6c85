// Winograd's transforms, shared by the three directions: F(2x2, 3x3) and F(4x4, 3x3) for 3x3 kernels; F(3x3, 2x2) and
// F(5x5, 2x2) for 4x4 kernels with strides 2, which are four 2x2 kernels on every second pixel.
// Included only by files that are compiled once per ISA.
//
// An output tile of F x F pixels comes from an input tile of A x A, A = F + R - 1, where R is the side of the kernel;
// "." is element by element:
//     y  = Out^T [ (G w G^T) . (In^T x In) ] Out       dw = G^T [ sum over tiles (In^T x In) . (Out dy Out^T) ] G
// The A * A positions of a transformed tile are counted by xi.
//
// Reference: Lavin & Gray 2016, arXiv:1509.09308. Points: 0, 1, -1, infinity for F(2) and F(3); 0, 1, -1, 1/2, -2,
// infinity for F(4) and F(5), with which In and Out are exact in binary and the error is less than half of that with 0,
// 1, -1, 2, -2.
#pragma once
#include "cpu/support/gather.h"

namespace lamina::LAMINA_ISA {

template <int F>
struct Winograd;
template <int F>
constexpr bool PHASED = F == 3 || F == 5;  // 4x4 kernels with strides 2
template <int F>
constexpr int KERNEL = PHASED<F> ? 2 : 3;  // R

template <>
struct Winograd<2> {
  template <class T>
  static INLINE void input(V<T> (&d)[4]) {
    const V<T> d1 = d[1];
    d[0] = d[0] - d[2];
    d[1] = d1 + d[2];
    d[2] = d[2] - d1;
    d[3] = d1 - d[3];
  }
  template <class T>
  static INLINE void output(const V<T> (&m)[4], V<T> (&y)[2]) {
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - m[3];
  }
  /// The transpose of output.
  template <class T>
  static INLINE void gradient(const V<T> (&y)[2], V<T> (&m)[4]) {
    m[0] = y[0];
    m[1] = y[0] + y[1];
    m[2] = y[0] - y[1];
    m[3] = -y[1];
  }
  template <class T>
  static INLINE void weights(const V<T> (&g)[3], V<T> (&u)[4]) {
    const V<T> half = set(T(0.5)), even = half * (g[0] + g[2]);
    u[0] = g[0];
    u[1] = fma(half, g[1], even);
    u[2] = fnma(half, g[1], even);
    u[3] = g[2];
  }
  /// The transpose of weights.
  template <class T>
  static INLINE void weights_gradient(const V<T> (&u)[4], V<T> (&g)[3]) {
    const V<T> half = set(T(0.5)), even = u[1] + u[2];
    g[0] = fma(half, even, u[0]);
    g[1] = half * (u[1] - u[2]);
    g[2] = fma(half, even, u[3]);
  }
};

template <>
struct Winograd<3> {
  template <class T>
  static INLINE void input(V<T> (&d)[4]) {
    Winograd<2>::input<T>(d);
  }
  template <class T>
  static INLINE void output(const V<T> (&m)[4], V<T> (&y)[3]) {
    const V<T> even = m[1] + m[2];
    y[0] = m[0] + even;
    y[1] = m[1] - m[2];
    y[2] = even - m[3];
  }
  /// The transpose of output.
  template <class T>
  static INLINE void gradient(const V<T> (&y)[3], V<T> (&m)[4]) {
    const V<T> even = y[0] + y[2];
    m[0] = y[0];
    m[1] = even + y[1];
    m[2] = even - y[1];
    m[3] = -y[2];
  }
  template <class T>
  static INLINE void weights(const V<T> (&g)[2], V<T> (&u)[4]) {
    const V<T> half = set(T(0.5));
    u[0] = g[0];
    u[1] = half * (g[0] + g[1]);
    u[2] = half * (g[0] - g[1]);
    u[3] = g[1];
  }
  /// The transpose of weights.
  template <class T>
  static INLINE void weights_gradient(const V<T> (&u)[4], V<T> (&g)[2]) {
    const V<T> half = set(T(0.5));
    g[0] = fma(half, u[1] + u[2], u[0]);
    g[1] = fma(half, u[1] - u[2], u[3]);
  }
};

template <>
struct Winograd<4> {
  template <class T>
  static INLINE void input(V<T> (&d)[6]) {
    const V<T> h = set(T(1.5)), s = d[4] - d[2], t = d[3] - d[1];
    const V<T> r0 = fma(h, t, (d[0] - d[2]) + s);
    const V<T> r1 = fma(h, d[2] + d[3], s + t);
    const V<T> r2 = fma(h, d[3] - d[2], s - t);
    const V<T> r5 = fma(h, s, (d[5] - d[3]) - t);
    d[0] = r0;
    d[1] = r1;
    d[2] = r2;
    d[3] = fma(set(T(2)), t, s);
    d[4] = fnma(set(T(0.5)), t, s);
    d[5] = r5;
  }
  template <class T>
  static INLINE void output(const V<T> (&m)[6], V<T> (&y)[4]) {
    const V<T> p = m[1] + m[2], q = m[1] - m[2];
    y[0] = (m[0] + p) + (m[3] + m[4]);
    y[1] = fnma(set(T(2)), m[4], fma(set(T(0.5)), m[3], q));
    y[2] = fma(set(T(4)), m[4], fma(set(T(0.25)), m[3], p));
    y[3] = fnma(set(T(8)), m[4], fma(set(T(0.125)), m[3], q + m[5]));
  }
  /// The transpose of output.
  template <class T>
  static INLINE void gradient(const V<T> (&y)[4], V<T> (&m)[6]) {
    const V<T> even = y[0] + y[2], odd = y[1] + y[3];
    m[0] = y[0];
    m[1] = even + odd;
    m[2] = even - odd;
    m[3] = fma(set(T(0.125)), y[3], fma(set(T(0.25)), y[2], fma(set(T(0.5)), y[1], y[0])));
    m[4] = fnma(set(T(8)), y[3], fma(set(T(4)), y[2], fnma(set(T(2)), y[1], y[0])));
    m[5] = y[3];
  }
  template <class T>
  static INLINE void weights(const V<T> (&g)[3], V<T> (&u)[6]) {
    const V<T> third = set(T(1) / T(3)), even = g[0] + g[2], two = set(T(2)), four = set(T(4));
    u[0] = g[0];
    u[1] = third * (even + g[1]);
    u[2] = third * (g[1] - even);
    u[3] = set(T(-4) / T(15)) * fma(two, g[1], fma(four, g[0], g[2]));
    u[4] = set(T(1) / T(15)) * fnma(two, g[1], fma(four, g[2], g[0]));
    u[5] = g[2];
  }
  /// The transpose of weights.
  template <class T>
  static INLINE void weights_gradient(const V<T> (&u)[6], V<T> (&g)[3]) {
    const V<T> third = set(T(1) / T(3)), odd = third * (u[1] - u[2]);
    const V<T> a = set(T(-4) / T(15)) * u[3], b = set(T(1) / T(15)) * u[4];
    g[0] = (u[0] + odd) + fma(set(T(4)), a, b);
    g[1] = fma(set(T(2)), a - b, third * (u[1] + u[2]));
    g[2] = (u[5] + odd) + fma(set(T(4)), b, a);
  }
};

template <>
struct Winograd<5> {
  template <class T>
  static INLINE void input(V<T> (&d)[6]) {
    Winograd<4>::input<T>(d);
  }
  template <class T>
  static INLINE void output(const V<T> (&m)[6], V<T> (&y)[5]) {
    const V<T> p = m[1] + m[2], q = m[1] - m[2];
    y[0] = (m[0] + p) + (m[3] + m[4]);
    y[1] = fnma(set(T(2)), m[4], fma(set(T(0.5)), m[3], q));
    y[2] = fma(set(T(4)), m[4], fma(set(T(0.25)), m[3], p));
    y[3] = fnma(set(T(8)), m[4], fma(set(T(0.125)), m[3], q));
    y[4] = fma(set(T(16)), m[4], fma(set(T(0.0625)), m[3], p + m[5]));
  }
  /// The transpose of output.
  template <class T>
  static INLINE void gradient(const V<T> (&y)[5], V<T> (&m)[6]) {
    const V<T> even = (y[0] + y[4]) + y[2], odd = y[1] + y[3];
    m[0] = y[0];
    m[1] = even + odd;
    m[2] = even - odd;
    m[3] = fma(set(T(0.0625)), y[4], fma(set(T(0.125)), y[3], fma(set(T(0.25)), y[2], fma(set(T(0.5)), y[1], y[0]))));
    m[4] = fma(set(T(16)), y[4], fnma(set(T(8)), y[3], fma(set(T(4)), y[2], fnma(set(T(2)), y[1], y[0]))));
    m[5] = y[4];
  }
  template <class T>
  static INLINE void weights(const V<T> (&g)[2], V<T> (&u)[6]) {
    const V<T> third = set(T(1) / T(3)), two = set(T(2));
    u[0] = g[0];
    u[1] = third * (g[0] + g[1]);
    u[2] = third * (g[1] - g[0]);
    u[3] = set(T(-8) / T(15)) * fma(two, g[0], g[1]);
    u[4] = set(T(1) / T(15)) * fnma(two, g[1], g[0]);
    u[5] = g[1];
  }
  /// The transpose of weights.
  template <class T>
  static INLINE void weights_gradient(const V<T> (&u)[6], V<T> (&g)[2]) {
    const V<T> third = set(T(1) / T(3)), two = set(T(2));
    const V<T> a = set(T(-8) / T(15)) * u[3], b = set(T(1) / T(15)) * u[4];
    g[0] = fma(third, u[1] - u[2], u[0]) + fma(two, a, b);
    g[1] = fma(third, u[1] + u[2], u[5]) + fnma(two, b, a);
  }
};

// The register tile of a product: MR rows by two vectors of columns. Bits do not depend on it.
constexpr int MR = REGISTERS == 32 ? 14 : 6;
template <class T>
constexpr int NR = 2 * lanes<T>;
/// Columns of a panel: one vector is enough for few of them.
template <class T>
INLINE int64_t panel_width(int64_t columns, int64_t panel) {
  return columns - panel * NR<T> > lanes<T> ? NR<T> : lanes<T>;
}
/// Channels of one block of a transformed tile: a cache line.
template <class T>
constexpr int CB = 64 / sizeof(T);

/// Images and the grid of tiles over their outputs: 3x3, stride 1. With dilation d every d-th pixel makes an image of
/// its own, d * d of them, each convolved without dilation: a tile's pixels are d apart, its first one tells which
/// image. 4x4, strides 2: phase f of an axis is every second pixel of the larger image, from f on, and two taps, f and
/// f + 2. Forward, the products sum over phases; backward, each phase has outputs of its own.
struct TileGrid {
  int64_t images, height, width;  // input
  int64_t top, left;              // padding before
  int64_t out_height, out_width;  // output
  int64_t side;                   // F
  int64_t step_h, step_w;         // dilation
  int64_t down, across;           // tiles of one image
  // 4x4, strides 2, backward: output i of phase f, counted through all tiles, lies at 2 i + f + shift.
  int64_t shift_h = 0, shift_w = 0;

  /// Convolution forward; backward, dy is the input, and its padding follows from the kernel's reach.
  TileGrid(const Conv2D& s, int tile, bool backward)
      : images(s.batch), side(tile), step_h(s.h.dilation), step_w(s.w.dilation) {
    if (tile == 3 || tile == 5) {
      phased(s, backward);
      return;
    }
    height = s.h.input;
    width = s.w.input;
    top = s.h.before;
    left = s.w.before;
    out_height = height + top + s.h.after - 2 * step_h;
    out_width = width + left + s.w.after - 2 * step_w;
    if (backward) {
      const int64_t h = height, w = width;
      height = out_height;
      width = out_width;
      out_height = h;
      out_width = w;
      top = 2 * step_h - top;
      left = 2 * step_w - left;
    }
    down = step_h * ceil_div(ceil_div(out_height, step_h), side);
    across = step_w * ceil_div(ceil_div(out_width, step_w), side);
  }

  void phased(const Conv2D& s, bool backward) {
    height = backward ? output_of(s.h) : s.h.input;
    width = backward ? output_of(s.w) : s.w.input;
    out_height = backward ? s.h.input : output_of(s.h);
    out_width = backward ? s.w.input : output_of(s.w);
    top = backward ? 1 - s.h.before / 2 : s.h.before;
    left = backward ? 1 - s.w.before / 2 : s.w.before;
    if (backward) {
      shift_h = -(s.h.before % 2);
      shift_w = -(s.w.before % 2);
    }
    // Backward, a row of tiles stands for rows of outputs two by two.
    down = ceil_div(backward ? (out_height - 1 - shift_h) / 2 + 1 : out_height, side);
    across = ceil_div(backward ? (out_width - 1 - shift_w) / 2 + 1 : out_width, side);
  }

  int64_t count() const { return images * down * across; }

  struct Tile {
    int64_t image, row, column;  // of its first output
  };
  static INLINE int64_t first_of(int64_t i, int64_t step, int64_t side) { return i / step * step * side + i % step; }
  INLINE Tile at(int64_t t) const {
    return {t / (down * across), first_of(t / across % down, step_h, side), first_of(t % across, step_w, side)};
  }
};

/// transform(from, c, mine) for vectors c of `padded` values of which the first `count` exist: vector c of line i is at
/// from[i] + mine. The last ones come from a copy filled up with zeros.
template <int N, class T, class F>
INLINE void each_padded(const T* const (&from)[N], int64_t count, int64_t padded, F&& transform) {
  int64_t c = 0;
  for (; c + lanes<T> <= count; c += lanes<T>) transform(from, c, c);
  for (; c < padded; c += lanes<T>) {
    alignas(64) T ends[N][lanes<T>];
    const T* last[N];
    for (int i = 0; i < N; ++i) {
      store(ends[i], load(from[i] + c, first<T>(count - c)));
      last[i] = ends[i];
    }
    transform(last, c, 0);
  }
}

/// Where the A x A pixels of a tile are in an image: from (row, column), a step apart; `zeros` for those outside.
template <int A, class T>
INLINE void find_pixels(const T* image, int64_t height, int64_t width, int64_t pitch, int64_t row, int64_t row_step,
                        int64_t column, int64_t column_step, const T* zeros, const T* (&from)[A * A]) {
  int64_t at[A];
  bool inside[A];
  unroll<A>([&](auto j) INLINE_LAMBDA {
    const int64_t c = column + j * column_step;
    at[j] = c * pitch;
    inside[j] = c >= 0 && c < width;
  });
  for (int i = 0; i < A; ++i) {
    const int64_t r = row + i * row_step;
    const int64_t line = r * width * pitch;
    const bool exists = r >= 0 && r < height;
    unroll<A>([&](auto j) INLINE_LAMBDA { from[i * A + j] = exists && inside[j] ? image + (line + at[j]) : zeros; });
  }
}

/// In^T x In of `channels` of one tile of x (N, H, W, pitch), of 16 pixels (F = 2, and 3) or 36 (F = 4, and 5): block
/// cb of the channels at v + xi * xi_stride + cb * block_stride. Channels up to a whole block are filled up with zeros;
/// `zeros` (channels of them) stands in for pixels outside.
template <int F, class T>
[[gnu::noinline]] void transform_input_lines(const T* const (&from)[(F + 2) * (F + 2)], int64_t mine, T* to,
                                             int64_t xi_stride) {
  constexpr int A = F + 2;
  V<T> mid[A][A];
  unroll<A>([&](auto j) INLINE_LAMBDA {
    V<T> d[A];
    unroll<A>([&](auto i) INLINE_LAMBDA { d[i] = load(from[i * A + j] + mine); });
    Winograd<F>::template input<T>(d);
    unroll<A>([&](auto i) INLINE_LAMBDA { mid[i][j] = d[i]; });
  });
  unroll<A>([&](auto i) INLINE_LAMBDA {
    Winograd<F>::template input<T>(mid[i]);
    unroll<A>([&](auto j) INLINE_LAMBDA { store(to + (i * A + j) * xi_stride, mid[i][j]); });
  });
}
template <int F, class T>
void transform_input(const TileGrid& grid, int64_t channels, int64_t pitch, const T* x, int64_t t, T* v,
                     int64_t xi_stride, int64_t block_stride, const T* zeros) {
  constexpr int A = F + 2;
  const TileGrid::Tile tile = grid.at(t);
  const T* from[A * A];
  find_pixels<A>(x + tile.image * grid.height * grid.width * pitch, grid.height, grid.width, pitch, tile.row - grid.top,
                 grid.step_h, tile.column - grid.left, grid.step_w, zeros, from);
  each_padded(from, channels, round_up(channels, CB<T>), [&](const auto& lines, int64_t c, int64_t mine) INLINE_LAMBDA {
    transform_input_lines<F, T>(lines, mine, v + c / CB<T> * block_stride + c % CB<T>, xi_stride);
  });
}

/// The same for the four phases of x of a 4x4 kernel with strides 2, one behind the other: those of the first row, then
/// of the second. Each has its channels filled up to whole blocks.
template <int F, class T>
void transform_phases(const TileGrid& grid, int64_t channels, int64_t pitch, const T* x, int64_t t, T* v,
                      int64_t xi_stride, int64_t block_stride, const T* zeros) {
  constexpr int A = F + 2;
  const TileGrid::Tile tile = grid.at(t);
  const int64_t blocks = ceil_div(channels, CB<T>);
  for (int phase = 0; phase < 4; ++phase) {
    const T* from[A * A];
    find_pixels<A>(x + tile.image * grid.height * grid.width * pitch, grid.height, grid.width, pitch,
                   2 * tile.row + phase / 2 - grid.top, 2, 2 * tile.column + phase % 2 - grid.left, 2, zeros, from);
    each_padded(from, channels, blocks * CB<T>, [&](const auto& lines, int64_t c, int64_t mine) INLINE_LAMBDA {
      transform_input_lines<F, T>(lines, mine, v + (phase * blocks + c / CB<T>)*block_stride + c % CB<T>, xi_stride);
    });
  }
}

}  // namespace lamina::LAMINA_ISA
