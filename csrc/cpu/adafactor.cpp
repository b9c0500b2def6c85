#include "ops/adafactor.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/columns.h"
#include "cpu/support/row.h"

namespace lamina {
namespace LAMINA_ISA {

template <class T>
INLINE void update_rows(const FactoredParameter<T>& p, const AdafactorSettings& s) {
  parallel_for(p.matrices * p.rows, 5 + 0.15 * double(p.columns), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t row = begin; row < end; ++row) {
      const T* const g = p.gradients + row * p.columns;
      const double sum = squares_of_row<T>(p.columns, [=](int64_t i, auto m) INLINE_LAMBDA { return load(g + i, m); });
      const double mean = sum / double(p.columns) + s.epsilon_1;
      p.r[row] = T(s.beta * double(p.r[row]) + (1 - s.beta) * mean);
    }
  });
}

template <class T>
INLINE void update_columns(const FactoredParameter<T>& p, const AdafactorSettings& s) {
  const int64_t C = p.columns, parts = ceil_div(p.rows, PART_ROWS);
  T* const sums = scratch_for<T>(Slot::caller, parts * C);
  for (int64_t matrix = 0; matrix < p.matrices; ++matrix) {
    const T* const g = p.gradients + matrix * p.rows * C;
    T* const c = p.c + matrix * C;
    each_column_part(p.rows, C, 0.2,
                     [&](int64_t part, int64_t row0, int64_t rows, int64_t c0, int64_t columns) INLINE_LAMBDA {
                       sum_columns<1>(rows, columns, sums + part * C + c0, C,
                                      [=](int64_t row, int64_t column, auto mask, V<T>(&sum)[1]) INLINE_LAMBDA {
                                        const V<T> x = load(g + (row0 + row) * C + c0 + column, mask);
                                        sum[0] = fma(x, x, sum[0]);
                                      });
                     });
    for (int64_t i = 0; i < C; ++i) {
      double total = 0;
      for (int64_t part = 0; part < parts; ++part) total = total + double(sums[part * C + i]);
      c[i] = T(s.beta * double(c[i]) + (1 - s.beta) * (total / double(p.rows) + s.epsilon_1));
    }
  }
}

/// Factors of the rows and columns: u = g * of_rows * of_columns.
template <class T>
INLINE void factors(const FactoredParameter<T>& p, T* of_rows, T* of_columns) {
  for (int64_t matrix = 0; matrix < p.matrices; ++matrix) {
    double sum = 0;
    for (int64_t i = matrix * p.rows; i < (matrix + 1) * p.rows; ++i) sum = sum + double(p.r[i]);
    const double mean = sum / double(p.rows);
    for (int64_t i = matrix * p.rows; i < (matrix + 1) * p.rows; ++i)
      of_rows[i] = T(1 / __builtin_sqrt(double(p.r[i]) / mean));
  }
  for (int64_t i = 0; i < p.matrices * p.columns; ++i) of_columns[i] = T(1 / __builtin_sqrt(double(p.c[i])));
}

/// How far u goes: rate * max(epsilon_2, rms(w)) / max(1, rms(u) / threshold).
INLINE double length(const AdafactorSettings& s, double of_weights, double of_changes, double n) {
  const double size = __builtin_sqrt(of_weights / n), change = __builtin_sqrt(of_changes / n) / s.threshold;
  return s.rate * (size > s.epsilon_2 ? size : s.epsilon_2) / (change > 1 ? change : 1);
}

template <class T>
INLINE void step_factored(const FactoredParameter<T>& p, const AdafactorSettings& s) {
  const int64_t C = p.columns, rows = p.matrices * p.rows;
  update_rows(p, s);
  update_columns(p, s);
  T* const of_rows = scratch_for<T>(Slot::caller, rows + p.matrices * C);
  T* const of_columns = of_rows + rows;
  factors(p, of_rows, of_columns);
  double* const sums = scratch_for<double>(Slot::caller2, 2 * rows);
  const auto change = [=](int64_t row, int64_t i, V<T> of_row, auto mask) INLINE_LAMBDA -> V<T> {
    return load(p.gradients + row * C + i, mask) * of_row * load(of_columns + row / p.rows * C + i, mask);
  };
  parallel_for(rows, 10 + 0.3 * double(C), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t row = begin; row < end; ++row) {
      const T* const w = p.weights + row * C;
      const V<T> of_row = set(of_rows[row]);
      sums[2 * row] = squares_of_row<T>(C, [=](int64_t i, auto mask) INLINE_LAMBDA { return load(w + i, mask); });
      sums[2 * row + 1] =
          squares_of_row<T>(C, [=](int64_t i, auto mask) INLINE_LAMBDA { return change(row, i, of_row, mask); });
    }
  });
  double of_weights = 0, of_changes = 0;
  for (int64_t row = 0; row < rows; ++row) {
    of_weights = of_weights + sums[2 * row];
    of_changes = of_changes + sums[2 * row + 1];
  }
  const V<T> minus = set(T(-length(s, of_weights, of_changes, double(rows * C))));
  parallel_for(rows, 5 + 0.4 * double(C), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t row = begin; row < end; ++row) {
      T* const w = p.weights + row * C;
      const V<T> of_row = set(of_rows[row]);
      each_vector<T>(C, [=](int64_t i, auto mask) INLINE_LAMBDA {
        store(w + i, fma(minus, change(row, i, of_row, mask), load(w + i, mask)), mask);
      });
    }
  });
}

template <class T>
INLINE void step_whole(const FactoredParameter<T>& p, const AdafactorSettings& s) {
  const V<T> keep = set(T(s.beta)), fresh = set(T(1 - s.beta)), small = set(T(s.epsilon_1));
  const double of_weights =
      squares_of_row<T>(p.columns, [=](int64_t i, auto mask) INLINE_LAMBDA { return load(p.weights + i, mask); });
  const double of_changes = squares_of_row<T>(p.columns, [=](int64_t i, auto mask) INLINE_LAMBDA -> V<T> {
    const V<T> g = load(p.gradients + i, mask);
    const V<T> v = fma(keep, load(p.v + i, mask), fresh * fma(g, g, small));
    store(p.v + i, v, mask);
    return g / sqrt(v);
  });
  const V<T> minus = set(T(-length(s, of_weights, of_changes, double(p.columns))));
  each_vector<T>(p.columns, [=](int64_t i, auto mask) INLINE_LAMBDA {
    const V<T> u = load(p.gradients + i, mask) / sqrt(load(p.v + i, mask));
    store(p.weights + i, fma(minus, u, load(p.weights + i, mask)), mask);
  });
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void adafactor_step(int64_t count, const FactoredParameter<T>* parameters, const AdafactorSettings& s) {
  for (int64_t i = 0; i < count; ++i) {
    const FactoredParameter<T>& p = parameters[i];
    if (p.matrices * p.rows * p.columns == 0) continue;
    p.v ? step_whole(p, s) : step_factored(p, s);
  }
}

template void adafactor_step<Target>(int64_t, const FactoredParameter<float>*, const AdafactorSettings&);
DOUBLE template void adafactor_step<Target>(int64_t, const FactoredParameter<double>*, const AdafactorSettings&);

}  // namespace lamina
