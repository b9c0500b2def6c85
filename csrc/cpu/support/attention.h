// What attention's forward and backward share: one head's view of the arrays, masks, packing, products.
#pragma once
#include "cpu/support/gemm_tile.h"
#include "cpu/support/keep_flags.h"
#include "cpu/support/row.h"
#include "cpu/support/transpose.h"
#include "ops/attention.h"
#include "ops/gemm.h"
#include "support/exp2.h"

namespace lamina::LAMINA_ISA {

constexpr int64_t PANEL = 64;  // k' is packed as panels: [keys / 64][size][64]
constexpr int64_t AHEAD = 12;  // rows to fetch early: the processor does not follow short rows far apart by itself
template <class T>
constexpr int64_t STRIP = Tiles<T>::ROWS;  // rows of a register tile

/// A key head, and the query heads that share it: their queries are rows, one head after the other.
template <class T>
struct Head {
  const Attention<T>& s;
  int64_t batch, head, group, rows, keys;  // head: of the keys; keys: those that the lengths leave
  Head(const Attention<T>& a, int64_t index)
      : s(a),
        batch(index / a.key_heads),
        head(index % a.key_heads),
        group(a.heads / a.key_heads),
        rows(group * a.queries),
        keys(a.lengths ? max_of(0, min_of(a.lengths[batch], a.keys)) : a.keys) {}

  int64_t query_head(int64_t row) const { return head * group + row / s.queries; }
  /// Where a row of q (or y) begins, and one of k (or v); and how far it is to the next.
  int64_t row_at(int64_t row, int64_t size) const {
    return ((batch * s.queries + row % s.queries) * s.heads + query_head(row)) * size;
  }
  int64_t row_step(int64_t size) const { return s.heads * size; }
  int64_t key_at(int64_t key, int64_t size) const { return ((batch * s.keys + key) * s.key_heads + head) * size; }
  int64_t key_step(int64_t size) const { return s.key_heads * size; }
  /// A row's place among all: in lse, and for the random numbers.
  int64_t place(int64_t row) const { return (batch * s.heads + query_head(row)) * s.queries + row % s.queries; }
  uint64_t keep_tile(int64_t row, int64_t key) const {
    return uint64_t(place(row)) * uint64_t(ceil_div(s.keys, KEEP_TILE)) + uint64_t(key / KEEP_TILE);
  }

  /// f(row, count) for the runs of [begin, begin + count) that belong to one query head.
  template <class F>
  INLINE void each_run(int64_t begin, int64_t count, F&& f) const {
    for (int64_t row = begin; row < begin + count;) {
      const int64_t run = min_of(begin + count - row, s.queries - row % s.queries);
      f(row, run);
      row += run;
    }
  }
  bool in_one_head(int64_t begin, int64_t count) const { return begin % s.queries + count <= s.queries; }

  /// How many keys the rows [begin, begin + count) see at most.
  int64_t limit(int64_t begin, int64_t count) const {
    if (!s.causal) return keys;
    return min_of(keys, in_one_head(begin, count) ? begin % s.queries + count : s.queries);
  }
  bool masked(int64_t row, int64_t end) const { return s.added.values || s.seen.values || limit(row, 1) < end; }
  /// The scores of a row and keys [key, key + n): masks are added, and what is not seen becomes -infinity.
  void mask(T* scores, int64_t row, int64_t key, int64_t n) const {
    const int64_t seen = max_of(0, min_of(limit(row, 1) - key, n)), h = query_head(row), i = row % s.queries;
    const auto values_of = [&](const auto& m)
                               INLINE_LAMBDA { return m.values + batch * m.batch + h * m.head + i * m.query + key; };
    if (s.added.values) {
      const T* const added = values_of(s.added);
      each_vector<T>(seen, [&](int64_t j, auto mask) INLINE_LAMBDA {
        store(scores + j, fma(load(added + j, mask), set(LOG2_E<T>), load(scores + j, mask)), mask);
      });
    }
    if (s.seen.values) {
      const uint8_t* const flags = values_of(s.seen);
      each_vector<T>(seen, [&](int64_t j, auto mask) INLINE_LAMBDA {
        const Mask<T> hidden = matches<T>(flags + j, 0, lanes_of<T>(mask, seen - j));
        store(scores + j, select(hidden, set(-INFINITE<T>), load(scores + j, mask)), mask);
      });
    }
    for (int64_t j = seen; j < n; ++j) scores[j] = -INFINITE<T>;
  }
};

/// What a kept value is multiplied by.
template <class T>
INLINE T kept_scale(const Attention<T>& s) {
  return s.dropped < 65536 ? T(65536) / T(65536 - s.dropped) : T(0);
}

/// n keys, `step` apart, into panels: to[j / 64][d][j % 64]. What lies beyond n is undefined, and its scores are
/// masked.
template <class T>
INLINE void pack_keys(T* to, const T* from, int64_t step, int64_t n, int64_t size) {
  for (int64_t j = 0; j < n; j += PANEL)
    pack_panel(to + j * size, PANEL, min_of(PANEL, n - j), size, from + j * step, step, 1);
}

/// n rows of `size` values, with zeros up to to_step.
template <class T>
void copy_rows(T* to, int64_t to_step, const T* from, int64_t step, int64_t n, int64_t size, T factor = T(1)) {
  for (int64_t i = 0; i < n; ++i, to += to_step, from += step) {
    each_vector<T>(size, [&](int64_t d, auto mask) INLINE_LAMBDA {
      prefetch(from + AHEAD * step + d);
      store(to + d, load(from + d, mask) * set(factor));
    });
    for (int64_t d = round_up(size, lanes<T>); d < to_step; d += lanes<T>) store(to + d, zero<T>());
  }
}
/// n rows of results, each times a factor; -0 becomes 0, as it does where a sum has more (empty) terms.
template <class T>
void write_rows(T* to, int64_t step, const T* from, int64_t from_step, int64_t n, int64_t size, T factor) {
  for (int64_t i = 0; i < n; ++i, to += step, from += from_step)
    each_vector<T>(size, [&](int64_t d, auto mask) INLINE_LAMBDA {
      __builtin_prefetch(to + AHEAD * step + d, 1);
      store(to + d, load(from + d) * set(factor) + zero<T>(), mask);
    });
}
template <class T>
void zero_rows(T* to, int64_t step, int64_t n, int64_t size) {
  for (int64_t i = 0; i < n; ++i)
    each_vector<T>(size, [&](int64_t d, auto mask) INLINE_LAMBDA { store(to + i * step + d, zero<T>(), mask); });
}

/// C = A . B, or C + A . B: chains of at most CHAIN, by the tiles of gemm.
template <class T>
struct Product {
  int64_t rows, columns, depth;  // rows: at most STRIP; columns: whole vectors, as B and C have them
  const T* a;
  int64_t a_row, a_step;  // A(i, k) = a[i * a_row + k * a_step]
  const T* b;
  int64_t b_row, panel;  // B(k, j) = b[k * b_row + j % PANEL + j / PANEL * panel]
  T* c;
  int64_t c_row;
  bool resume;
};
template <class T>
void multiply(const Product<T>& p) {
  constexpr int64_t W = lanes<T>;
  const Tiles<T>& tiles = shared_tiles<T>();
  Tile<T> t;
  t.next = p.a;
  t.next_step = t.next_jump = 0;
  t.last = first<T>(W);
  t.finish = t.relu = t.past_caches = false;
  t.bias = nullptr;
  t.a_row = p.a_row;
  t.a_step = p.a_step;
  t.b_row = p.b_row;
  t.c_row = p.c_row;
  for (int64_t k = 0; k < p.depth; k += CHAIN) {
    t.depth = min_of(CHAIN, p.depth - k);
    t.a = p.a + k * p.a_step;
    t.resume = p.resume || k > 0;
    for (int64_t j = 0; j < p.columns;) {
      const int64_t left = min_of(p.columns - j, PANEL - j % PANEL) / W;
      const int vectors = left >= 4 && p.rows <= Tiles<T>::rows_for(4) ? 4 : left >= 2 ? 2 : 1;
      t.b = p.b + k * p.b_row + j % PANEL + j / PANEL * p.panel;
      t.c = p.c + j;
      tiles.at[vectors][p.rows](t);
      j += vectors * W;
    }
  }
}

/// f(begin, count) for even strips of [0, n): 13 + 13 + 13 + 13 + 12 rows rather than 14 * 4 + 8. It changes no bit.
template <class T, class F>
INLINE void each_strip(int64_t n, F&& f) {
  const int64_t strips = ceil_div(n, STRIP<T>);
  for (int64_t i = 0; i < strips; ++i) f(n * i / strips, n * (i + 1) / strips - n * i / strips);
}

/// f(i, keep) for every 16 of n scores: keep(p) is p where dropout leaves it, else 0. tile: that of the first score.
template <class T, class F>
INLINE void each_sixteen(const Attention<T>& s, uint64_t tile, int64_t n, F&& f) {
  if (s.dropped == 0) {
    for (int64_t i = 0; i < n; i += ROW_LANES) f(i, [](int, V<T> p) INLINE_LAMBDA { return p; });
    return;
  }
  alignas(64) int32_t flags[KEEP_TILE];
  for (int64_t begin = 0; begin < n; begin += KEEP_TILE) {
    keep_flags(tile + uint64_t(begin / KEEP_TILE), s.stream, s.seed, s.dropped, flags);
    for (int64_t i = begin; i < min_of(begin + KEEP_TILE, n); i += ROW_LANES)
      f(i,
        [&](int lane, V<T> p) INLINE_LAMBDA { return from_bits(bits(p) & flags_at(flags + (i - begin) + lane, T())); });
  }
}

/// Nanoseconds of one key head's products, of so many multiply-adds a score.
template <class T>
INLINE double attention_work(const Attention<T>& s, int64_t per_score) {
  return 0.02 * double(s.heads / s.key_heads * s.queries) * double(s.keys) * double(per_score) / (s.causal ? 2 : 1);
}

/// Task i of n, the first and the last by turns: where work grows from task to task, any run of them is about even.
constexpr int64_t from_both_ends(int64_t i, int64_t n) { return i % 2 == 0 ? i / 2 : n - 1 - i / 2; }

}  // namespace lamina::LAMINA_ISA
