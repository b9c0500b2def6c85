// Depthwise convolution over the strips of support/gather.h, whose blocks are lanes here: every output channel has its
// own source channel, with a multiplier several share one.
//
// A register tile is X positions x one vector of channels. With gradients to the input and a multiplier m, the m
// outputs of an input channel are m planes of the strip.
#include "cpu/support/chains.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr int TILE = REGISTERS == 32 ? 14 : 12;  // positions in a register tile
constexpr int TAPS = 9;                          // taps in a register tile of the weight gradient

template <class T>
struct Lanes {
  T* y;
  int64_t pixel;  // step to the next position
  const T* bias;  // or null
  bool relu;
};

/// unit[i]: where tap i lies in the strip; w[i * BLOCK]: its weights. Chains of CHAIN taps.
template <class T, int X, class M>
void tile(const int64_t* unit, int64_t units, const T* a, const T* w, const Lanes<T>& o, M mask) {
  V<T> acc[X], total[X];
  for (int64_t i = 0; i < units;) {
    const bool later = i > 0;
    unroll<X>([&](auto x) INLINE_LAMBDA { acc[x] = zero<T>(); });
    for (const int64_t stop = min_of(units, i + CHAIN); i < stop; ++i, w += BLOCK) {
      const T* const p = a + unit[i];
      const V<T> k = load(w);
      unroll<X>([&](auto x) INLINE_LAMBDA { acc[x] = fma(load(p + x * BLOCK), k, acc[x]); });
    }
    if (later) unroll<X>([&](auto x) INLINE_LAMBDA { acc[x] = total[x] + acc[x]; });
    if (i < units) unroll<X>([&](auto x) INLINE_LAMBDA { total[x] = acc[x]; });
  }
  if (o.bias) {
    const V<T> bias = load(o.bias, mask);
    unroll<X>([&](auto x) INLINE_LAMBDA { acc[x] = acc[x] + bias; });
  }
  if (o.relu) unroll<X>([&](auto x) INLINE_LAMBDA { acc[x] = max(zero<T>(), acc[x]); });
  unroll<X>([&](auto x) INLINE_LAMBDA { store(o.y + x * o.pixel, acc[x], mask); });
}

/// f(first value, mask) for the vectors of a block of `depth` channels.
template <class T, class F>
INLINE void each_block_vector(int64_t depth, F&& f) {
  for (int64_t l = 0; l < depth; l += lanes<T>)
    if (depth - l >= lanes<T>)
      f(l, All{});
    else
      f(l, first<T>(depth - l));
}

template <class T>
struct DepthwiseJob {
  Gather d;
  int64_t batch, filters;  // filters: of the layer
  const T *source, *bias;
  bool relu;
  T* target;

  /// packed[block][phase][kh][kw][plane][16] from w (KH, KW, filters).
  void pack_weights(const T* w, T* packed) const {
    for (int64_t block = 0; block < d.plane_blocks; ++block)
      each_tap([&](int64_t kh, int64_t kw, int64_t plane) INLINE_LAMBDA {
        for (int64_t l = 0; l < BLOCK; ++l, ++packed)
          *packed = l < d.block_depth(block * d.planes)
                        ? w[(kh * d.w.kernel + kw) * filters + (block * BLOCK + l) * d.skip + plane]
                        : T(0);
      });
  }
  /// f(kh, kw, plane) phase by phase.
  template <class F>
  void each_tap(F&& f) const {
    for (int64_t ph = 0; ph < d.h.phases; ++ph)
      for (int64_t pw = 0; pw < d.w.phases; ++pw)
        for (int64_t kh = ph; kh < d.h.kernel; kh += d.h.tap_step())
          for (int64_t kw = pw; kw < d.w.kernel; kw += d.w.tap_step())
            for (int64_t plane = 0; plane < d.planes; ++plane) f(kh, kw, plane);
  }

  void run(int64_t image, int64_t row, int64_t column, const T* packed, const int64_t* units, T* strip) const {
    const int64_t rows = min_of(d.rows, d.h.positions - row), columns = min_of(d.columns, d.w.positions - column);
    const int64_t all = d.h.kernel * d.w.kernel * d.planes;
    const T* const from = source + image * d.h.source * d.w.source * d.source_pitch;
    T* const out = target + image * d.h.target * d.w.target * d.channels;
    zero_uncovered(d, row, rows, column, columns, d.channels, d.channels, out);
    for (int64_t block = 0; block < d.plane_blocks; ++block) {  // one at a time: the strip stays in L1 or L2
      const int64_t block0 = block * d.planes;
      pack_strip(d, from, row, rows, column, columns, block0, block0 + d.planes, strip - block0 * d.plane);
      int64_t taps = 0;
      for (int64_t ph = 0; ph < d.h.phases; ++ph)
        for (int64_t pw = 0; pw < d.w.phases; ++pw) {
          const int64_t count = d.h.taps(ph) * d.w.taps(pw) * d.planes;
          const int64_t row0 = max_of(row, d.h.begin(ph)), row1 = min_of(row + rows, d.h.end(ph));
          const int64_t column0 = max_of(column, d.w.begin(pw)), column1 = min_of(column + columns, d.w.end(pw));
          for (int64_t j = row0; j < row1; ++j)
            run_row(d.block_depth(block0), d.w.step * d.channels, column0, column1, units + taps, count,
                    strip + (j - row) * d.row_size - column * BLOCK, packed + (block * all + taps) * BLOCK,
                    bias ? bias + block * BLOCK : nullptr,
                    out + (d.h.at(j, ph) * d.w.target + d.w.at(0, pw)) * d.channels + block * BLOCK);
          taps += count;
        }
    }
  }

  void run_row(int64_t depth, int64_t pixel, int64_t begin, int64_t end, const int64_t* unit, int64_t units, const T* a,
               const T* w, const T* block_bias, T* out) const {
    const int64_t width = end - begin;
    if (width <= 0) return;
    const int64_t tiles = ceil_div(width, TILE);
    each_block_vector<T>(depth, [&](int64_t l, auto mask) INLINE_LAMBDA {
      for (int64_t i = 0; i < tiles; ++i) {
        const int64_t from = begin + width * i / tiles, count = begin + width * (i + 1) / tiles - from;
        const Lanes<T> o{out + from * pixel + l, pixel, block_bias ? block_bias + l : nullptr, relu};
        with_constant<TILE>(
            int(count), [&](auto X) INLINE_LAMBDA { tile<T, X>(unit, units, a + from * BLOCK + l, w + l, o, mask); });
      }
    });
  }

  void run_all(const T* w) {
    d.row_blocks = d.planes;
    choose_strips<T>(d, batch, 1, 64 << 10);
    const int64_t taps = d.h.kernel * d.w.kernel * d.planes;
    T* const packed = scratch_for<T>(Slot::caller, d.plane_blocks * taps * BLOCK);
    pack_weights(w, packed);
    int64_t* const units = scratch_for<int64_t>(Slot::caller2, taps);
    int64_t* next = units;
    each_tap([&](int64_t kh, int64_t kw, int64_t plane)
                 INLINE_LAMBDA { *next++ = d.row_at(kh) + d.column_at(kw) + plane * d.plane; });
    const int64_t strips_h = ceil_div(d.h.positions, d.rows), strips_w = ceil_div(d.w.positions, d.columns);
    const double flops = 2.0 * double(d.h.positions * d.w.positions * taps * d.channels) / double(strips_h * strips_w);
    parallel_for(batch * strips_h * strips_w, flops / 50, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      T* const strip = scratch_for<T>(Slot::worker, d.strip_size);
      for (int64_t task = begin; task < end; ++task)
        run(task / strips_w / strips_h, task / strips_w % strips_h * d.rows, task % strips_w * d.columns, packed, units,
            strip);
    });
  }
};

/// to[t] += sum over the chain's pixels of x[pixel + at[t]] * dy[pixel], one chain of FMAs a tap.
template <class T, int N, class M>
void kernel_tile(const Chain& c, const T* x, int64_t x_image, int64_t x_row, const int64_t* at, const T* dy,
                 int64_t dy_image, int64_t dy_row, int64_t dy_pixel, T* to, int64_t to_pitch, M mask) {
  V<T> acc[N];
  int64_t offset[N];
  unroll<N>([&](auto t) INLINE_LAMBDA {
    acc[t] = zero<T>();
    offset[t] = at[t];
  });
  for (int64_t n = 0; n < c.images; ++n)
    for (int64_t j = 0; j < c.rows; ++j) {
      const T* p = x + n * x_image + j * x_row;
      const T* q = dy + n * dy_image + j * dy_row;
      for (int64_t i = c.columns; i > 0; --i, p += BLOCK, q += dy_pixel) {
        const V<T> d = load(q, mask);
        unroll<N>([&](auto t) INLINE_LAMBDA { acc[t] = fma(load(p + offset[t]), d, acc[t]); });
      }
    }
  unroll<N>([&](auto t) INLINE_LAMBDA {
    T* const p = to + t * to_pitch;
    store(p, load(p, mask) + acc[t], mask);
  });
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void depthwise_forward(const Conv2D& s, const T* x, const T* w, const T* bias, Activation activation, T* y) {
  DepthwiseJob<T> job{};
  job.d.h = forward_view(s.h);
  job.d.w = forward_view(s.w);
  job.d.channels = job.filters = s.filters;
  job.d.source_pitch = s.channels;
  job.d.repeat = s.filters / s.channels;
  job.batch = s.batch;
  job.source = x;
  job.bias = bias;
  job.relu = activation == Activation::relu;
  job.target = y;
  job.run_all(w);
}

template <class Target, class T>
void depthwise_backward_input(const Conv2D& s, const T* dy, const T* w, T* dx) {
  DepthwiseJob<T> job{};
  job.d.h = backward_view(s.h);
  job.d.w = backward_view(s.w);
  job.d.channels = s.channels;
  job.d.source_pitch = job.filters = s.filters;
  job.d.planes = job.d.skip = s.filters / s.channels;
  job.batch = s.batch;
  job.source = dy;
  job.target = dx;
  job.run_all(w);
}

template <class Target, class T>
void depthwise_backward_kernel(const Conv2D& s, const T* x, const T* dy, T* dw) {
  Gather d{};
  d.h = forward_view(s.h);
  d.w = forward_view(s.w);
  d.channels = s.filters;
  d.source_pitch = s.channels;
  d.repeat = s.filters / s.channels;
  const Chains chains(s.batch, d.h.target, d.w.target);
  d.row_blocks = 1;
  d.layout(chains.rows, chains.columns);
  const int64_t taps = s.h.kernel * s.w.kernel, size = taps * s.filters, K = s.filters;
  int64_t* const at = scratch_for<int64_t>(Slot::caller2, taps);
  for (int64_t t = 0; t < taps; ++t) at[t] = d.row_at(t / s.w.kernel) + d.column_at(t % s.w.kernel);
  const int64_t tiles = ceil_div(taps, TAPS);
  const auto run = [&](int64_t chain0, int64_t chain1, int64_t block0, int64_t block1, T* to) INLINE_LAMBDA {
    T* const strip = scratch_for<T>(Slot::worker, chains.images * d.strip_size);
    for (int64_t chain = chain0; chain < chain1; ++chain) {
      const Chain c = chains[chain];
      const T* const from = dy + ((c.image * d.h.target + c.row) * d.w.target + c.column) * K;
      for (int64_t block = block0; block < block1; ++block) {
        for (int64_t n = 0; n < c.images; ++n)
          pack_strip(d, x + (c.image + n) * d.h.source * d.w.source * d.source_pitch, c.row, c.rows, c.column,
                     c.columns, block, block + 1, strip + n * d.strip_size - block * d.plane);
        each_block_vector<T>(d.block_depth(block), [&](int64_t l, auto mask) INLINE_LAMBDA {
          const int64_t k = block * BLOCK + l;
          for (int64_t i = 0; i < tiles; ++i) {
            const int64_t t0 = taps * i / tiles, t1 = taps * (i + 1) / tiles;
            with_constant<TAPS>(int(t1 - t0), [&](auto N) INLINE_LAMBDA {
              kernel_tile<T, N>(c, strip + l, d.strip_size, d.row_size, at + t0, from + k, d.h.target * d.w.target * K,
                                d.w.target * K, K, to + t0 * K + k, K, mask);
            });
          }
        });
      }
    }
  };
  sum_chains(chains.count(), size, d.blocks, 2.0 * double(chains.pixels() * size) / 50, run, dw);
}

template void depthwise_forward<Target>(const Conv2D&, const float*, const float*, const float*, Activation, float*);
template void depthwise_backward_input<Target>(const Conv2D&, const float*, const float*, float*);
template void depthwise_backward_kernel<Target>(const Conv2D&, const float*, const float*, float*);
template void depthwise_forward<Target>(const Conv2D&, const double*, const double*, const double*, Activation,
                                        double*);
template void depthwise_backward_input<Target>(const Conv2D&, const double*, const double*, double*);
template void depthwise_backward_kernel<Target>(const Conv2D&, const double*, const double*, double*);

}  // namespace lamina
