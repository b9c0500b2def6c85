// Strips whose lanes are target channels, for convolution in narrow groups (conv2d_narrow.cpp).
//
// A target channel is a sum over taps and over the source channels of its group. The strips of gather.h hold the source
// once for each of these ("planes"), permuted, so that lane l of plane p is what target channel l meets:
//     source channel (k / target channels of a group) * source channels of a group + p,   k the target channel
// A multiply-add is then one load and one instruction for all groups. Depthwise: one plane, and nothing to permute.
#pragma once
#include "cpu/support/gather.h"

namespace lamina::LAMINA_ISA {

/// Which source channel lane k of plane p holds: k / repeat * skip + p.
struct LaneMap {
  int64_t targets, repeat, skip, planes;  // targets: channels of the target

  int64_t blocks() const { return ceil_div(targets, BLOCK); }
  int64_t depth(int64_t block) const { return min_of(BLOCK, targets - block * BLOCK); }
  int64_t source(int64_t k, int64_t plane) const { return min_of(k, targets - 1) / repeat * skip + plane; }
  bool plain() const { return planes == 1 && repeat == 1; }
};

template <class T>
struct WholeOf;
template <>
struct WholeOf<float> {
  using type = int32_t;
};
template <>
struct WholeOf<double> {
  using type = int64_t;
};
template <class T>
using Whole = typename WholeOf<T>::type;

/// Source channels as permutations need them: table[block][plane][lane], from the first one that the lane's vector
/// meets in any plane.
template <class T>
Whole<T>* make_table(const LaneMap& m) {
  if (m.plain()) return nullptr;
  Whole<T>* const table = scratch_for<Whole<T>>(Slot::caller3, m.blocks() * m.planes * BLOCK);
  Whole<T>* next = table;
  for (int64_t block = 0; block < m.blocks(); ++block)
    for (int64_t plane = 0; plane < m.planes; ++plane)
      for (int64_t l = 0; l < BLOCK; ++l) {
        const int64_t k = block * BLOCK + l;
        *next++ = Whole<T>(m.source(k, plane) - m.source(k - l % lanes<T>, 0));
      }
  return table;
}

/// One block of `count` pixels: every plane's permutation of the channels, which are read once.
template <class T>
void permute_row(const LaneMap& m, int64_t block, const Whole<T>* table, const T* from, int64_t step, int64_t pitch,
                 int64_t ahead, int64_t count, T* to, int64_t to_plane) {
  constexpr int L = lanes<T>;
  const auto offsets = [&](int64_t plane, int part) INLINE_LAMBDA {
    I<T> v;
    std::memcpy(&v, table + (block * m.planes + plane) * BLOCK + part, sizeof v);
    return v;
  };
  for (int part = 0; part < BLOCK; part += L) {
    const int64_t k = block * BLOCK + part, start = m.source(k, 0);
    const int64_t pieces = (m.source(k + L - 1, m.planes - 1) - start) / L + 1;
    const Mask<T> exist = first<T>(pitch - start);
    const T* p = from + start;
    T* q = to + part;
    for (int64_t i = 0; i < count; ++i, p += step, q += BLOCK) {
      prefetch_far(p + 2 * ahead);  // one row is too short a time for memory's answer
      const V<T> v = load(p, exist);
      if (pieces == 1) {
        for (int64_t plane = 0; plane < m.planes; ++plane)
          store(q + plane * to_plane, permute(v, offsets(plane, part)));
        continue;
      }
      for (int64_t plane = 0; plane < m.planes; ++plane) {
        const I<T> at = offsets(plane, part);
        V<T> r = permute(v, at & (L - 1));
        for (int64_t j = 1; j < pieces; ++j) {
          const V<T> next = permute(load(p + j * L, first<T>(pitch - start - j * L)), at & (L - 1));
          r = select(equal(at / L, whole<T>(j)), next, r);
        }
        store(q + plane * to_plane, r);
      }
    }
  }
}

template <class T>
INLINE void zero_blocks(T* to, int64_t count) {
  for (int64_t i = 0; i < count * BLOCK; i += lanes<T>) store(to + i, zero<T>());
}

/// One source row (null: outside the image), the blocks of target channels from `block` on that a strip holds.
template <class T>
void pack_lanes(const Gather& d, const LaneMap& m, const Whole<T>* table, const T* source, int64_t column,
                int64_t count, int64_t block, T* to) {
  const View& w = d.w;
  if (!source) return fill_zero(to, d.blocks * d.plane);
  const int64_t width = count + (w.span - 1) / w.stride, chunk = d.blocks / m.planes;
  const int64_t blocks = min_of(chunk, m.blocks() - block), pitch = w.stride * d.source_pitch;
  const int64_t ahead =
      d.h.stride * w.source * d.source_pitch;  // a line or two a pixel: the processor cannot foresee it
  for (int64_t slot = 0; slot < w.slots; ++slot) {
    T* const p = to + slot * d.slot_columns * BLOCK;
    const int64_t origin = w.low + column * w.stride + w.residue(slot);
    const int64_t begin = min_of(width, origin >= 0 ? 0 : ceil_div(-origin, w.stride));
    const int64_t end = max_of(begin, min_of(width, ceil_div(max_of(0, w.source - origin), w.stride)));
    for (int64_t b = 0; b < blocks * m.planes; ++b) {
      zero_blocks(p + b * d.plane, begin);
      zero_blocks(p + b * d.plane + end * BLOCK, width - end);
    }
    const T* from = source + (origin + begin * w.stride) * d.source_pitch;
    if (m.plain()) {
      from += block * BLOCK;
      const int64_t whole = min_of(blocks, m.targets / BLOCK - block);
      for (int64_t i = begin; i < end; ++i, from += pitch) {  // pixel by pixel: as they lie in memory
        for (int64_t b = 0; b < whole; ++b) {
          prefetch_far(from + ahead + b * BLOCK);
          copy_block(from + b * BLOCK, p + b * d.plane + i * BLOCK, BLOCK);
        }
        if (whole < blocks) copy_block(from + whole * BLOCK, p + whole * d.plane + i * BLOCK, m.depth(block + whole));
      }
    } else {
      for (int64_t b = 0; b < blocks; ++b)
        permute_row(m, block + b, table, from, pitch, d.source_pitch, ahead, end - begin,
                    p + b * m.planes * d.plane + begin * BLOCK, d.plane);
    }
  }
}

/// As pack_strip.
template <class T>
void pack_lanes_strip(const Gather& d, const LaneMap& m, const Whole<T>* table, const T* image, int64_t row,
                      int64_t rows, int64_t column, int64_t columns, int64_t block, T* strip) {
  const View& h = d.h;
  for (int64_t slot = 0; slot < h.slots; ++slot)
    for (int64_t i = 0; i < rows + (h.span - 1) / h.stride; ++i) {
      const int64_t source = h.low + (row + i) * h.stride + h.residue(slot);
      const T* from = source >= 0 && source < h.source ? image + source * d.w.source * d.source_pitch : nullptr;
      pack_lanes(d, m, table, from, column, columns, block, strip + (slot * d.slot_rows + i) * d.row_size);
    }
}

}  // namespace lamina::LAMINA_ISA
