// What the steps of recurrent layers share: packed panels of U, the product of a tile of rows with a panel and the cell
// on it, and how rows and panels are shared out among the threads.
#pragma once
#include "cpu/support/gemm_tile.h"
#include "cpu/support/parallel.h"
#include "cpu/support/transpose.h"
#include "ops/gemm.h"
#include "ops/recurrent.h"

namespace lamina::LAMINA_ISA {

constexpr int MOST_ROWS = 14, WIDE = 8;
constexpr int PAIR = 2;  // vectors of units in a panel that has no gates side by side

/// Lines that the cells of a tile will want. The product asks for one at each k: all at once, they would stop it.
struct Soon {
  int64_t count = 0;
  const void* at[MOST_ROWS * PAIR * 8 + 1];
  INLINE void add(const void* p) { at[count++] = p; }
};

template <class T>
struct Panel {
  const T* values;
  int64_t next;  // from one panel to the next
};

/// out[i][j] = a[i] . column j of the panels. A panel has GATES vectors for each k; COLUMNS > GATES reads several
/// panels at once (few rows: more loads in flight), COLUMNS < GATES a part of one. Rows of out lie LINE vectors apart.
template <class T, int ROWS, int COLUMNS, int GATES, int LINE = COLUMNS>
void multiply_rows(int64_t depth, const T* first_row, int64_t a_row, Panel<T> panel, T* out, const Soon& soon) {
  constexpr int W = lanes<T>, GROUPS = (ROWS + 2) / 3;
  const T* a[GROUPS];  // rows in threes, as x86 addresses them
#pragma GCC unroll 8
  for (int g = 0; g < GROUPS; ++g) a[g] = first_row + 3 * g * a_row;
  const T* b = panel.values;
  const int64_t next = panel.next;
  int64_t asked = 0;
  for (int64_t begin = 0; begin < depth; begin += CHAIN) {
    V<T> sum[ROWS][COLUMNS];
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < COLUMNS; ++j) sum[i][j] = zero<T>();
    for (int64_t k = min_of(depth - begin, CHAIN); k > 0; --k) {
      prefetch(soon.at[asked]);
      asked += asked < soon.count;  // no branch: the last address is asked for again
      V<T> bv[COLUMNS];
#pragma GCC unroll 8
      for (int j = 0; j < COLUMNS; ++j) bv[j] = load(b + j / GATES * next + j % GATES * W);
#pragma GCC unroll 16
      for (int i = 0; i < ROWS; ++i) {
        const V<T> x = set(a[i / 3][i % 3 * a_row]);
#pragma GCC unroll 8
        for (int j = 0; j < COLUMNS; ++j) sum[i][j] = fma(x, bv[j], sum[i][j]);
      }
#pragma GCC unroll 8
      for (int g = 0; g < GROUPS; ++g) ++a[g];
      b += GATES * W;
    }
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < COLUMNS; ++j) {
        T* const to = out + (i * LINE + j) * W;
        store(to, begin ? load(to) + sum[i][j] : sum[i][j]);
      }
  }
}
/// A panel of more gates than there are registers for: two by two.
template <class T, int ROWS, int GATES>
void multiply_by_twos(int64_t depth, const T* a, int64_t a_row, Panel<T> panel, T* out, const Soon& soon) {
  unroll<(GATES + 1) / 2>([&](auto j) INLINE_LAMBDA {
    constexpr int COLUMNS = 2 * j + 2 <= GATES ? 2 : 1, FROM = 2 * j * lanes<T>;
    multiply_rows<T, ROWS, COLUMNS, GATES, GATES>(depth, a, a_row, {panel.values + FROM, panel.next}, out + FROM, soon);
  });
}

/// The instances for every number of rows; float64 is for checks and has few.
template <class T, int COLUMNS, int GATES>
struct RowProducts {
  static constexpr bool TWOS = REGISTERS == 16 && COLUMNS == GATES && GATES > 2;
  static constexpr int FIT = (REGISTERS - 2 - (TWOS ? 2 : COLUMNS)) / (TWOS ? 2 : COLUMNS);
  static constexpr int LIMIT = sizeof(T) == 8 ? 4 : MOST_ROWS;
  static constexpr int MOST = FIT < 1 ? 1 : FIT > LIMIT ? LIMIT : FIT;
  using Function = void (*)(int64_t, const T*, int64_t, Panel<T>, T*, const Soon&);
  Function of[MOST + 1] = {};
  constexpr RowProducts() {
    unroll<MOST>([&](auto i) {
      if constexpr (TWOS)
        of[i + 1] = multiply_by_twos<T, i + 1, GATES>;
      else
        of[i + 1] = multiply_rows<T, i + 1, COLUMNS, GATES>;
    });
  }
};
template <class T, int COLUMNS, int GATES>
constexpr RowProducts<T, COLUMNS, GATES> row_products;

/// Panels of `gates` columns a unit of a matrix of `depth` rows, or of unit pairs (gates = 1): vectors for each k,
/// units.
template <class T>
struct Panels {
  int64_t depth, units, vectors, width;  // width: units a panel
  T* values;
  Panels(int64_t k, int64_t n, int64_t gates, T* to)
      : depth(k),
        units(n),
        vectors(gates == 1 ? PAIR : gates),
        width(gates == 1 ? PAIR * lanes<T> : lanes<T>),
        values(to) {}
  int64_t count() const { return ceil_div(units, width); }
  int64_t size() const { return depth * vectors * lanes<T>; }  // of one
  static int64_t values_of(int64_t k, int64_t n, int64_t gates) {
    const Panels p(k, n, gates, nullptr);
    return p.count() * p.size();
  }
};

/// Panels of U's columns [from, from + gates * units), each line `columns` long: h'.U.
template <class T>
void pack_columns(const Panels<T>& p, const T* u, int64_t columns) {
  constexpr int W = lanes<T>;
  const bool pairs = p.width > W;
  parallel_for(p.count(), double(p.size()) * 0.3, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) {
      T* to = p.values + panel * p.size();
      const T* from = u + panel * p.width;
      const int64_t left = p.units - panel * p.width;
      for (int64_t k = 0; k < p.depth; ++k, from += columns)
        for (int64_t v = 0; v < p.vectors; ++v, to += W)
          store(to, pairs ? load(from + (left > v * W ? v * W : 0), first<T>(left - v * W))
                          : load(from + v * p.units, first<T>(left)));
    }
  });
}
/// Panels of the transpose of U's columns [0, depth): d.U'. Lines of u are `columns` long.
template <class T>
void pack_rows(const Panels<T>& p, const T* u, int64_t columns) {
  parallel_for(p.count(), double(p.size()) * 0.3, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) {
      T* const to = p.values + panel * p.size();
      const int64_t unit = panel * p.width, here = min_of(p.width, p.units - unit);
      if (here < p.width)
        for (int64_t i = 0; i < p.size(); ++i) to[i] = 0;
      pack_panel(to, p.width, here, p.depth, u + unit * columns, columns, int64_t(1));
    }
  });
}

/// A thread's share of the steps: rows first, first + stride, ... of the batch, and a range of the panels.
struct Share {
  int64_t first, stride, part, parts;  // part of `parts` threads that have these rows
  Barrier* barrier;

  /// How many of the leading `rows` of the batch are this share's.
  int64_t of(int64_t rows) const { return rows <= first ? 0 : ceil_div(rows - first, stride); }
  int64_t panel(int64_t panels, int64_t at) const { return panels * at / parts; }
  int64_t row(int64_t i) const { return first + i * stride; }
  void meet() const {
    if (barrier) barrier->wait(int(parts));
  }
};

/// The depth of a product that has been made before: a is its rows, gates planar.
constexpr int64_t READY = -1;

/// For every tile of this share's rows [begin, end) and panels: the product (at depth 0: zeros), then
/// cell(row, unit, mask, its sums). The gates of a unit are a vector apart there.
template <int GATES, class T, class Prefetch, class Cell>
INLINE void each_tile(const Share& share, const Panels<T>& panels, int64_t begin, int64_t end, int64_t depth,
                      const T* a, int64_t a_row, Prefetch&& soon_wanted, Cell&& cell) {
  constexpr int W = lanes<T>;
  constexpr int VECTORS = GATES == 1 ? PAIR : GATES, UNITS = GATES == 1 ? PAIR : 1;  // of a panel
  constexpr int AT_ONCE = sizeof(T) == 8 ? 1 : WIDE / VECTORS, WIDTH = AT_ONCE * VECTORS;
  constexpr auto& narrow = row_products<T, VECTORS, VECTORS>;
  constexpr auto& wide = row_products<T, WIDTH, VECTORS>;
  const int64_t count = end - begin, size = panels.size(), units = panels.units;
  if (count <= 0) return;
  alignas(64) T sums[MOST_ROWS * WIDE * W];
  const int64_t last = share.panel(panels.count(), share.part + 1);
  for (int64_t p = share.panel(panels.count(), share.part); p < last;) {
    const bool several = AT_ONCE > 1 && count <= wide.MOST && last - p >= AT_ONCE;
    const int64_t at_once = several ? AT_ONCE : 1, most = several ? wide.MOST : narrow.MOST;
    const int64_t strips = ceil_div(count, most), line = at_once * VECTORS;
    int64_t row = begin;
    for (int64_t s = 0; s < strips; ++s) {
      const int64_t rows = count / strips + (s < count % strips);
      const int64_t unit0 = p * UNITS * W, unit1 = min_of((p + at_once) * UNITS * W, units);
      if (depth > 0) {
        Soon soon;
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = unit0; j < unit1; j += W) soon_wanted(soon, row + i, j);
        soon.at[soon.count] = sums;
        (several ? wide.of : narrow.of)[rows](depth, a + row * a_row, a_row, {panels.values + p * size, size}, sums,
                                              soon);
      } else if (depth == READY) {
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = unit0; j < unit1; j += W)
            for (int64_t g = 0; g < GATES; ++g)
              store(sums + (i * line + (j - unit0) / W * GATES + g) * W,
                    load(a + (row + i) * a_row + g * units + j, first<T>(units - j)));
      } else {
        for (int64_t i = 0; i < rows * line; ++i) store(sums + i * W, zero<T>());
      }
      for (int64_t i = 0; i < rows; ++i) {
        const T* of = sums + i * line * W;
        for (int64_t j = unit0; j < unit1; j += W, of += (GATES == 1 ? 1 : GATES) * W)
          if (j + W <= units)
            cell(row + i, j, All{}, of);
          else
            cell(row + i, j, first<T>(units - j), of);
      }
      row += rows;
    }
    p += at_once;
  }
}

/// A leading dimension whose rows share no set of L1.
template <class T>
INLINE int64_t spread(int64_t n) {
  return round_up(n, 64 / int(sizeof(T))) + 64 / int(sizeof(T));
}

INLINE int64_t slot(const RecurrentRows& q, int64_t t, int64_t r) {
  return q.at ? q.at[t] + r : q.begin + t * q.time + r * q.row;
}
INLINE int64_t active(const RecurrentRows& q, int64_t t) { return q.at ? q.active[t] : t < q.steps ? q.count : 0; }
/// The row of y that step t of row r writes first, and how many it writes, y_time apart.
INLINE int64_t y_slot(const RecurrentRows& q, int64_t t, int64_t r) {
  return q.at ? q.y_rows[q.at[t] + r] : q.y_begin + t * q.y_time + r * q.y_row;
}
INLINE int64_t y_count(const RecurrentRows& q, int64_t t, int64_t r) { return q.at ? q.repeats[q.at[t] + r] : 1; }
INLINE int64_t batch_row(const RecurrentRows& q, int64_t r) { return q.order ? q.order[r] : r; }

/// Nanoseconds that a step of all rows takes on one thread: the products, and U's way to the processor.
template <class T>
INLINE double step_work(const Recurrent<T>& s) {
  const double values = double(s.units * s.units * gates_of(s.kind)) * double(sizeof(T)) / 4;
  return values * (0.02 * double(s.rows.count) + 0.03) + 2.0 * double(s.rows.count * s.units);
}

/// Runs body(layer, share) for shares that together make up all rows and panels of every layer. panels: the fewest that
/// a product of a step has; work: nanoseconds a step of one layer.
template <class F>
INLINE void share_out(int64_t layers, const RecurrentRows& q, int64_t panels, double work, F&& body) {
  constexpr int64_t ROWS = 6, MOST_TASKS = 256;  // with fewer rows a share reads its panels for too little
  constexpr double WORTH_MEETING = 1000;         // nanoseconds of a step
  const double all = work * double(q.steps) * double(layers);
  const int64_t threads = all < 20e3 ? 1 : min_of(num_threads(), MOST_TASKS), each = max_of(1, threads / layers);
  const int64_t groups = max_of(1, min_of(each, q.count / ROWS)), tasks = layers * groups;
  const int64_t share_panels = min_of(min_of(each / groups, panels), int64_t(work / double(groups) / WORTH_MEETING));
  Barrier* barriers = nullptr;
  // One of `parts` threads: a part of the threads of one task, or the whole of several tasks.
  const auto run = [&](int64_t part, int64_t parts) __attribute__((noinline)) {
    const int64_t per_task = parts / tasks;
    for (int64_t task = per_task ? part / per_task : part; task < tasks; task += per_task ? tasks : parts)
      body(task / groups, Share{task % groups, groups, per_task ? part % per_task : 0, max_of(per_task, 1),
                                per_task > 1 ? barriers + task : nullptr});
  };
  if (share_panels <= 1) {
    parallel_for(tasks, all / double(tasks), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      for (int64_t task = begin; task < end; ++task) run(task, tasks);
    });
    return;
  }
  Barrier memory[MOST_TASKS] = {};
  barriers = memory;
  run_together(
      int(tasks * share_panels),
      [](void* context, int part, int parts) { (*static_cast<decltype(&run)>(context))(part, parts); },
      const_cast<void*>(static_cast<const void*>(&run)));
}

}  // namespace lamina::LAMINA_ISA
