// conv2d, conv3d: implicit products from NHWC by the tiles of support/tile_product.cuh (16-bit numbers:
// support/tensor_product.cuh); no im2col. Convolutions that
// are products are left to gemm, narrow groups to conv2d_narrow.cu. The choice, units and chains are the CPU's
// (cpu/conv2d.cpp, cpu/conv2d_direct*.cpp).
#include "cuda/support/convolution.cuh"
#include "cuda/support/tensor_product.cuh"
#include "ops/conv2d.h"

namespace lamina::cuda {
namespace conv2d_op {

/// Forward and backward to the input. Rows of A are positions, columns of B targets of a group. A unit is a tap and a
/// block of 16 source channels; few channels forward (fold): a row of the kernel and a block of its (kw, c).
template <class T_, bool BACKWARD>
struct Gathered {
  using T = T_;
  static constexpr Along A_ALONG = Along::depth, B_ALONG = BACKWARD ? Along::depth : Along::side;
  static constexpr bool LINES = false, ADDS = false;
  using ASpot = Spot;
  using BSpot = int64_t;
  struct Line {};
  struct Cursor {
    int d, h, w, block;  // the tap
    int left, depth;
    Spot way;        // to the tap and block from a position's tap 0
    int64_t weight;  // of the tap and block
  };
  int64_t m, n, batch;
  Sights s;
  const T *source, *w;
  int64_t pitch, channels;      // of the source: all, of a group
  int64_t filters, w_channels;  // w is (.., w_channels, filters)
  int64_t kernel_h, kernel_w;
  bool fold;
  int taps_w, blocks;    // of units: 1 and those of a row where folded
  int64_t depth, units;  // depth: channels of a tap, or values of a row
  int64_t target_pitch;
  bool packed_a, packed_b;

  __device__ void set(Cursor& c) const {
    const int64_t tap = ((s.d.tap0 + c.d * s.d.tap_step) * kernel_h + s.h.tap0 + c.h * s.h.tap_step) * kernel_w +
                        s.w.tap0 + c.w * s.w.tap_step;
    const int64_t channel = int64_t(c.block) * UNIT;
    c.way = way_to(s, c.d, c.h, c.w, pitch);
    if (!fold) c.way.offset += channel;
    c.weight = tap * w_channels * filters + channel * (BACKWARD ? 1 : filters);
    c.depth = int(min_of(depth - channel, UNIT));
  }
  __device__ void start(Cursor& c, int64_t chain) const {
    const int64_t unit = chain * CHAIN_UNITS;
    int64_t rest, row, slice;
    row = split(unit, blocks, rest);
    c.block = int(rest);
    row = split(row, taps_w, rest);
    c.w = int(rest);
    slice = split(row, s.h.taps, rest);
    c.h = int(rest);
    c.d = int(slice);
    c.left = int(min_of(units - unit, CHAIN_UNITS));
    set(c);
  }
  __device__ void next(Cursor& c) const {
    --c.left;
    if (++c.block < blocks) {  // of the same tap
      if (!fold) c.way.offset += UNIT;
      c.weight += UNIT * (BACKWARD ? 1 : filters);
      c.depth = int(min_of(depth - int64_t(c.block) * UNIT, UNIT));
      return;
    }
    c.block = 0;
    if (++c.w == taps_w) {
      c.w = 0;
      if (++c.h == int(s.h.taps)) {
        c.h = 0;
        ++c.d;
      }
    }
    set(c);
  }
  __device__ Spot a_spot(int64_t i, int64_t z) const {
    Spot spot = spot_of(s, position_of(s, i), pitch);
    spot.offset += z * channels;
    return spot;
  }
  __device__ int64_t b_spot(int64_t j, int64_t z) const { return BACKWARD ? j * filters + z * channels : z * n + j; }
  __device__ From<T> a_from(const Spot& spot, const Cursor& c, int step, Line) const {
    Spot way = c.way;
    if (fold) {
      const uint32_t lane = uint32_t(c.block * UNIT + step), tap = lane / uint32_t(channels);
      const int64_t across = int64_t(tap) * s.w.delta;
      way.offset += across * pitch + int64_t(lane - tap * uint32_t(channels));
      way.w += int(across);
    } else {
      way.offset += step;
    }
    const bool inside = is_inside(s, spot, way);
    const int64_t at = spot.offset + way.offset;
    return {source + (inside ? at : 0), inside};
  }
  __device__ From<T> b_from(int64_t spot, const Cursor& c, int step, Line) const {
    return {w + c.weight + spot + step * (BACKWARD ? 1 : filters), true};
  }
  __device__ int64_t target(int64_t i) const { return target_of(s, position_of(s, i)) * target_pitch; }
};

/// The gradient to the kernel. Rows of A are (tap, c), columns of B filters of a group, k pixels of dy.
template <class T_>
struct KernelGradient {
  using T = T_;
  static constexpr Along A_ALONG = Along::side, B_ALONG = Along::side;
  static constexpr bool LINES = true, ADDS = false;
  using ASpot = Spot;
  using BSpot = int64_t;
  struct Line {  // a pixel
    Spot x;
    int64_t dy;
  };
  struct Cursor {
    Chain chain;
    int at, left, depth;
  };
  int64_t m, n, batch;
  Sights s;
  Chains chains;
  const T *x, *dy;
  int64_t channels, filters, group_channels;
  bool packed_a, packed_b;

  __device__ void start(Cursor& c, int64_t chain) const {
    c.chain = chains[chain];
    c.at = 0;
    c.left = int(ceil_div(c.chain.pixels(), UNIT));
    c.depth = int(min_of(c.chain.pixels(), UNIT));
  }
  __device__ void next(Cursor& c) const {
    c.at += UNIT;
    --c.left;
    c.depth = int(min_of(c.chain.pixels() - c.at, UNIT));
  }
  __device__ Line line(const Cursor& c, int step) const {
    const uint32_t pixel = uint32_t(c.at + step), columns = uint32_t(c.chain.columns), rows = uint32_t(c.chain.rows);
    const uint32_t row = pixel / columns, image = row / rows;
    Position p;
    p.image = split(c.chain.image + image, s.d.positions, p.d);
    p.h = c.chain.row + (row - image * rows);
    p.w = c.chain.column + (pixel - row * columns);
    return {spot_of(s, p, channels), target_of(s, p) * filters};
  }
  __device__ Spot a_spot(int64_t i, int64_t z) const {
    int64_t c, w, h;
    const int64_t d = split(split(split(i, group_channels, c), s.w.taps, w), s.h.taps, h);
    Spot way = way_to(s, d, h, w, channels);
    way.offset += z * group_channels + c;
    return way;
  }
  __device__ int64_t b_spot(int64_t j, int64_t z) const { return z * n + j; }
  __device__ From<T> a_from(const Spot& way, const Cursor&, int, const Line& pixel) const {
    const bool inside = is_inside(s, way, pixel.x);
    const int64_t at = way.offset + pixel.x.offset;
    return {x + (inside ? at : 0), inside};
  }
  __device__ From<T> b_from(int64_t spot, const Cursor&, int, const Line& pixel) const {
    return {dy + spot + pixel.dy, true};
  }
  __device__ int64_t target(int64_t i) const { return i * filters; }
};

/// Whether runs of `count` values that begin at multiples of it are made of whole packs.
template <class T>
bool runs_are_packed(const T* p, int64_t count) {
  constexpr int N = 16 / int(sizeof(T));
  return is_packed<N>(p) && count % N == 0;
}

template <class P, class T = typename P::T>
void multiply(const P& p, const ProductOutput<T>& o, int64_t chains, int64_t a_term, Stream stream) {
  if constexpr (sizeof(T) == 2)
    tensor_product(p, o, chains, a_term, stream);
  else
    tile_product(p, o, chains, a_term, stream);
}

template <bool BACKWARD, class T>
void gather(const Conv2D& c, const Sights& s, const T* source, const T* w, const T* bias, Activation activation,
            T* target, Stream stream) {
  const int64_t C = c.channels / c.groups, K = c.filters / c.groups;
  const bool fold = !BACKWARD && C < 8 && c.w.kernel > 1;
  Gathered<T, BACKWARD> p{};
  p.m = c.batch * s.positions();
  p.n = BACKWARD ? C : K;
  p.batch = c.groups;
  p.s = s;
  p.source = source;
  p.w = w;
  p.pitch = BACKWARD ? c.filters : c.channels;
  p.channels = BACKWARD ? K : C;
  p.filters = c.filters;
  p.w_channels = C;
  p.kernel_h = c.h.kernel;
  p.kernel_w = c.w.kernel;
  p.fold = fold;
  p.depth = fold ? c.w.kernel * C : p.channels;
  p.taps_w = fold ? 1 : int(s.w.taps);
  p.blocks = int(ceil_div(p.depth, UNIT));
  p.units = s.d.taps * s.h.taps * p.taps_w * p.blocks;
  p.target_pitch = BACKWARD ? c.channels : c.filters;
  p.packed_a = runs_are_packed(source, p.channels);
  p.packed_b = runs_are_packed(w, K);
  const bool packed_c = runs_are_packed(target, p.n) && runs_are_packed(bias, p.n);
  const ProductOutput<T> o{target, p.n, bias, p.n, activation, false, packed_c};
  conv2d_op::multiply(p, o, ceil_div(p.units, CHAIN_UNITS), 1, stream);
}

/// Targets that no window covers: the bias alone.
template <class T>
struct Uncovered {
  Axis d, h, w;
  int64_t channels;
  const T* bias;
  Activation activation;
  T* dx;
  static __device__ bool is_covered(const Axis& a, int64_t at) {
    for (int64_t k = 0; k < a.kernel && k < a.stride; ++k)
      if ((at + a.before - k * a.dilation) % a.stride == 0) return true;
    return false;
  }
  __device__ void operator()(int64_t i) const {
    int64_t c, at_w, at_h, at_d;
    split(split(split(split(i, channels, c), w.input, at_w), h.input, at_h), d.input, at_d);
    if (is_covered(w, at_w) && is_covered(h, at_h) && is_covered(d, at_d)) return;
    dx[i] = T(activated(bias ? Wide<T>(bias[c]) : Wide<T>(0), activation));
  }
};

/// A convolution that is a product of matrices, as which it is computed.
struct Product {
  bool holds;
  int64_t rows, channels;  // of x
};
inline Product product_of(const Conv2D& s) {
  if (s.groups != 1) return {false, 0, 0};
  if (is_whole(s.d) && is_whole(s.h) && is_whole(s.w))
    return {true, s.batch, s.d.input * s.h.input * s.w.input * s.channels};
  if (is_point(s.d) && is_point(s.h) && is_point(s.w))
    return {true, s.batch * s.d.input * s.h.input * s.w.input, s.channels};
  return {false, 0, 0};
}
/// The shape as the CPU's chooser sees it: slices that are not convolved are a batch, images one pixel wide are turned.
inline Conv2D simplified(Conv2D s) {
  if (!is_point(s.d)) return s;
  s.batch *= s.d.input;
  s.d = {1, 1};
  if (s.w.input == 1 && s.w.kernel == 1 && unpadded(s.w)) {
    const Axis h = s.h;
    s.h = s.w;
    s.w = h;
  }
  return s;
}
inline bool is_narrow(const Conv2D& s) {
  const int64_t C = s.channels / s.groups, K = s.filters / s.groups;
  return s.groups > 1 && (C == 1 || (C <= 8 && K <= 8));
}

}  // namespace conv2d_op
using namespace conv2d_op;

template <class T>
void conv2d_forward(const Conv2D& shape, const T* x, const T* w, const T* bias, Activation activation, T* y,
                    Stream stream) {
  const Conv2D s = simplified(shape);
  if (const Product p = product_of(s); p.holds)
    return gemm(Gemm<T>{p.rows, s.filters, p.channels, x, p.channels, false, w, s.filters, false, y, s.filters, bias,
                        activation},
                stream);
  if (is_narrow(s)) return narrow_forward(s, x, w, bias, activation, y, stream);
  gather<false>(s, forward_sights(s), x, w, bias, activation, y, stream);
}

template <class T>
void conv2d_backward_input(const Conv2D& shape, const T* dy, const T* w, const T* bias, Activation activation, T* dx,
                           Stream stream) {
  const Conv2D s = simplified(shape);
  // A bias has one value a channel, a product over whole images one a pixel and channel.
  const Product p = product_of(s);
  if (p.holds && is_point(s.d) && (!bias || p.channels == s.channels))
    return gemm(Gemm<T>{p.rows, p.channels, s.filters, dy, s.filters, false, w, s.filters, true, dx, p.channels, bias,
                        activation},
                stream);
  if (phases_of(s.d) < s.d.stride || phases_of(s.h) < s.h.stride || phases_of(s.w) < s.w.stride)
    each(s.batch * s.d.input * s.h.input * s.w.input * s.channels, stream,
         Uncovered<T>{s.d, s.h, s.w, s.channels, bias, activation, dx});
  if (is_narrow(s)) return narrow_backward_input(s, dy, w, bias, activation, dx, stream);
  each_phase(s, [&](const Sights& sights) { gather<true>(s, sights, dy, w, bias, activation, dx, stream); });
}

template <class T>
void conv2d_backward_kernel(const Conv2D& shape, const T* x, const T* dy, T* dw, Stream stream) {
  const Conv2D s = simplified(shape);
  if (const Product p = product_of(s); p.holds)
    return gemm(Gemm<T>{p.channels, s.filters, p.rows, x, p.channels, true, dy, s.filters, false, dw, s.filters},
                stream);
  if (is_narrow(s)) return narrow_backward_kernel(s, x, dy, dw, stream);
  const int64_t C = s.channels / s.groups, K = s.filters / s.groups;
  KernelGradient<T> p{};
  p.m = s.d.kernel * s.h.kernel * s.w.kernel * C;
  p.n = K;
  p.batch = s.groups;
  p.s = forward_sights(s);
  p.chains = Chains(s.batch * p.s.d.target, p.s.h.target, p.s.w.target);
  p.x = x;
  p.dy = dy;
  p.channels = s.channels;
  p.filters = s.filters;
  p.group_channels = C;
  p.packed_a = runs_are_packed(x, C);
  p.packed_b = runs_are_packed(dy, K);
  const ProductOutput<T> o{dw, K, nullptr, 0, Activation::linear, true, runs_are_packed(dw, K)};
  conv2d_op::multiply(p, o, p.chains.count(), p.m * s.filters <= SMALL ? PART : 1, stream);
}

template void conv2d_forward(const Conv2D&, const float*, const float*, const float*, Activation, float*, Stream);
template void conv2d_forward(const Conv2D&, const double*, const double*, const double*, Activation, double*, Stream);
template void conv2d_backward_input(const Conv2D&, const float*, const float*, const float*, Activation, float*,
                                    Stream);
template void conv2d_backward_input(const Conv2D&, const double*, const double*, const double*, Activation, double*,
                                    Stream);
template void conv2d_backward_kernel(const Conv2D&, const float*, const float*, float*, Stream);
template void conv2d_backward_kernel(const Conv2D&, const double*, const double*, double*, Stream);
template void conv2d_forward(const Conv2D&, const Float16*, const Float16*, const Float16*, Activation, Float16*,
                             Stream);
template void conv2d_forward(const Conv2D&, const BFloat16*, const BFloat16*, const BFloat16*, Activation, BFloat16*,
                             Stream);
template void conv2d_backward_input(const Conv2D&, const Float16*, const Float16*, const Float16*, Activation, Float16*,
                                    Stream);
template void conv2d_backward_input(const Conv2D&, const BFloat16*, const BFloat16*, const BFloat16*, Activation,
                                    BFloat16*, Stream);
template void conv2d_backward_kernel(const Conv2D&, const Float16*, const Float16*, Float16*, Stream);
template void conv2d_backward_kernel(const Conv2D&, const BFloat16*, const BFloat16*, BFloat16*, Stream);

}  // namespace lamina::cuda
