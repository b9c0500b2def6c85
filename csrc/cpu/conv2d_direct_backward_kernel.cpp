// Direct convolution, backward to the kernel, over the strips of support/gather.h.
//
// The sum over pixels is cut into chains: some whole images where these are small, else some rows of one image, else
// part of a row; never more than CHAIN pixels. Chains are added in order. Small kernels add PART chains to a part, and
// the parts in order, so that threads can share them out; large ones share out the kernel itself. All this follows from
// the shape without N.
#include "cpu/support/chains.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr int TILE = REGISTERS == 32 ? 8 : 6;  // source channels in a register tile

/// to[m][..] += sum over the chain's pixels of x[pixel][m] * dy[pixel][..], one chain of FMAs each.
template <class T, int M, int NV>
void kernel_tile(const Chain& c, const T* x, int64_t x_image, int64_t x_row, const T* dy, T* to, int64_t to_pitch,
                 int64_t count) {
  constexpr int L = lanes<T>;
  V<T> acc[M][NV];
  unroll<M>([&](auto m) INLINE_LAMBDA { unroll<NV>([&](auto v) INLINE_LAMBDA { acc[m][v] = zero<T>(); }); });
  for (int64_t n = 0; n < c.images; ++n)
    for (int64_t j = 0; j < c.rows; ++j) {
      const T* p = x + n * x_image + j * x_row;
      for (int64_t i = c.columns; i > 0; --i, p += BLOCK, dy += NV * L) {
        V<T> d[NV];
        unroll<NV>([&](auto v) INLINE_LAMBDA { d[v] = load(dy + v * L); });
        unroll<M>([&](auto m) INLINE_LAMBDA {
          const V<T> s = set(p[m]);
          unroll<NV>([&](auto v) INLINE_LAMBDA { acc[m][v] = fma(s, d[v], acc[m][v]); });
        });
      }
    }
  if (count == NV * L) {
    unroll<M>([&](auto m) INLINE_LAMBDA {
      unroll<NV>([&](auto v) INLINE_LAMBDA {
        T* const p = to + m * to_pitch + v * L;
        store(p, load(p) + acc[m][v]);
      });
    });
  } else {
    alignas(64) T sums[M * NV * L];
    unroll<M>([&](auto m) INLINE_LAMBDA {
      unroll<NV>([&](auto v) INLINE_LAMBDA { store(sums + (m * NV + v) * L, acc[m][v]); });
    });
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

  int64_t panels() const { return ceil_div(filters, WIDE); }
  int64_t width(int64_t panel) const { return filters - panel * WIDE > lanes<T> ? WIDE : lanes<T>; }
  int64_t padded() const { return round_up(filters, lanes<T>); }
  int64_t tasks() const { return groups * d.blocks * panels(); }
  int64_t strip_size() const { return chains.images * d.strip_size() + padded_row_size(d); }

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
    T* const strip = scratch_for<T>(Slot::worker, strip_size());
    T* const packed = scratch_for<T>(Slot::worker2, padded() * chains.pixels());
    const int64_t a_group = d.blocks * panels();
    for (int64_t group = task0 / a_group; group * a_group < task1; ++group) {
      const int64_t from = max_of(task0 - group * a_group, 0), to = min_of(task1 - group * a_group, a_group);
      const int64_t block0 = from / panels(), block1 = (to - 1) / panels() + 1;
      const bool one_block = block1 == block0 + 1;
      const int64_t panel0 = one_block ? from % panels() : 0, panel1 = one_block ? (to - 1) % panels() + 1 : panels();
      for (int64_t chain = chain0; chain < chain1; ++chain) {
        const Chain c = chains[chain];
        const int64_t pixel = (c.image * d.h.target + c.row) * d.w.target + c.column;
        pack_dy(c, dy + pixel * filters * groups + group * filters, panel0, panel1, packed);
        for (int64_t n = 0; n < c.images; ++n)
          for (int64_t slice = 0; slice < d.slices; ++slice) {
            const int64_t image = c.image + n;  // counted through batch and depth
            const int64_t from_slice = depth.low + image % depth.target * depth.stride + depth.offset(slice);
            const T* const from_x =
                x + group * channels +
                (image / depth.target * depth.source + from_slice) * (d.h.source * d.w.source * d.source_pitch);
            pack_strip(d, from_slice >= 0 && from_slice < depth.source ? from_x : nullptr, c.row, c.rows, c.column,
                       c.columns, block0, block1, strip + n * d.strip_size() + slice * d.slice_size,
                       strip + chains.images * d.strip_size());
          }
        for (int64_t task = from; task < to; ++task)
          run_task(c, group, task / panels(), task % panels(), strip, packed, dw);
      }
    }
  }

  void run_task(const Chain& c, int64_t group, int64_t block, int64_t panel, const T* strip, const T* packed,
                T* dw) const {
    const int64_t K = filters * groups, depth = d.block_depth(block), taps_w = d.fold ? 1 : d.w.kernel;
    const int64_t count = min_of(width(panel), filters - panel * WIDE);
    const int64_t tiles = ceil_div(depth, TILE);
    const T* const p = packed + panel * WIDE * c.pixels();
    for (int64_t row = 0; row < d.slices * d.h.kernel; ++row)
      for (int64_t kw = 0; kw < taps_w; ++kw) {
        const T* const a = strip + row / d.h.kernel * d.slice_size + d.row_at(row % d.h.kernel) +
                           (d.fold ? 0 : d.column_at(kw)) + block * d.plane;
        T* const to = dw + ((row * taps_w + kw) * d.depth() + block * BLOCK) * K + group * filters + panel * WIDE;
        for (int64_t i = 0; i < tiles; ++i) {
          const int64_t m0 = depth * i / tiles, m1 = depth * (i + 1) / tiles;
          with_constant<TILE>(int(m1 - m0), [&](auto M) INLINE_LAMBDA {
            if (width(panel) > lanes<T>)
              kernel_tile<T, M, 2>(c, a + m0, d.strip_size(), d.row_size, p, to + m0 * K, K, count);
            else
              kernel_tile<T, M, 1>(c, a + m0, d.strip_size(), d.row_size, p, to + m0 * K, K, count);
          });
        }
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
  d.fold = d.channels < 8 && s.w.kernel > 1;
  job.x = x;
  job.dy = dy;
  job.chains = Chains(s.batch * job.depth.target, d.h.target, d.w.target);
  d.layout(job.chains.rows, job.chains.columns);
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
