// Direct convolution, forward and backward to the input: an implicit GEMM over strips (support/gather.h).
//
// A register tile is R rows x X positions x NV vectors of targets. Its sums run over units: one tap and one block of up
// to 16 source channels. A chain is UNITS units, so at most CHAIN products; the cuts follow from the shape alone.
#include "cpu/support/elementwise.h"
#include "cpu/support/gather.h"
#include "cpu/support/transpose.h"
#include "ops/gemm.h"

namespace lamina {
namespace LAMINA_ISA {

/// Positions in a register tile. float64 is for checks: fewer instances compile faster.
template <class T>
constexpr int TILE = (REGISTERS == 32 ? 14 : 6) - (sizeof(T) == 8 ? 2 * (REGISTERS / 16) : 0);
constexpr int64_t UNITS = CHAIN / BLOCK;
constexpr int64_t L1_BYTES = 16 << 10;

struct Unit {
  int64_t at, depth;  // where the tap's block lies in the strip, and how many of its channels count
};

template <class T>
struct Output {
  T* y;
  int64_t pixel, row;  // steps to the next position and to the next row of positions
  int64_t count;       // filters that exist, at most the tile's
  const T* bias;       // or null
  bool relu, past_caches;
};

/// A tile whose filters do not fill its vectors, from memory.
template <class T>
void store_partial(const Output<T>& o, const T* sums, int rows, int columns, int width) {
  for (int r = 0; r < rows; ++r)
    for (int x = 0; x < columns; ++x, sums += width)
      each_vector<T>(o.count, [&](int64_t k, auto mask) INLINE_LAMBDA {
        V<T> v = load(sums + k);
        if (o.bias) v = v + load(o.bias + k, mask);
        if (o.relu) v = max(zero<T>(), v);
        store(o.y + r * o.row + x * o.pixel + k, v, mask);
      });
}

template <class T, int R, int X, int NV>
void tile(const Unit* unit, int64_t units, const T* a, int64_t a_row, const T* b, const Output<T>& o) {
  constexpr int M = R * X, L = lanes<T>;
  V<T> acc[M][NV];
  alignas(64) T total[M * NV * L];
  const auto each = [](auto f) INLINE_LAMBDA {
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 2
      for (int v = 0; v < NV; ++v) f(m, v);
  };
  each([&](int m, int v) INLINE_LAMBDA { acc[m][v] = zero<T>(); });
  for (int64_t i = 0;;) {
    const int64_t begin = i, stop = min_of(units, i + UNITS);
    for (; i < stop; ++i) {
      const T* p = a + unit[i].at;
      const T* q = p + a_row;
      for (int64_t c = unit[i].depth; c > 0; --c, ++p, ++q, b += NV * L) {
        V<T> w[NV];
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) w[v] = load(b + v * L);
#pragma GCC unroll 16
        for (int m = 0; m < M; ++m) {
          const T* const row = m < X ? p : q;  // apart from the index: gcc 12's sanitizer confuses them
          const V<T> s = set(row[m % X * BLOCK]);
#pragma GCC unroll 2
          for (int v = 0; v < NV; ++v) acc[m][v] = fma(s, w[v], acc[m][v]);
        }
      }
    }
    if (begin > 0) each([&](int m, int v) INLINE_LAMBDA { acc[m][v] = load(total + (m * NV + v) * L) + acc[m][v]; });
    if (i == units) break;
    each([&](int m, int v) INLINE_LAMBDA {
      store(total + (m * NV + v) * L, acc[m][v]);
      acc[m][v] = zero<T>();
    });
  }
  if (o.count < NV * L) {
    each([&](int m, int v) INLINE_LAMBDA { store(total + (m * NV + v) * L, acc[m][v]); });
    return store_partial(o, total, R, X, NV * L);
  }
  if (o.bias) {
    V<T> bias[NV];
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) bias[v] = load(o.bias + v * L);
    each([&](int m, int v) INLINE_LAMBDA { acc[m][v] = acc[m][v] + bias[v]; });
  }
  if (o.relu) each([&](int m, int v) INLINE_LAMBDA { acc[m][v] = max(zero<T>(), acc[m][v]); });
  if (sizeof(V<T>) == 64 && o.past_caches)
    each([&](int m, int v) INLINE_LAMBDA { stream(o.y + m / X * o.row + m % X * o.pixel + v * L, acc[m][v]); });
  else
    each([&](int m, int v) INLINE_LAMBDA { store(o.y + m / X * o.row + m % X * o.pixel + v * L, acc[m][v]); });
}

/// The weights of every group and phase as packed[group][phase][panel][kd][kh][kw][source channel][filter of the
/// panel].
template <class T>
struct Weights {
  static constexpr int64_t WIDE = 2 * lanes<T>;
  int64_t groups, kernel_h, kernel_w, channels, filters;  // channels and filters of one group, in gather's sense
  int64_t slices = 1, first_slice = 0, slice_step = 1;    // taps of the third axis that take part

  int64_t panels() const { return ceil_div(filters, WIDE); }
  int64_t width(int64_t panel) const { return filters - panel * WIDE > lanes<T> ? WIDE : lanes<T>; }
  int64_t padded() const { return round_up(filters, lanes<T>); }
  int64_t group_size() const { return padded() * slices * kernel_h * kernel_w * channels; }

  /// w (KD, KH, KW, C/G, K); transposed: source channels are the k of a group, filters its c.
  void pack(const View& h, const View& v, const T* w, bool transposed, T* packed) const {
    const int64_t K = (transposed ? channels : filters) * groups, inner = transposed ? filters : channels;
    const int64_t tasks = groups * panels() * slices * kernel_h * kernel_w;
    parallel_for(tasks, 0.5 * double(channels * WIDE), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t kw = task % kernel_w, kh = task / kernel_w % kernel_h, rest = task / (kernel_w * kernel_h);
        const int64_t slice = rest % slices, panel = rest / slices % panels(), group = rest / slices / panels();
        const int64_t n = width(panel), k0 = panel * WIDE;
        const int64_t ph = kh % (h.backward ? h.phases : 1), pw = kw % (v.backward ? v.phases : 1);
        const int64_t taps_w = v.taps(pw);
        // What stands before: whole phases, panels of this phase, taps of this panel.
        int64_t taps = 0;
        for (int64_t f = 0; f < ph; ++f) taps += h.taps(f) * kernel_w;
        for (int64_t f = 0; f < pw; ++f) taps += h.taps(ph) * v.taps(f);
        const int64_t here = h.taps(ph) * taps_w, tap = slice * here + kh / h.tap_step() * taps_w + kw / v.tap_step();
        T* to = packed + group * group_size() + (slices * (taps * padded() + here * k0) + tap * n) * channels;
        const int64_t count = min_of(n, filters - k0);
        const T* from = w + (((first_slice + slice * slice_step) * kernel_h + kh) * kernel_w + kw) * inner * K;
        if (transposed)
          pack_panel(to, n, count, channels, from + k0 * K + group * channels, K, 1);
        else
          pack_panel(to, n, count, channels, from + group * filters + k0, 1, K);
      }
    });
  }
};

template <class T>
struct DirectJob {
  Gather d;
  View depth;               // the third axis: images of two dimensions, one behind the other
  int64_t phase, position;  // the phase along it that is being computed, and the first of its positions
  Weights<T> weights;
  int64_t batch, source_image, target_image, target_pitch;  // values from image to image, from pixel to pixel
  const T* source;
  const T* bias;
  bool relu, past_caches;
  T* target;

  /// One strip of one group of one image, through panels [panel0, panel1). Images are counted through batch and depth.
  void run(int64_t image, int64_t group, int64_t row, int64_t column, int64_t panel0, int64_t panel1, const T* packed,
           const Unit* units, T* strip) const {
    const int64_t rows = min_of(d.rows, d.h.positions - row), columns = min_of(d.columns, d.w.positions - column);
    const int64_t count = depth.end(phase) - position, n = image / count, j = position + image % count;
    for (int64_t i = 0; i < d.slices; ++i) {
      const int64_t slice = depth.low + j * depth.stride + depth.offset(phase + i * depth.tap_step());
      const bool inside = slice >= 0 && slice < depth.source;
      const T* const from = source + (n * depth.source + slice) * source_image + group * d.channels;
      pack_strip(d, inside ? from : nullptr, row, rows, column, columns, 0, d.blocks, strip + i * d.slice_size,
                 strip + d.strip_size());
    }
    T* const out = target + (n * depth.target + depth.at(j, phase)) * target_image + group * weights.filters;
    const int64_t k0 = panel0 * Weights<T>::WIDE, k1 = min_of(weights.filters, panel1 * Weights<T>::WIDE);
    fill_uncovered(d, row, rows, column, columns, k1 - k0, target_pitch,
                   bias ? bias + group * weights.filters + k0 : nullptr, relu, out + k0);
    packed += group * weights.group_size();
    for (int64_t ph = 0; ph < d.h.phases; ++ph)
      for (int64_t pw = 0; pw < d.w.phases; ++pw) {
        const int64_t taps = d.slices * d.h.taps(ph) * (d.fold ? 1 : d.w.taps(pw));
        run_phase(ph, pw, row, rows, column, columns, panel0, panel1, packed,
                  bias ? bias + group * weights.filters : nullptr, units, taps * d.blocks, strip, out);
        packed += d.slices * d.h.taps(ph) * d.w.taps(pw) * weights.channels * weights.padded();
        units += taps * d.blocks;
      }
  }

  /// Short rows: a tile takes two.
  static bool pairs(int64_t width) { return width > TILE<T> / 4 && width <= TILE<T> / 2; }

  void run_phase(int64_t ph, int64_t pw, int64_t row, int64_t rows, int64_t column, int64_t columns, int64_t panel0,
                 int64_t panel1, const T* packed, const T* group_bias, const Unit* unit, int64_t units, const T* strip,
                 T* out) const {
    constexpr int L = lanes<T>;
    const int64_t row0 = max_of(row, d.h.begin(ph)), row1 = min_of(row + rows, d.h.end(ph));
    const int64_t column0 = max_of(column, d.w.begin(pw)), column1 = min_of(column + columns, d.w.end(pw));
    const int64_t width = column1 - column0;
    if (row0 >= row1 || width <= 0) return;
    const int64_t tiles = ceil_div(width, TILE<T>), pair = pairs(width) ? 2 : 1;
    const int64_t products = d.slices * d.h.taps(ph) * d.w.taps(pw) * weights.channels;
    Output<T> o;
    o.pixel = d.w.step * target_pitch;
    o.row = d.h.step * d.w.target * target_pitch;
    o.relu = relu;
    o.past_caches = past_caches;
    // Few weights stay in L1: a pixel's filters are then written together.
    const int64_t together = products * weights.padded() * int64_t(sizeof(T)) <= L1_BYTES ? panel1 - panel0 : 1;
    for (int64_t panel = panel0; panel < panel1; panel += together)
      for (int64_t j = row0; j < row1; j += pair)
        for (int64_t i = 0; i < tiles * together; ++i) {
          const int64_t here = panel + i % together, k = here * Weights<T>::WIDE, t = i / together;
          const int64_t from = column0 + width * t / tiles, count = column0 + width * (t + 1) / tiles - from;
          const T* const a = strip + (j - row) * d.row_size + (from - column) * BLOCK;
          const T* const b = packed + k * products;
          o.count = min_of(weights.width(here), weights.filters - k);
          o.bias = group_bias ? group_bias + k : nullptr;
          o.y = out + (d.h.at(j, ph) * d.w.target + d.w.at(from, pw)) * target_pitch + k;
          const auto call = [&]<int NV>(Int<NV>) INLINE_LAMBDA {
            if (pair == 2 && j + 1 < row1)
              with_constant<TILE<T> / 2 - TILE<T> / 4>(int(count) - TILE<T> / 4, [&](auto X) INLINE_LAMBDA {
                tile<T, 2, TILE<T> / 4 + X, NV>(unit, units, a, d.row_size, b, o);
              });
            else
              with_constant<TILE<T>>(int(count),
                                     [&](auto X) INLINE_LAMBDA { tile<T, 1, X, NV>(unit, units, a, 0, b, o); });
          };
          weights.width(here) > L ? call(Int<2>{}) : call(Int<1>{});
        }
  }

  void run_all(const T* w, bool transposed) {
    for (phase = 0; phase < depth.phases; ++phase) {
      position = depth.begin(phase);
      weights.slices = d.slices = depth.taps(phase);
      weights.first_slice = phase;
      weights.slice_step = depth.tap_step();
      if (position < depth.end(phase)) run_phases(w, transposed);
    }
    if (depth.phases < depth.step) fill_uncovered_slices();
  }

  /// Target slices that no window covers.
  void fill_uncovered_slices() const {
    const int64_t slices = batch * depth.target, pixels = d.h.target * d.w.target;
    parallel_for(slices, double(target_image) * 0.1, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t place = i % depth.target - depth.first;
        bool covered = false;
        for (int64_t f = 0; f < depth.phases; ++f) covered |= (place - f * depth.dilation) % depth.step == 0;
        for (int64_t p = 0; !covered && p < pixels; ++p)
          each_vector<T>(target_pitch, [&](int64_t k, auto mask) INLINE_LAMBDA {
            const V<T> b = bias ? load(bias + k, mask) : zero<T>();
            store(target + i * target_image + p * target_pitch + k, relu ? max(zero<T>(), b) : b, mask);
          });
      }
    });
  }

  void run_phases(const T* w, bool transposed) {
    const int64_t images = batch * (depth.end(phase) - position);
    past_caches = sizeof(V<T>) == 64 && weights.filters % lanes<T> == 0 &&
                  stream_rows(target, batch * target_image / target_pitch * depth.target, target_pitch);
    choose_strips<T>(d, images * weights.groups, pairs(d.w.positions) ? 2 : 1, 192 << 10);
    T* const packed = scratch_for<T>(Slot::caller, weights.groups * weights.group_size());
    weights.pack(d.h, d.w, w, transposed, packed);
    Unit* const units = scratch_for<Unit>(Slot::caller2, d.slices * d.h.kernel * d.w.kernel * d.blocks);
    Unit* next = units;
    for (int64_t ph = 0; ph < d.h.phases; ++ph)
      for (int64_t pw = 0; pw < d.w.phases; ++pw)
        for (int64_t slice = 0; slice < d.slices; ++slice)
          for (int64_t kh = ph; kh < d.h.kernel; kh += d.h.tap_step())
            for (int64_t kw = pw; kw < (d.fold ? 1 : d.w.kernel); kw += d.w.tap_step())
              for (int64_t block = 0; block < d.blocks; ++block)
                *next++ = {slice * d.slice_size + d.row_at(kh) + (d.fold ? 0 : d.column_at(kw)) + block * d.plane,
                           d.block_depth(block)};

    const int64_t strips_h = ceil_div(d.h.positions, d.rows), strips_w = ceil_div(d.w.positions, d.columns);
    const int64_t strips = images * weights.groups * strips_h * strips_w, panels = weights.panels();
    const int64_t parts = strips < num_threads() ? min_of(panels, ceil_div(2 * num_threads(), max_of(1, strips))) : 1;
    const double flops = 2.0 * double(d.h.positions * d.w.positions * d.h.kernel * d.w.kernel * d.slices) *
                         double(weights.channels * weights.filters) / double(strips_h * strips_w * parts);
    parallel_for(strips * parts, flops / 100, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      T* const strip = scratch_for<T>(Slot::worker, d.strip_size() + padded_row_size(d));
      for (int64_t task = begin; task < end; ++task) {
        const int64_t part = task % parts, piece = task / parts, column = piece % strips_w, rest = piece / strips_w;
        const int64_t row = rest % strips_h, group = rest / strips_h % weights.groups,
                      image = rest / strips_h / weights.groups;
        run(image, group, row * d.rows, column * d.columns, panels * part / parts, panels * (part + 1) / parts, packed,
            units, strip);
      }
      if (past_caches) stream_fence();
    });
  }
};

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void direct_forward(const Conv2D& s, const T* x, const T* w, const T* bias, Activation activation, T* y) {
  const int64_t C = s.channels / s.groups;
  DirectJob<T> job{};
  job.d.h = forward_view(s.h);
  job.d.w = forward_view(s.w);
  job.depth = forward_view(s.d);
  job.d.channels = C;
  job.d.source_pitch = s.channels;
  job.d.fold = C < 8 && s.w.kernel > 1;
  job.weights = {s.groups, s.h.kernel, s.w.kernel, C, s.filters / s.groups};
  job.batch = s.batch;
  job.source_image = s.h.input * s.w.input * s.channels;
  job.target_pitch = s.filters;
  job.target_image = job.d.h.target * job.d.w.target * s.filters;
  job.source = x;
  job.bias = bias;
  job.relu = activation == Activation::relu;
  job.target = y;
  job.run_all(w, false);
}

template <class Target, class T>
void direct_backward_input(const Conv2D& s, const T* dy, const T* w, const T* bias, Activation activation, T* dx) {
  const int64_t K = s.filters / s.groups;
  DirectJob<T> job{};
  job.d.h = backward_view(s.h);
  job.d.w = backward_view(s.w);
  job.depth = backward_view(s.d);
  job.d.channels = K;
  job.d.source_pitch = s.filters;
  job.weights = {s.groups, s.h.kernel, s.w.kernel, K, s.channels / s.groups};
  job.batch = s.batch;
  job.source_image = job.d.h.source * job.d.w.source * s.filters;
  job.target_pitch = s.channels;
  job.target_image = s.h.input * s.w.input * s.channels;
  job.source = dy;
  job.bias = bias;
  job.relu = activation == Activation::relu;
  job.target = dx;
  job.run_all(w, true);
}

template void direct_forward<Target>(const Conv2D&, const float*, const float*, const float*, Activation, float*);
template void direct_backward_input<Target>(const Conv2D&, const float*, const float*, const float*, Activation,
                                            float*);
DOUBLE template void direct_forward<Target>(const Conv2D&, const double*, const double*, const double*, Activation,
                                            double*);
DOUBLE template void direct_backward_input<Target>(const Conv2D&, const double*, const double*, const double*,
                                                   Activation, double*);

}  // namespace lamina
