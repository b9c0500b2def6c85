#include "ops/arithmetic.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/broadcast.h"
#include "cpu/support/elementwise.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr double WORK = 0.3;   // nanoseconds an element
constexpr int64_t SHORT = 32;  // rows of so many elements, or fewer, are taken together

/// One row: y[i] = f(a[i * A], b[i * B]); A and B are 0 or 1.
template <int A, int B, class T, class F>
INLINE void row(int64_t n, F&& f, const T* a, const T* b, T* y) {
  each_vector<T>(n, [&](int64_t i, auto mask) INLINE_LAMBDA {
    V<T> left, right;
    if constexpr (A) left = load(a + i, mask);
    if constexpr (!A) left = set(*a);
    if constexpr (B) right = load(b + i, mask);
    if constexpr (!B) right = set(*b);
    store(y + i, f(left, right), mask);
  });
}

/// Row after row of the last axis; a part may begin and end inside one.
template <int A, int B, class T, class F>
INLINE void rows(const Broadcast& s, F&& f, const T* a, const T* b, T* y) {
  const int64_t n = s.size[s.axes - 1];
  each_part(s.elements, WORK, [&](int64_t first, int64_t count) INLINE_LAMBDA {
    BroadcastWalk walk(s, first);
    for (T *to = y + first, *end = to + count; to < end;) {
      const int64_t step = min_of(n - walk.inside, end - to);
      row<A, B>(step, f, a + walk.a_offset + walk.inside * A, b + walk.b_offset + walk.inside * B, to);
      to += step;
      walk.next(s);
    }
  });
}

/// Rows too short for a loop of their own: many at once. An operand that is the same in every row is laid out as often
/// as a block needs it, one that lies as y does is read where it is; else both are gathered block by block.
template <class T, class F>
INLINE void short_rows(const Broadcast& s, F&& f, const T* a, const T* b, T* y) {
  constexpr int64_t BLOCK = BROADCAST_BLOCK;
  const int64_t n = s.size[s.axes - 1];
  const bool two = s.axes == 2 && s.a_stride[1] && s.b_stride[1];
  const bool a_repeats = two && s.a_stride[0] == 0, b_repeats = two && s.b_stride[0] == 0;
  each_part(s.elements, WORK, [&](int64_t first, int64_t count) INLINE_LAMBDA {
    alignas(64) T left[BLOCK + SHORT], right[BLOCK];
    const bool repeats = a_repeats || b_repeats;
    const T* const repeated = a_repeats ? a : b;  // apart from the index: gcc 12's sanitizer confuses them
    if (repeats)
      for (int64_t i = 0, j = 0; i < BLOCK + SHORT; ++i, j = j + 1 == n ? 0 : j + 1) left[i] = repeated[j];
    BroadcastWalk walk(s, first);
    for (int64_t i = first; i < first + count; i += BLOCK) {
      const int64_t here = min_of(BLOCK, first + count - i);
      if (!repeats) gather_block(s, walk, here, a, b, left, right);
      const T* const pattern = left + i % n;
      const T* const l = a_repeats ? pattern : b_repeats ? a + i : left;
      const T* const r = b_repeats ? pattern : a_repeats ? b + i : right;
      row<1, 1>(here, f, l, r, y + i);
    }
  });
}

/// Many rows that all meet the same one: the output is written past the caches, whole lines wherever its rows begin.
template <class T>
INLINE bool streams(const Broadcast& s, const T* y) {
  constexpr int64_t MOST = 8192;  // values of a row that stay in L1 and L2
  const bool one_repeats = (s.a_stride[0] == 0) != (s.b_stride[0] == 0);
  return sizeof(V<T>) == 64 && s.axes == 2 && s.a_stride[1] && s.b_stride[1] && one_repeats && s.size[1] <= MOST &&
         s.elements * int64_t(sizeof(T)) >= STREAM_BYTES && reinterpret_cast<uintptr_t>(y) % 64 == 0;
}
template <class T, class F>
INLINE void stream_repeated(const Broadcast& s, F&& f, const T* a, const T* b, T* y) {
  constexpr int64_t UNIT = 64, W = lanes<T>;
  const int64_t n = s.size[1];
  const bool a_repeats = s.a_stride[0] == 0;
  const T* const repeated = a_repeats ? a : b;                // apart from the index: see short_rows
  T* const pattern = scratch_for<T>(Slot::caller, n + UNIT);  // and its begin once more, behind it
  for (int64_t i = 0, j = 0; i < n + UNIT; ++i, j = j + 1 == n ? 0 : j + 1) pattern[i] = repeated[j];
  const T* const other = a_repeats ? b : a;
  each_part(s.elements, WORK, [&](int64_t begin, int64_t count) INLINE_LAMBDA {
    const int64_t end = begin + count, whole = begin + count / UNIT * UNIT;
    int64_t i = begin, j = begin % n;
    for (; i < whole; i += UNIT) {
      const T *const p = pattern + j, *const q = other + i;
      V<T> left[UNIT / W], right[UNIT / W];
      unroll<UNIT / W>([&](auto k) INLINE_LAMBDA {
        left[k] = load((a_repeats ? p : q) + k * W);
        right[k] = load((a_repeats ? q : p) + k * W);
      });
      unroll<UNIT / W>([&](auto k) INLINE_LAMBDA { stream(y + i + k * W, f(left[k], right[k])); });
      for (j += UNIT; j >= n;) j -= n;
    }
    for (; i < end; i += W) {
      const Mask<T> mask = first<T>(end - i);
      const V<T> p = load(pattern + j, mask), q = load(other + i, mask);
      store(y + i, a_repeats ? f(p, q) : f(q, p), mask);
      for (j += W; j >= n;) j -= n;
    }
    stream_fence();
  });
}

template <class T, class F>
INLINE void broadcast(const Broadcast& s, F&& f, const T* a, const T* b, T* y) {
  const int last = s.axes - 1;
  const int64_t n = s.size[last];
  const bool one_row = s.axes == 1;
  if (!one_row && n <= SHORT) return short_rows(s, f, a, b, y);
  if constexpr (sizeof(V<T>) == 64)
    if (streams(s, y)) return stream_repeated(s, f, a, b, y);
  if (s.a_stride[last] && s.b_stride[last]) {
    if (one_row)
      map(n, WORK, f, y, a, b);
    else
      rows<1, 1>(s, f, a, b, y);
  } else if (s.a_stride[last]) {
    if (one_row)
      map(n, WORK, [&f, v = set(*b)](V<T> left) INLINE_LAMBDA { return f(left, v); }, y, a);
    else
      rows<1, 0>(s, f, a, b, y);
  } else {
    if (one_row)
      map(n, WORK, [&f, v = set(*a)](V<T> right) INLINE_LAMBDA { return f(v, right); }, y, b);
    else
      rows<0, 1>(s, f, a, b, y);
  }
}

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <class Target, class T>
void arithmetic(Arithmetic operation, const Broadcast& s, const T* a, const T* b, T* y) {
  if (s.elements == 0) return;
  switch (operation) {
    case Arithmetic::add:
      return broadcast(s, [](V<T> l, V<T> r) INLINE_LAMBDA { return l + r; }, a, b, y);
    case Arithmetic::subtract:
      return broadcast(s, [](V<T> l, V<T> r) INLINE_LAMBDA { return l - r; }, a, b, y);
    case Arithmetic::multiply:
      return broadcast(s, [](V<T> l, V<T> r) INLINE_LAMBDA { return l * r; }, a, b, y);
    case Arithmetic::divide:
      return broadcast(s, [](V<T> l, V<T> r) INLINE_LAMBDA { return l / r; }, a, b, y);
    case Arithmetic::maximum:
      return broadcast(
          s, [](V<T> l, V<T> r) INLINE_LAMBDA { return select(unordered(l, r), l + r, max(l, r)); }, a, b, y);
    case Arithmetic::minimum:
      return broadcast(
          s, [](V<T> l, V<T> r) INLINE_LAMBDA { return select(unordered(l, r), l + r, min(l, r)); }, a, b, y);
  }
}

template void arithmetic<Target>(Arithmetic, const Broadcast&, const float*, const float*, float*);
DOUBLE template void arithmetic<Target>(Arithmetic, const Broadcast&, const double*, const double*, double*);

}  // namespace lamina
