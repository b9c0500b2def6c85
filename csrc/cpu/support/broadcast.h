// Broadcast operands, block by block: for rows too short for a loop of their own, and where arithmetic takes the time.
#pragma once
#include "cpu/support/parallel.h"
#include "support/shape.h"

namespace lamina::LAMINA_ISA {

constexpr int64_t BROADCAST_BLOCK = 256;

/// Where element `first` of a broadcast shape comes from, and the walk from there.
struct BroadcastWalk {
  int64_t at[Broadcast::MOST], a_offset = 0, b_offset = 0, inside;

  INLINE BroadcastWalk(const Broadcast& s, int64_t first) {
    const int last = s.axes - 1;
    int64_t rest = first / s.size[last];
    inside = first % s.size[last];
    for (int i = last - 1; i >= 0; --i) {
      at[i] = rest % s.size[i];
      rest /= s.size[i];
      a_offset += at[i] * s.a_stride[i];
      b_offset += at[i] * s.b_stride[i];
    }
  }
  /// On to the next row.
  INLINE void next(const Broadcast& s) {
    inside = 0;
    for (int i = s.axes - 2; i >= 0; --i) {
      a_offset += s.a_stride[i];
      b_offset += s.b_stride[i];
      if (++at[i] < s.size[i]) break;
      at[i] = 0;
      a_offset -= s.a_stride[i] * s.size[i];
      b_offset -= s.b_stride[i] * s.size[i];
    }
  }
};

/// The next `count` <= BROADCAST_BLOCK elements of both operands, side by side, as U.
template <class T, class U>
INLINE void gather_block(const Broadcast& s, BroadcastWalk& walk, int64_t count, const T* a, const T* b, U* left,
                         U* right) {
  const int last = s.axes - 1;
  const int64_t n = s.size[last], a_step = s.a_stride[last], b_step = s.b_stride[last];
  for (int64_t filled = 0; filled < count;) {
    const int64_t step = min_of(n - walk.inside, count - filled);
    const T *from_a = a + walk.a_offset + walk.inside * a_step, *from_b = b + walk.b_offset + walk.inside * b_step;
    for (int64_t i = 0; i < step; ++i) {
      left[filled + i] = U(from_a[i * a_step]);
      right[filled + i] = U(from_b[i * b_step]);
    }
    filled += step;
    walk.inside += step;
    if (walk.inside == n) walk.next(s);
  }
}

/// One operand of a broadcast shape, block by block: where it lies as the result does, its own memory; else a copy.
template <class T>
struct BroadcastReader {
  const Broadcast& s;
  const int64_t* stride;
  const T* from;                        // of the next element, or of the row that it is in
  int64_t at[Broadcast::MOST], inside;  // of the next element
  enum { whole, scalar, rows } kind;
  alignas(64) T values[BROADCAST_BLOCK];

  /// strides: s.a_stride or s.b_stride.
  INLINE BroadcastReader(const Broadcast& shape, const int64_t* strides, const T* p, int64_t first)
      : s(shape), stride(strides), from(p), kind(whole) {
    const int last = s.axes - 1;
    int64_t run = 1, sum = 0;
    for (int i = last; i >= 0; --i) {
      if (stride[i] != run) kind = rows;
      run *= s.size[i];
      sum += stride[i];
    }
    if (kind == rows && sum == 0) {
      kind = scalar;
      for (int64_t i = 0; i < BROADCAST_BLOCK; ++i) values[i] = *p;
    }
    inside = first % s.size[last];
    int64_t rest = first / s.size[last];
    for (int i = last - 1; i >= 0 && kind == rows; --i) {
      at[i] = rest % s.size[i];
      rest /= s.size[i];
      from += at[i] * stride[i];
    }
    if (kind == whole) from += first;
  }

  /// The next `count` <= BROADCAST_BLOCK elements.
  INLINE const T* next(int64_t count) {
    if (kind == scalar) return values;
    if (kind == whole) {
      from += count;
      return from - count;
    }
    const int last = s.axes - 1;
    const int64_t n = s.size[last], step = stride[last];
    for (int64_t filled = 0; filled < count;) {
      const int64_t part = min_of(n - inside, count - filled);
      if (step)
        for (int64_t i = 0; i < part; ++i) values[filled + i] = from[inside + i];
      else
        for (int64_t i = 0; i < part; ++i) values[filled + i] = *from;
      filled += part;
      inside += part;
      if (inside == n) next_row();
    }
    return values;
  }

 private:
  INLINE void next_row() {
    inside = 0;
    for (int i = s.axes - 2; i >= 0; --i) {
      from += stride[i];
      if (++at[i] < s.size[i]) break;
      at[i] = 0;
      from -= stride[i] * s.size[i];
    }
  }
};

}  // namespace lamina::LAMINA_ISA
