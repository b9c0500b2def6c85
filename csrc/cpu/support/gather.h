// How convolutions read images.
//
// Both directions gather: a target pixel is a sum over taps (kernel positions) of source pixels. Forward, the source is
// x and the target y. Backwards, the source is dy and the target dx; with strides the targets fall into phases, each
// with its own taps, and every phase is a convolution of stride 1.
//
// A strip of source rows is copied once into
//     strip[row][channel / 16][column][16]
// with the padding written out, rows and columns sorted by their remainder modulo the stride ("slots"):
//   no border cases, whatever the padding, stride and dilation;
//   neighbouring targets read neighbouring cache lines: constant displacements from one base register;
//   no cache set conflicts when the number of channels is a power of two.
// The copy costs one read and write of the source; an im2col matrix costs kernel height x width as much.
#pragma once
#include "cpu/runtime/isa.h"
#include "cpu/support/parallel.h"
#include "ops/conv2d.h"

namespace lamina::LAMINA_ISA {

constexpr int64_t BLOCK = 16;  // channels in a block of the strip: one cache line of float

/// The position of a sliding window, and its taps, along one axis.
struct View {
  int64_t source, target;  // sizes of the axis
  int64_t kernel, dilation;
  int64_t period;         // taps whose numbers agree modulo period share a slot (forward) or phase (backward)
  int64_t positions;      // j in [0, positions): target(j, phase)
  int64_t stride;         // source steps from j to j + 1
  int64_t low;            // tap k of position j reads source low + j * stride + offset(k)
  int64_t span;           // 0 <= offset < span
  int64_t slots, phases;  // slots of the source, phases of the target that have taps
  int64_t step, first;    // target(j, phase) = first + j * step + (phase * dilation) % step
  bool backward;

  int64_t offset(int64_t k) const { return backward ? span - 1 - k * dilation / step : k * dilation; }
  int64_t slot(int64_t k) const { return backward ? 0 : k % period; }
  int64_t residue(int64_t slot) const { return slot * dilation % stride; }
  /// Tap numbers of a phase: phase, phase + tap_step(), ... below kernel.
  int64_t tap_step() const { return backward ? period : 1; }
  int64_t taps(int64_t phase) const { return ceil_div(kernel - phase, tap_step()); }
  int64_t at(int64_t j, int64_t phase) const { return first + j * step + phase * dilation % step; }
  /// The positions whose target exists.
  int64_t begin(int64_t phase) const { return at(0, phase) >= 0 ? 0 : ceil_div(-at(0, phase), step); }
  int64_t end(int64_t phase) const { return min_of(positions, ceil_div(target - at(0, phase), step)); }
};

INLINE int64_t stride_period(const Axis& a) {
  int64_t x = a.stride, y = a.dilation;
  while (y) {
    const int64_t rest = x % y;
    x = y;
    y = rest;
  }
  return a.stride / x;
}
/// Axis::output, which the linker may share between instruction sets when it is not inlined.
INLINE int64_t output_of(const Axis& a) {
  return (a.input + a.before + a.after - (a.kernel - 1) * a.dilation - 1) / a.stride + 1;
}
inline View forward_view(const Axis& a) {
  const int64_t output = output_of(a), period = stride_period(a);
  return {a.input,
          output,
          a.kernel,
          a.dilation,
          period,
          output,
          a.stride,
          -a.before,
          (a.kernel - 1) * a.dilation + 1,
          min_of(a.kernel, period),
          1,
          1,
          0,
          false};
}
inline View backward_view(const Axis& a) {
  const int64_t reach = (a.kernel - 1) * a.dilation / a.stride, lowest = a.before / a.stride, period = stride_period(a);
  return {output_of(a),
          a.input,
          a.kernel,
          a.dilation,
          period,
          (a.input - 1 + a.before) / a.stride - lowest + 1,
          1,
          lowest - reach,
          reach + 1,
          1,
          min_of(a.kernel, period),
          a.stride,
          lowest * a.stride - a.before,
          true};
}

/// One convolution's source, target and strip. Offsets and pitches count values.
struct Gather {
  View h, w;
  int64_t channels;      // source channels of one group that are packed
  int64_t source_pitch;  // from one source pixel to the next
  bool fold = false;     // few channels: the (kw, c) of one kernel row take the place of the channels
  int64_t slices = 1;    // three dimensions: a strip holds so many images, one for each tap of the third axis

  int64_t rows, columns;                                                 // target positions in a strip
  int64_t blocks, slot_rows, slot_columns, plane, row_size, slice_size;  // filled in by layout()

  int64_t depth() const { return fold ? w.kernel * channels : channels; }  // packed channels
  int64_t block_depth(int64_t block) const { return min_of(BLOCK, depth() - block * BLOCK); }

  void layout(int64_t strip_rows, int64_t strip_columns) {
    layout(strip_rows, strip_columns, ceil_div(depth(), BLOCK));
  }
  void layout(int64_t strip_rows, int64_t strip_columns, int64_t strip_blocks) {
    rows = strip_rows;
    columns = strip_columns;
    blocks = strip_blocks;
    slot_rows = rows + (h.span - 1) / h.stride;
    slot_columns = fold ? columns : columns + (w.span - 1) / w.stride;
    plane = (fold ? 1 : w.slots) * slot_columns * BLOCK;
    row_size = blocks * plane + BLOCK;  // rows not a multiple of 4096 bytes apart
    slice_size = h.slots * slot_rows * row_size;
  }
  int64_t strip_size() const { return slices * slice_size; }
  /// Where tap (kh, kw) of the strip's first position lies.
  int64_t row_at(int64_t kh) const { return (h.slot(kh) * slot_rows + h.offset(kh) / h.stride) * row_size; }
  int64_t column_at(int64_t kw) const { return (w.slot(kw) * slot_columns + w.offset(kw) / w.stride) * BLOCK; }
};

template <class T>
INLINE void fill_zero(T* to, int64_t count) {
  std::memset(to, 0, size_t(count) * sizeof(T));
}

/// Vectors of one pixel's block: all 16 values, or `depth` and zeros.
template <class T>
INLINE void copy_block(const T* from, T* to, int64_t depth) {
  if (depth == BLOCK) {
    unroll<BLOCK / lanes<T>>([&](auto v) INLINE_LAMBDA { store(to + v * lanes<T>, load(from + v * lanes<T>)); });
  } else {
    unroll<BLOCK / lanes<T>>([&](auto v) INLINE_LAMBDA {
      const int64_t rest = depth - v * lanes<T>;
      store(to + v * lanes<T>, rest > 0 ? load(from + v * lanes<T>, first<T>(rest)) : zero<T>());
    });
  }
}

/// One source row (null: outside the image), blocks [block0, block1), positions from `column` on.
template <class T>
void pack_row(const Gather& d, const T* source, int64_t column, int64_t count, int64_t block0, int64_t block1, T* to) {
  const View& w = d.w;
  if (!source) return fill_zero(to + block0 * d.plane, (block1 - block0) * d.plane);
  const int64_t width = count + (w.span - 1) / w.stride;
  for (int64_t block = block0; block < block1; ++block) {
    const int64_t depth = d.block_depth(block), c = block * BLOCK;
    for (int64_t slot = 0; slot < w.slots; ++slot) {
      T* const p = to + block * d.plane + slot * d.slot_columns * BLOCK;
      const int64_t origin = w.low + column * w.stride + w.residue(slot);
      const int64_t begin = min_of(width, origin >= 0 ? 0 : ceil_div(-origin, w.stride));
      const int64_t end = max_of(begin, min_of(width, ceil_div(max_of(0, w.source - origin), w.stride)));
      fill_zero(p, begin * BLOCK);
      fill_zero(p + end * BLOCK, (width - end) * BLOCK);
      const T* from = source + (origin + begin * w.stride) * d.source_pitch;
      const int64_t pitch = w.stride * d.source_pitch;
      const int64_t ahead =
          d.h.stride * w.source * d.source_pitch;  // the next row: a line a pixel, which the processor cannot foresee
      from += c;
      if (depth == BLOCK)
        for (int64_t i = begin; i < end; ++i, from += pitch) {
          prefetch_far(from + ahead);
          copy_block(from, p + i * BLOCK, BLOCK);
        }
      else
        for (int64_t i = begin; i < end; ++i, from += pitch) copy_block(from, p + i * BLOCK, depth);
    }
  }
}

/// Values of memory that pad_row writes: what whole vectors read too much is there.
INLINE int64_t padded_row(const Gather& d) { return ((d.columns - 1) * d.w.stride + d.w.span) * d.channels + BLOCK; }

/// What `count` positions from `column` on see of one source row (null: outside the image), its padding written out.
template <class T>
void pad_row(const Gather& d, const T* source, int64_t column, int64_t count, T* padded) {
  const View& w = d.w;
  const int64_t C = d.channels, width = (count - 1) * w.stride + w.span, origin = w.low + column * w.stride;
  const int64_t begin = source ? min_of(width, max_of(0, -origin)) : width;
  const int64_t end = max_of(begin, min_of(width, w.source - origin));
  fill_zero(padded, begin * C);
  fill_zero(padded + end * C, (width - end) * C + BLOCK);
  if (begin == end) return;
  const T* from = source + (origin + begin) * d.source_pitch;
  if (d.source_pitch == C) {
    std::memcpy(padded + begin * C, from, size_t((end - begin) * C) * sizeof(T));
  } else {
    for (int64_t i = begin; i < end; ++i, from += d.source_pitch)
      for (int64_t c = 0; c < C; ++c) padded[i * C + c] = from[c];
  }
}

/// The same as pack_row for few channels: for each position the (kw, c) of its window, through a padded copy of the
/// row.
template <class T>
void pack_folded_row(const Gather& d, const T* source, int64_t column, int64_t count, T* padded, T* to) {
  const View& w = d.w;
  const int64_t C = d.channels, run = d.depth();
  if (!source) {
    for (int64_t block = 0; block < d.blocks; ++block) fill_zero(to + block * d.plane, count * BLOCK);
    return;
  }
  pad_row(d, source, column, count, padded);
  if (w.dilation == 1) {
    for (int64_t block = 0; block < d.blocks; ++block) {  // whole vectors: what they read too much is never used
      const int64_t vectors = ceil_div(min_of(BLOCK, run - block * BLOCK), lanes<T>);
      T* p = to + block * d.plane;
      const T* q = padded + block * BLOCK;
      for (int64_t i = 0; i < count; ++i, p += BLOCK, q += w.stride * C)
        for (int64_t v = 0; v < vectors; ++v) store(p + v * lanes<T>, load(q + v * lanes<T>));
    }
  } else {
    for (int64_t kw = 0; kw < w.kernel; ++kw)
      for (int64_t c = 0; c < C; ++c) {
        const int64_t lane = kw * C + c;
        T* p = to + lane / BLOCK * d.plane + lane % BLOCK;
        const T* q = padded + kw * w.dilation * C + c;
        for (int64_t i = 0; i < count; ++i) p[i * BLOCK] = q[i * w.stride * C];
      }
  }
}

/// Values of memory that pack_strip needs behind the strip.
inline int64_t padded_row_size(const Gather& d) { return d.fold ? padded_row(d) + BLOCK : 0; }

/// The source of target positions [row, row + rows) x [column, column + columns) of one image (image: its first value
/// of the group, or null: all zeros), blocks [block0, block1). padded: room for a padded row, where channels are
/// folded.
template <class T>
void pack_strip(const Gather& d, const T* image, int64_t row, int64_t rows, int64_t column, int64_t columns,
                int64_t block0, int64_t block1, T* strip, T* padded) {
  const View& h = d.h;
  for (int64_t slot = 0; slot < h.slots; ++slot)
    for (int64_t i = 0; i < rows + (h.span - 1) / h.stride; ++i) {
      const int64_t source = h.low + (row + i) * h.stride + h.residue(slot);
      const T* from =
          image && source >= 0 && source < h.source ? image + source * d.w.source * d.source_pitch : nullptr;
      T* const to = strip + (slot * d.slot_rows + i) * d.row_size;
      if (d.fold)
        pack_folded_row(d, from, column, columns, padded, to);
      else
        pack_row(d, from, column, columns, block0, block1, to);
    }
}

/// Target pixels that no window covers have no phase: the bias (or zero) alone is there, for the positions of a strip.
template <class T>
void fill_uncovered(const Gather& d, int64_t row, int64_t rows, int64_t column, int64_t columns, int64_t filters,
                    int64_t pitch, const T* bias, bool relu, T* target) {
  const View &h = d.h, &w = d.w;
  if (h.phases == h.step && w.phases == w.step) return;
  const int64_t begin = max_of(0, w.first + column * w.step);
  const int64_t end = min_of(w.target, w.first + (column + columns) * w.step);
  for (int64_t r = max_of(0, h.first + row * h.step); r < min_of(h.target, h.first + (row + rows) * h.step); ++r) {
    T* p = target + (r * w.target + begin) * pitch;
    if (bias)
      for (int64_t i = begin; i < end; ++i, p += pitch)
        each_vector<T>(filters, [&](int64_t k, auto mask) INLINE_LAMBDA {
          const V<T> b = load(bias + k, mask);
          store(p + k, relu ? max(zero<T>(), b) : b, mask);
        });
    else if (filters == pitch)
      fill_zero(p, max_of(0, end - begin) * pitch);
    else
      for (int64_t i = begin; i < end; ++i, p += pitch) fill_zero(p, filters);
  }
}

/// Rows of targets in a strip of at most `bytes`, of which a source row takes row_bytes; pieces: strips that there are
/// beside each other.
INLINE int64_t strip_rows(const Gather& d, int64_t row_bytes, int64_t pieces, int64_t multiple, int64_t bytes) {
  const int64_t halo = (d.h.span - 1) / d.h.stride;  // rows that two strips both copy
  const int64_t wanted = 4 * num_threads();
  int64_t rows = max_of(max_of(1, halo), bytes / row_bytes - halo);
  if (pieces < wanted) rows = min_of(rows, max_of(multiple, d.h.positions / ceil_div(wanted, max_of(1, pieces))));
  rows = min_of(rows, d.h.positions);
  return round_up(ceil_div(d.h.positions, ceil_div(d.h.positions, rows)), multiple);
}

/// Strips of at most `bytes`, of equal height, enough of them to keep the threads busy. Only the work is cut here,
/// never a sum. multiple: rows of targets that one tile takes.
template <class T>
inline void choose_strips(Gather& d, int64_t images, int64_t multiple, int64_t bytes) {
  d.layout(1, 1);
  int64_t columns = d.w.positions;
  const int64_t source_rows = d.slices * d.h.slots * (1 + (d.h.span - 1) / d.h.stride);
  const int64_t column_bytes = d.blocks * (d.fold ? 1 : d.w.slots) * BLOCK * int64_t(sizeof(T));
  const int64_t most = max_of(56, 2 * bytes / (source_rows * column_bytes));  // columns: cut only very wide images
  columns = ceil_div(columns, ceil_div(columns, most));
  d.layout(1, columns);
  const int64_t row_bytes = d.slices * d.h.slots * d.row_size * int64_t(sizeof(T));
  d.layout(strip_rows(d, row_bytes, ceil_div(d.w.positions, columns) * images, multiple, bytes), columns);
}

}  // namespace lamina::LAMINA_ISA
