// The register tile of a product: a few rows times a few vectors of columns, over one chain of k. The seam at which
// products, and whatever is built on them, attach: a pointer to A, two strides, a pointer to B, its stride, C.
#pragma once
#include "cpu/support/simd.h"

namespace lamina::LAMINA_ISA {

constexpr int64_t NEXT_RUN = 16;

/// The panel of B that comes next, on its way to where it is packed: a few rows at a time, between the steps of tiles
/// that still multiply the panel before it. So memory has all of their time to deliver it.
template <class T>
struct NextPanel {
  static constexpr int64_t SIGHT = 16;  // rows asked for ahead of those that are copied
  static constexpr int VECTORS = 2;
  const T* from = nullptr;
  int64_t row = 0;   // from one row to the next
  T* to = nullptr;   // packed
  int64_t left = 0;  // rows still to come
  int64_t each = 0;  // rows at a time

  INLINE void bring(int64_t rows) {
    for (int64_t r = min_of(rows, left); r > 0; --r) {
      for (int j = 0; j < VECTORS; ++j) {
        prefetch(from + SIGHT * row + j * lanes<T>);
        store(to + j * lanes<T>, load(from + j * lanes<T>));
      }
      from += row;
      to += VECTORS * lanes<T>;
      --left;
    }
  }
};

template <class T>
struct Tile {
  int64_t depth;  // steps of k
  const T* a;     // A(i, k) = a[i * a_row + k * a_step]
  int64_t a_row, a_step;
  // What to fetch for later tiles meanwhile, one line a step of k: NEXT_RUN steps apart by next_step, then next_jump.
  const T* next;
  int64_t next_step, next_jump;
  const T* b;  // B(k, j) = b[k * b_row + j]
  int64_t b_row;
  NextPanel<T>* next_panel = nullptr;  // or none
  T* c;
  int64_t c_row;
  Mask<T> last;  // the lanes of the last vector that exist
  bool resume;   // add this chain to C; else C starts with it
  bool finish;   // C is complete with this chain: bias, addend and relu follow
  const T* bias;
  const T* addend = nullptr;  // rows as far apart as C's; null unless finish
  bool relu;
  bool past_caches;  // C's vectors are whole and aligned, and too many to keep
};

/// C[0..M)[0..N vectors) (+)= A . B over the tile's depth.
template <class T, int M, int N>
void multiply_tile(const Tile<T>& t) {
  constexpr int W = lanes<T>;
  constexpr bool STREAMS = sizeof(V<T>) == 64;
  V<T> sum[M][N];
  T* const c = t.c;
  const int64_t c_row = t.c_row;
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) {
      sum[i][j] = zero<T>();
      if (!STREAMS || !t.past_caches) prefetch(c + i * c_row + (j + N) * W);  // the next tile's C
    }
  if (t.addend)
#pragma GCC unroll 1
    for (int i = 0; i < M; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < N; ++j) prefetch(t.addend + i * c_row + j * W);

  const T *b = t.b, *next = t.next;
  const int64_t b_row = t.b_row, a_row = t.a_row, a_step = t.a_step;
  // Rows in threes: x86 can address p, p + row and p + 2 * row from two registers, so 14 rows cost 6, not 14.
  constexpr int GROUPS = (M + 2) / 3;
  const T* a[GROUPS];
#pragma GCC unroll 8
  for (int g = 0; g < GROUPS; ++g) a[g] = t.a + 3 * g * a_row;
  for (int64_t left = t.depth; left > 0; left -= NEXT_RUN, next += t.next_jump) {
    if (N == NextPanel<T>::VECTORS && t.next_panel) t.next_panel->bring(t.next_panel->each);
    for (int64_t k = min_of(left, NEXT_RUN); k > 0; --k) {
      prefetch_far(next);
      next += t.next_step;
      V<T> bv[N];
#pragma GCC unroll 8
      for (int j = 0; j < N; ++j) bv[j] = load(b + j * W);
#pragma GCC unroll 16
      for (int i = 0; i < M; ++i) {
        const V<T> x = set(a[i / 3][i % 3 * a_row]);
#pragma GCC unroll 8
        for (int j = 0; j < N; ++j) sum[i][j] = fma(x, bv[j], sum[i][j]);
      }
#pragma GCC unroll 8
      for (int g = 0; g < GROUPS; ++g) a[g] += a_step;
      b += b_row;
    }
  }

  V<T> bias[N];
#pragma GCC unroll 8
  for (int j = 0; j < N; ++j)
    bias[j] = !t.finish || !t.bias ? zero<T>() : j + 1 < N ? load(t.bias + j * W) : load(t.bias + j * W, t.last);
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) {
      T* const to = c + i * c_row + j * W;
      V<T> s = sum[i][j];
      if (t.resume) s = (j + 1 < N ? load(to) : load(to, t.last)) + s;
      if (t.finish && t.bias) s = s + bias[j];
      if (t.addend)
        s = s + (j + 1 < N ? load(t.addend + i * c_row + j * W) : load(t.addend + i * c_row + j * W, t.last));
      if (t.finish && t.relu) s = max(zero<T>(), s);  // NaN stays NaN
      if (STREAMS && t.past_caches)
        stream(to, s);
      else if (j + 1 < N)
        store(to, s);
      else
        store(to, s, t.last);
    }
}

/// The tiles of one dtype: rows, width in vectors, and the instance for every smaller size. Few rows leave registers
/// for wider tiles (more loads in flight).
template <class T>
struct Tiles {
  // float64 is for checks: fewer instances, and sixteen columns of eight rows keep it at three quarters of the peak.
  static constexpr int ROWS = REGISTERS == 32 ? (sizeof(T) == 4 ? 14 : 8) : lanes<T> >= 4 ? 6 : 4;
  static constexpr int VECTORS = 2;
  static constexpr int WIDTH = VECTORS * lanes<T>;                   // columns of the register tile
  static constexpr int PACKED_ROWS = int(round_up(ROWS, lanes<T>));  // a packed strip of A has rows of so many values
  static constexpr int WIDE = sizeof(T) == 4 && REGISTERS == 32 ? 8 : 4;  // the widest tile, in vectors

  /// Rows that a tile of n vectors has registers for.
  static constexpr int rows_for(int n) {
    const int rows = n <= VECTORS ? ROWS : (REGISTERS - 2 - n) / n;
    return rows < 1 ? 1 : rows > ROWS ? ROWS : rows;
  }
  using Function = void (*)(const Tile<T>&);
  Function at[WIDE + 1][ROWS + 1] = {};  // [vectors][rows]

  constexpr Tiles() {
    add(Int<1>{});
    add(Int<2>{});
    add(Int<4>{});
    if constexpr (WIDE > 4) add(Int<WIDE>{});
  }
  template <class N>
  constexpr void add(N n) {
    unroll<rows_for(N{})>([&](auto i) { at[n][i + 1] = multiply_tile<T, i + 1, N{}>; });
  }
};

/// The one table of instances, compiled with gemm.cpp.
template <class T>
const Tiles<T>& shared_tiles();

}  // namespace lamina::LAMINA_ISA
