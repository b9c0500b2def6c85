// Convolution in narrow groups, depthwise above all: the lanes of a vector are target channels, of as many groups as
// there is room for.
//
// The strips that it reads are those of support/lane_strips.h, cut by blocks of channels too. A register tile is
// X positions x one vector of channels.
#include "cpu/support/chains.h"
#include "cpu/support/elementwise.h"
#include "cpu/support/lane_strips.h"

namespace lamina {
namespace LAMINA_ISA {

/// Positions in a register tile, and taps in one of the weight gradient. float64 is for checks, and without vectors of
/// 256 bits an FMA may be a call: smaller tiles there compile faster.
template <class T>
constexpr int TILE = sizeof(T) == 8 || lanes<T> == 4 ? 6
                     : REGISTERS == 32               ? 14
                                                     : 12;
template <class T>
constexpr int TAPS = sizeof(T) == 8 || lanes<T> == 4 ? 5 : 9;
constexpr int64_t STRIP_BYTES = 256 << 10, WIDE_STRIP_BYTES = 448 << 10;  // of one plane, of several
constexpr int64_t L1_BYTES = 24 << 10;

template <class T>
struct Lanes {
  T* y;
  int64_t pixel;  // step to the next position
  const T* bias;  // or null
  bool relu, past_caches;
  int64_t count;  // lanes that exist
  int64_t ahead;  // where a later tile writes: a line a pixel, which the processor cannot foresee
};

/// unit[i]: where tap i lies in the strip; w[i * BLOCK]: its weights. Chains of CHAIN taps.
template <class T, int X>
void tile(const int64_t* unit, int64_t units, const T* a, const T* w, const Lanes<T>& o) {
  V<T> acc[X], total[X];
  if (!o.past_caches) {
#pragma GCC unroll 16
    for (int x = 0; x < X; ++x) prefetch(o.y + o.ahead + x * o.pixel);
  }
  for (int64_t i = 0; i < units;) {
    const bool later = i > 0;
#pragma GCC unroll 16
    for (int x = 0; x < X; ++x) acc[x] = zero<T>();
    for (const int64_t stop = min_of(units, i + CHAIN); i < stop; ++i, w += BLOCK) {
      const T* const p = a + unit[i];
      const V<T> k = load(w);
#pragma GCC unroll 16
      for (int x = 0; x < X; ++x) acc[x] = fma(load(p + x * BLOCK), k, acc[x]);
    }
    if (later) {
#pragma GCC unroll 16
      for (int x = 0; x < X; ++x) acc[x] = total[x] + acc[x];
    }
    if (i < units) {
#pragma GCC unroll 16
      for (int x = 0; x < X; ++x) total[x] = acc[x];
    }
  }
  const bool whole = o.count >= lanes<T>;
  const Mask<T> mask = first<T>(o.count);
  if (o.bias) {
    const V<T> bias = whole ? load(o.bias) : load(o.bias, mask);
#pragma GCC unroll 16
    for (int x = 0; x < X; ++x) acc[x] = acc[x] + bias;
  }
  if (o.relu) {
#pragma GCC unroll 16
    for (int x = 0; x < X; ++x) acc[x] = max(zero<T>(), acc[x]);
  }
  if (o.past_caches) {
#pragma GCC unroll 16
    for (int x = 0; x < X; ++x) stream(o.y + x * o.pixel, acc[x]);
  } else if (whole) {
#pragma GCC unroll 16
    for (int x = 0; x < X; ++x) store(o.y + x * o.pixel, acc[x]);
  } else {
#pragma GCC unroll 16
    for (int x = 0; x < X; ++x) store(o.y + x * o.pixel, acc[x], mask);
  }
}

/// f(first value, lanes that exist) for the vectors of a block of `depth` channels.
template <class T, class F>
INLINE void each_block_vector(int64_t depth, F&& f) {
  for (int64_t l = 0; l < depth; l += lanes<T>) f(l, depth - l);
}

template <class T>
struct NarrowJob {
  Gather d;
  LaneMap map;
  const Whole<T>* table;
  int64_t batch, chunk;  // chunk: blocks of target channels in a strip
  const T *source, *bias;
  bool relu, past_caches;
  T* target;

  /// f(kh, kw, plane) phase by phase.
  template <class F>
  void each_tap(F&& f) const {
    for (int64_t ph = 0; ph < d.h.phases; ++ph)
      for (int64_t pw = 0; pw < d.w.phases; ++pw)
        for (int64_t kh = ph; kh < d.h.kernel; kh += d.h.tap_step())
          for (int64_t kw = pw; kw < d.w.kernel; kw += d.w.tap_step())
            for (int64_t plane = 0; plane < map.planes; ++plane) f(kh, kw, plane);
  }

  /// packed[block][phase][kh][kw][plane][16] from w (KH, KW, C/G, K).
  void pack_weights(const Conv2D& s, const T* w, T* packed) const {
    const int64_t C = s.channels / s.groups, K = s.filters / s.groups;
    for (int64_t block = 0; block < map.blocks(); ++block)
      each_tap([&](int64_t kh, int64_t kw, int64_t plane) INLINE_LAMBDA {
        const T* const from = w + (kh * d.w.kernel + kw) * C * s.filters;
        if (!d.h.backward) {
          copy_block(from + plane * s.filters + block * BLOCK, packed, map.depth(block));
          packed += BLOCK;
          return;
        }
        for (int64_t l = 0; l < BLOCK; ++l, ++packed) {
          const int64_t k = block * BLOCK + l;  // a channel of x, and plane a filter of its group
          *packed = k >= map.targets ? T(0) : from[k % C * s.filters + k / C * K + plane];
        }
      });
  }

  void run(int64_t image, int64_t block0, int64_t row, int64_t column, const T* packed, const int64_t* units,
           T* strip) const {
    const int64_t rows = min_of(d.rows, d.h.positions - row), columns = min_of(d.columns, d.w.positions - column);
    const int64_t all = d.h.kernel * d.w.kernel * map.planes, blocks = min_of(chunk, map.blocks() - block0);
    const int64_t k0 = block0 * BLOCK, depth = min_of(map.targets - k0, chunk * BLOCK);
    pack_lanes_strip(d, map, table, source + image * d.h.source * d.w.source * d.source_pitch, row, rows, column,
                     columns, block0, strip);
    T* const out = target + image * d.h.target * d.w.target * map.targets + k0;
    fill_uncovered(d, row, rows, column, columns, depth, map.targets, bias ? bias + k0 : nullptr, relu, out);
    int64_t taps = 0;
    for (int64_t ph = 0; ph < d.h.phases; ++ph)
      for (int64_t pw = 0; pw < d.w.phases; ++pw) {
        const int64_t count = d.h.taps(ph) * d.w.taps(pw) * map.planes;
        const int64_t row0 = max_of(row, d.h.begin(ph)), row1 = min_of(row + rows, d.h.end(ph));
        const int64_t column0 = max_of(column, d.w.begin(pw)), column1 = min_of(column + columns, d.w.end(pw));
        const int64_t tiles = ceil_div(column1 - column0, TILE<T>);
        const auto run = [&](int64_t b, int64_t j, int64_t tile0, int64_t tile1) INLINE_LAMBDA {
          run_row(map.depth(block0 + b), d.w.step * map.targets, d.h.step * d.w.target * map.targets, column0, column1,
                  tile0, tile1, units + taps, count,
                  strip + (j - row) * d.row_size + b * map.planes * d.plane - column * BLOCK,
                  packed + ((block0 + b) * all + taps) * BLOCK, bias ? bias + k0 + b * BLOCK : nullptr,
                  out + (d.h.at(j, ph) * d.w.target + d.w.at(0, pw)) * map.targets + b * BLOCK);
        };
        if (map.planes == 1) {  // memory is written in order
          for (int64_t j = row0; j < row1; ++j)
            for (int64_t b = 0; b < blocks; ++b) run(b, j, 0, tiles);
        } else {  // the planes of a few columns stay in L1 from row to row
          for (int64_t b = 0; b < blocks; ++b)
            for (int64_t t = 0; t < tiles; ++t)
              for (int64_t j = row0; j < row1; ++j) run(b, j, t, t + 1);
        }
        taps += count;
      }
  }

  /// Tiles [tile0, tile1) of a row.
  void run_row(int64_t depth, int64_t pixel, int64_t ahead, int64_t begin, int64_t end, int64_t tile0, int64_t tile1,
               const int64_t* unit, int64_t units, const T* a, const T* w, const T* block_bias, T* out) const {
    const int64_t width = end - begin, tiles = ceil_div(width, TILE<T>);
    each_block_vector<T>(depth, [&](int64_t l, int64_t exist) INLINE_LAMBDA {
      for (int64_t i = tile0; i < tile1; ++i) {
        const int64_t from = begin + width * i / tiles, count = begin + width * (i + 1) / tiles - from;
        const Lanes<T> o{
            out + from * pixel + l, pixel, block_bias ? block_bias + l : nullptr, relu, past_caches, exist, ahead};
        with_constant<TILE<T>>(int(count),
                               [&](auto X) INLINE_LAMBDA { tile<T, X>(unit, units, a + from * BLOCK + l, w + l, o); });
      }
    });
  }

  /// Whole images of some blocks where these fit, else rows of a few: reading less than a line or two a pixel is slow.
  void choose() {
    const int64_t columns = min_of(d.w.positions, 512);
    d.layout(1, columns, map.planes);
    const int64_t halo = (d.h.span - 1) / d.h.stride, all = map.blocks();
    const int64_t row_bytes = d.h.slots * d.row_size * int64_t(sizeof(T));
    const int64_t bytes = map.planes == 1 ? STRIP_BYTES : WIDE_STRIP_BYTES;
    chunk = bytes / (row_bytes * (d.h.positions + halo));
    // Small images: what is packed should still be in L1 when it is read.
    if (map.planes == 1) chunk = min_of(chunk, max_of(4, L1_BYTES / (row_bytes * (d.h.positions + halo))));
    chunk = min_of(all, max_of(chunk, map.planes == 1 ? 2 : 1));
    const int64_t strips_w = ceil_div(d.w.positions, columns);
    while (chunk > 2 && batch * ceil_div(all, chunk) * strips_w < 4 * num_threads()) chunk = ceil_div(chunk, 2);
    chunk = ceil_div(all, ceil_div(all, chunk));
    const int64_t rows = strip_rows(d, row_bytes * chunk, batch * ceil_div(all, chunk) * strips_w, 1, bytes);
    d.layout(rows, columns, map.planes * chunk);
  }

  void run_all(const Conv2D& s, const T* w) {
    choose();
    past_caches = sizeof(V<T>) == 64 && stream_rows(target, batch * d.h.target * d.w.target, map.targets);
    const int64_t taps = d.h.kernel * d.w.kernel * map.planes;
    T* const packed = scratch_for<T>(Slot::caller, map.blocks() * taps * BLOCK);
    pack_weights(s, w, packed);
    table = make_table<T>(map);
    int64_t* const units = scratch_for<int64_t>(Slot::caller2, taps);
    int64_t* next = units;
    each_tap([&](int64_t kh, int64_t kw, int64_t plane)
                 INLINE_LAMBDA { *next++ = d.row_at(kh) + d.column_at(kw) + plane * d.plane; });
    const int64_t strips_h = ceil_div(d.h.positions, d.rows), strips_w = ceil_div(d.w.positions, d.columns);
    const int64_t chunks = ceil_div(map.blocks(), chunk);
    const double flops =
        2.0 * double(d.h.positions * d.w.positions * taps * map.targets) / double(strips_h * strips_w * chunks);
    parallel_for(batch * strips_h * strips_w * chunks, flops / 50, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      T* const strip = scratch_for<T>(Slot::worker, d.strip_size());
      for (int64_t task = begin; task < end; ++task) {
        const int64_t column = task % strips_w, rest = task / strips_w, row = rest % strips_h, piece = rest / strips_h;
        run(piece / chunks, piece % chunks * chunk, row * d.rows, column * d.columns, packed, units, strip);
      }
      if (past_caches) stream_fence();
    });
  }
};

/// to[t] += sum over the chain's pixels of x[pixel + at[t]] * dy[pixel], one chain of FMAs a tap.
template <class T, int N>
void kernel_tile(const Chain& c, const T* x, int64_t x_image, int64_t x_row, const int64_t* at, const T* dy,
                 int64_t dy_image, int64_t dy_row, int64_t dy_pixel, T* to, int64_t to_pitch, int64_t exist) {
  V<T> acc[N];
  int64_t offset[N];
#pragma GCC unroll 16
  for (int t = 0; t < N; ++t) {
    acc[t] = zero<T>();
    offset[t] = at[t];
  }
  const Mask<T> mask = first<T>(exist);
  for (int64_t n = 0; n < c.images; ++n)
    for (int64_t j = 0; j < c.rows; ++j) {
      const T* p = x + n * x_image + j * x_row;
      const T* q = dy + n * dy_image + j * dy_row;
      for (int64_t i = c.columns; i > 0; --i, p += BLOCK, q += dy_pixel) {
        prefetch_far(q + dy_row);
        const V<T> d = load(q, mask);
#pragma GCC unroll 16
        for (int t = 0; t < N; ++t) acc[t] = fma(load(p + offset[t]), d, acc[t]);
      }
    }
#pragma GCC unroll 16
  for (int t = 0; t < N; ++t) {
    T* const p = to + t * to_pitch;
    store(p, load(p, mask) + acc[t], mask);
  }
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void narrow_forward(const Conv2D& s, const T* x, const T* w, const T* bias, Activation activation, T* y) {
  if (depthwise<Target>(s, false, x, w, bias, activation == Activation::relu, y)) return;
  NarrowJob<T> job{};
  job.d.h = forward_view(s.h);
  job.d.w = forward_view(s.w);
  job.d.source_pitch = s.channels;
  job.map = {s.filters, s.filters / s.groups, s.channels / s.groups, s.channels / s.groups};
  job.batch = s.batch;
  job.source = x;
  job.bias = bias;
  job.relu = activation == Activation::relu;
  job.target = y;
  job.run_all(s, w);
}

template <class Target, class T>
void narrow_backward_input(const Conv2D& s, const T* dy, const T* w, const T* bias, Activation activation, T* dx) {
  if (depthwise<Target>(s, true, dy, w, bias, activation == Activation::relu, dx)) return;
  NarrowJob<T> job{};
  job.d.h = backward_view(s.h);
  job.d.w = backward_view(s.w);
  job.d.source_pitch = s.filters;
  job.map = {s.channels, s.channels / s.groups, s.filters / s.groups, s.filters / s.groups};
  job.batch = s.batch;
  job.source = dy;
  job.bias = bias;
  job.relu = activation == Activation::relu;
  job.target = dx;
  job.run_all(s, w);
}

template <class Target, class T>
void narrow_backward_kernel(const Conv2D& s, const T* x, const T* dy, T* dw) {
  const LaneMap map{s.filters, s.filters / s.groups, s.channels / s.groups, s.channels / s.groups};
  Gather d{};
  d.h = forward_view(s.h);
  d.w = forward_view(s.w);
  d.source_pitch = s.channels;
  const Chains chains(s.batch, d.h.target, d.w.target);
  d.layout(chains.rows, chains.columns, map.planes);
  const int64_t block_bytes = chains.images * d.strip_size() * int64_t(sizeof(T));
  const int64_t chunk = min_of(map.blocks(), max_of(map.planes == 1 ? 2 : 1, STRIP_BYTES / block_bytes));
  d.layout(chains.rows, chains.columns, map.planes * chunk);
  const int64_t taps = s.h.kernel * s.w.kernel * map.planes, size = taps * s.filters, K = s.filters;
  const int64_t places = s.h.kernel * s.w.kernel;
  int64_t* const at = scratch_for<int64_t>(Slot::caller2, places);
  for (int64_t t = 0; t < places; ++t) at[t] = d.row_at(t / s.w.kernel) + d.column_at(t % s.w.kernel);
  const int64_t tiles = ceil_div(places, TAPS<T>);
  const Whole<T>* const table = make_table<T>(map);
  const auto run_chunk = [&](const Chain& c, int64_t block0, int64_t blocks, T* strip, T* to) INLINE_LAMBDA {
    for (int64_t n = 0; n < c.images; ++n)
      pack_lanes_strip(d, map, table, x + (c.image + n) * d.h.source * d.w.source * d.source_pitch, c.row, c.rows,
                       c.column, c.columns, block0, strip + n * d.strip_size());
    const T* const from = dy + ((c.image * d.h.target + c.row) * d.w.target + c.column) * K;
    for (int64_t b = 0; b < blocks; ++b)
      each_block_vector<T>(map.depth(block0 + b), [&](int64_t l, int64_t exist) INLINE_LAMBDA {
        const int64_t k = (block0 + b) * BLOCK + l;
        // Plane by plane: neighbouring taps read the same lines.
        for (int64_t task = 0; task < map.planes * tiles; ++task) {
          const int64_t plane = task / tiles, i = task % tiles;
          const int64_t t0 = places * i / tiles, t1 = places * (i + 1) / tiles;
          with_constant<TAPS<T>>(int(t1 - t0), [&](auto N) INLINE_LAMBDA {
            kernel_tile<T, N>(c, strip + (b * map.planes + plane) * d.plane + l, d.strip_size(), d.row_size, at + t0,
                              from + k, d.h.target * d.w.target * K, d.w.target * K, K,
                              to + (t0 * map.planes + plane) * K + k, map.planes * K, exist);
          });
        }
      });
  };
  const auto run = [&](int64_t chain0, int64_t chain1, int64_t block0, int64_t block1, T* to) INLINE_LAMBDA {
    T* const strip = scratch_for<T>(Slot::worker, chains.images * d.strip_size());
    for (int64_t block = block0; block < block1; block += chunk)
      for (int64_t chain = chain0; chain < chain1; ++chain)
        run_chunk(chains[chain], block, min_of(chunk, block1 - block), strip, to);
  };
  sum_chains(chains.count(), size, map.blocks(), 2.0 * double(chains.pixels() * size) / 50, run, dw);
}

template void narrow_forward<Target>(const Conv2D&, const float*, const float*, const float*, Activation, float*);
template void narrow_backward_input<Target>(const Conv2D&, const float*, const float*, const float*, Activation,
                                            float*);
template void narrow_backward_kernel<Target>(const Conv2D&, const float*, const float*, float*);
DOUBLE template void narrow_forward<Target>(const Conv2D&, const double*, const double*, const double*, Activation,
                                            double*);
DOUBLE template void narrow_backward_input<Target>(const Conv2D&, const double*, const double*, const double*,
                                                   Activation, double*);
DOUBLE template void narrow_backward_kernel<Target>(const Conv2D&, const double*, const double*, double*);

}  // namespace lamina
