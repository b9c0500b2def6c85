// Direct convolution, backward to the kernel, over the strips of support/gather.h.
//
// The sum over pixels is cut into chains: some whole images where these are small, else some rows of one image, else
// part of a row; never more than CHAIN pixels. Chains are added in order. Small kernels add PART chains to a part, and
// the parts in order, so that threads can share them out; large ones share out the kernel itself. All this follows from
// the shape without N.
#include "cpu/support/chains.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr int TILE = REGISTERS == 32 ? 9 : 6;  // source channels, or taps, in a register tile; 9: 3 x 3 of them

/// What a tile reads of x: x[image][row][pixel], and there channels one behind the other, or the taps at at[0], at[1],
/// ...
template <class T>
struct Source {
  const T* x;
  int64_t image, row, pixel;  // steps
  const int64_t* at;          // or null
};

/// to[m][..] += sum over the chain's pixels of x[pixel][m] * dy[pixel][..], one chain of FMAs each.
template <class T, int M, int NV, bool TAPS>
void kernel_tile(const Chain& c, const Source<T>& x, const T* dy, T* to, int64_t to_pitch, int64_t count) {
  constexpr int L = lanes<T>;
  // Loops with pragmas: as lambdas they would take twice as long to compile.
  V<T> acc[M][NV];
  int64_t at[M];
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
    at[m] = TAPS ? x.at[m] : int64_t(m);
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) acc[m][v] = zero<T>();
  }
  const int64_t step = TAPS ? x.pixel : BLOCK;
  for (int64_t n = 0; n < c.images; ++n)
    for (int64_t j = 0; j < c.rows; ++j) {
      const T* p = x.x + n * x.image + j * x.row;
      for (int64_t i = c.columns; i > 0; --i, p += step, dy += NV * L) {
        V<T> d[NV];
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) d[v] = load(dy + v * L);
#pragma GCC unroll 16
        for (int m = 0; m < M; ++m) {
          const V<T> s = set(p[at[m]]);
#pragma GCC unroll 2
          for (int v = 0; v < NV; ++v) acc[m][v] = fma(s, d[v], acc[m][v]);
        }
      }
    }
  if (count == NV * L) {
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 2
      for (int v = 0; v < NV; ++v) {
        T* const to_v = to + m * to_pitch + v * L;
        store(to_v, load(to_v) + acc[m][v]);
      }
  } else {
    alignas(64) T sums[M * NV * L];
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 2
      for (int v = 0; v < NV; ++v) store(sums + (m * NV + v) * L, acc[m][v]);
    for (int m = 0; m < M; ++m)
      for (int64_t k = 0; k < count; ++k) to[m * to_pitch + k] = to[m * to_pitch + k] + sums[m * NV * L + k];
  }
}

template <class T>
struct KernelJob {
  static constexpr int64_t WIDE = 2 * lanes<T>;
  Gather d;
  View depth;  // the third axis: images of two dimensions, one behind the other
  Chains chains;
  int64_t groups, channels, filters;  // of one group
  const T *x, *dy;
  // Few channels: strips are padded rows, and every tap is read where it lies in them.
  bool folded;
  int64_t* at;  // where: slice by slice, kernel row, kernel column, channel

  int64_t taps() const { return d.slices * d.h.kernel * d.w.kernel * channels; }
  int64_t padded_rows() const { return (chains.rows - 1) * d.h.stride + d.h.span; }  // of one slice
  int64_t image_size() const { return folded ? d.slices * padded_rows() * padded_row(d) : d.strip_size(); }

  int64_t panels() const { return ceil_div(filters, WIDE); }
  int64_t width(int64_t panel) const { return filters - panel * WIDE > lanes<T> ? WIDE : lanes<T>; }
  int64_t padded() const { return round_up(filters, lanes<T>); }
  int64_t blocks() const { return folded ? 1 : d.blocks; }
  int64_t tasks() const { return groups * blocks() * panels(); }
  /// Whether dy already lies as pack_dy would write it.
  bool in_place(const Chain& c) const {
    return groups == 1 && filters == width(0) && c.columns == d.w.target && (c.images == 1 || c.rows == d.h.target);
  }

  /// to[panel][pixel][filter of the panel] from dy, for panels [panel0, panel1).
  void pack_dy(const Chain& c, const T* from, int64_t panel0, int64_t panel1, T* to) const {
    const int64_t K = filters * groups, L = lanes<T>;
    for (int64_t panel = panel0; panel < panel1; ++panel) {
      const int64_t n = width(panel), count = min_of(n, filters - panel * WIDE);
      T* p = to + panel * WIDE * c.pixels();
      for (int64_t image = 0; image < c.images; ++image)
        for (int64_t j = 0; j < c.rows; ++j) {
          const T* q = from + (image * d.h.target + j) * d.w.target * K + panel * WIDE;
          for (int64_t i = 0; i < c.columns; ++i, p += n, q += K)
            if (count == n) {
              for (int64_t k = 0; k < n; k += L) store(p + k, load(q + k));
            } else {
              for (int64_t k = 0; k < n; k += L) store(p + k, load(q + k, first<T>(count - k)));
            }
        }
    }
  }

  /// Adds chains [chain0, chain1) to the part of dw that tasks [task0, task1) stand for: (group, block, panel).
  void run(int64_t chain0, int64_t chain1, int64_t task0, int64_t task1, T* dw) const {
    T* const strip = scratch_for<T>(Slot::worker, chains.images * image_size());
    T* const packed = scratch_for<T>(Slot::worker2, padded() * chains.pixels());
    const int64_t a_group = blocks() * panels();
    for (int64_t group = task0 / a_group; group * a_group < task1; ++group) {
      const int64_t from = max_of(task0 - group * a_group, 0), to = min_of(task1 - group * a_group, a_group);
      const int64_t block0 = from / panels(), block1 = (to - 1) / panels() + 1;
      const bool one_block = block1 == block0 + 1;
      const int64_t panel0 = one_block ? from % panels() : 0, panel1 = one_block ? (to - 1) % panels() + 1 : panels();
      for (int64_t chain = chain0; chain < chain1; ++chain) {
        const Chain c = chains[chain];
        const int64_t pixel = (c.image * d.h.target + c.row) * d.w.target + c.column;
        const T* const from_dy = dy + pixel * filters * groups + group * filters;
        if (!in_place(c)) pack_dy(c, from_dy, panel0, panel1, packed);
        for (int64_t n = 0; n < c.images; ++n)
          for (int64_t slice = 0; slice < d.slices; ++slice) {
            const int64_t image = c.image + n;  // counted through batch and depth
            const int64_t from_slice = depth.low + image % depth.target * depth.stride + depth.offset(slice);
            const T* const from_x =
                x + group * channels +
                (image / depth.target * depth.source + from_slice) * (d.h.source * d.w.source * d.source_pitch);
            pack_slice(c, from_slice >= 0 && from_slice < depth.source ? from_x : nullptr, block0, block1,
                       strip + n * image_size() + slice * (image_size() / d.slices));
          }
        for (int64_t task = from; task < to; ++task)
          run_task(c, group, task / panels(), task % panels(), strip, in_place(c) ? from_dy : packed, dw);
      }
    }
  }

  /// What a chain sees of one image (null: zeros), one group.
  void pack_slice(const Chain& c, const T* image, int64_t block0, int64_t block1, T* strip) const {
    if (!folded)
      return pack_strip(d, image, c.row, c.rows, c.column, c.columns, block0, block1, strip, static_cast<T*>(nullptr));
    for (int64_t i = 0; i < (c.rows - 1) * d.h.stride + d.h.span; ++i) {
      const int64_t row = d.h.low + c.row * d.h.stride + i;
      const bool inside = image && row >= 0 && row < d.h.source;
      pad_row(d, inside ? image + row * d.w.source * d.source_pitch : nullptr, c.column, c.columns,
              strip + i * padded_row(d));
    }
  }

  void find_taps() {
    int64_t* next = at = scratch_for<int64_t>(Slot::caller2, taps());
    for (int64_t slice = 0; slice < d.slices; ++slice)
      for (int64_t kh = 0; kh < d.h.kernel; ++kh)
        for (int64_t kw = 0; kw < d.w.kernel; ++kw)
          for (int64_t c = 0; c < channels; ++c)
            *next++ = (slice * padded_rows() + d.h.offset(kh)) * padded_row(d) + d.w.offset(kw) * channels + c;
  }

  /// to[m][..] += for m of `depth`, tile by tile.
  template <bool TAPS>
  void run_tiles(const Chain& c, Source<T> s, int64_t depth, int64_t panel, const T* packed, T* to) const {
    const int64_t K = filters * groups, tiles = ceil_div(depth, TILE);
    const int64_t count = min_of(width(panel), filters - panel * WIDE);
    const Source<T> first = s;
    for (int64_t i = 0; i < tiles; ++i) {
      const int64_t m0 = depth * i / tiles, m1 = depth * (i + 1) / tiles;
      if (TAPS)
        s.at = first.at + m0;
      else
        s.x = first.x + m0;
      with_constant<TILE>(int(m1 - m0), [&](auto M) INLINE_LAMBDA {
        if (width(panel) > lanes<T>)
          kernel_tile<T, M, 2, TAPS>(c, s, packed, to + m0 * K, K, count);
        else
          kernel_tile<T, M, 1, TAPS>(c, s, packed, to + m0 * K, K, count);
      });
    }
  }

  void run_task(const Chain& c, int64_t group, int64_t block, int64_t panel, const T* strip, const T* packed,
                T* dw) const {
    const int64_t K = filters * groups;
    const T* const p = packed + panel * WIDE * c.pixels();
    dw += group * filters + panel * WIDE;
    if (folded)
      return run_tiles<true>(c, {strip, image_size(), d.h.stride * padded_row(d), d.w.stride * channels, at}, taps(),
                             panel, p, dw);
    for (int64_t row = 0; row < d.slices * d.h.kernel; ++row)
      for (int64_t kw = 0; kw < d.w.kernel; ++kw) {
        const T* const a =
            strip + row / d.h.kernel * d.slice_size + d.row_at(row % d.h.kernel) + d.column_at(kw) + block * d.plane;
        run_tiles<false>(c, {a, d.strip_size(), d.row_size, BLOCK, nullptr}, d.block_depth(block), panel, p,
                         dw + ((row * d.w.kernel + kw) * channels + block * BLOCK) * K);
      }
  }
};

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void direct_backward_kernel(const Conv2D& s, const T* x, const T* dy, T* dw) {
  KernelJob<T> job{};
  Gather& d = job.d;
  d.h = forward_view(s.h);
  d.w = forward_view(s.w);
  d.slices = s.d.kernel;
  job.depth = forward_view(s.d);
  job.groups = s.groups;
  job.channels = d.channels = s.channels / s.groups;
  job.filters = s.filters / s.groups;
  d.source_pitch = s.channels;
  job.folded = d.channels < 8 && s.w.kernel > 1;
  job.x = x;
  job.dy = dy;
  job.chains = Chains(s.batch * job.depth.target, d.h.target, d.w.target);
  d.layout(job.chains.rows, job.chains.columns);
  if (job.folded) job.find_taps();
  const int64_t size = s.d.kernel * s.h.kernel * s.w.kernel * job.channels * s.filters;
  const double work = 2.0 * double(job.chains.pixels()) * double(size) / 100;  // nanoseconds a chain
  sum_chains(
      job.chains.count(), size, job.tasks(), work,
      [&](int64_t chain0, int64_t chain1, int64_t task0, int64_t task1, T* to)
          INLINE_LAMBDA { job.run(chain0, chain1, task0, task1, to); },
      dw);
}

template void direct_backward_kernel<Target>(const Conv2D&, const float*, const float*, float*);
DOUBLE template void direct_backward_kernel<Target>(const Conv2D&, const double*, const double*, double*);

}  // namespace lamina
