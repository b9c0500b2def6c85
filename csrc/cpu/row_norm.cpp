#include "ops/row_norm.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"

namespace lamina {
namespace LAMINA_ISA {

/// Rows that make one part of the sums over rows.
constexpr int64_t part_rows(int64_t n) { return max_of(4, min_of(64, (64 << 10) / max_of(n, 1))); }

/// What (x - mean) is multiplied by.
template <class T>
INLINE T inverse_of(const RowNorm<T>& s, T squares) {
  if (s.kind != RowNormKind::unit) return T(1 / __builtin_sqrt(double(squares) / double(s.n) + s.epsilon));
  const double norm = __builtin_sqrt(double(squares));
  return T(1 / (norm < s.epsilon ? s.epsilon : norm));
}

template <class T>
INLINE V<T> load_or(const T* p, int64_t i, auto mask, T otherwise) {
  return p ? load(p + i, mask) : set(otherwise);
}

/// The gradient's line for one row: dx = dy * gamma * inverse + (x - mean) * slope + offset.
template <class T>
struct RowLine {
  T mean, inverse, slope, offset;
};
template <class T>
INLINE RowLine<T> line_of(const RowNorm<T>& s, const T* means, const T* inverses, const T* dy, int64_t row) {
  const T mean = means ? means[row] : T(0), inverse = inverses[row];
  const T *const x = s.x + row * s.n, *const d = dy + row * s.n;
  const V<T> centre = set(mean);
  const double along = double(sum_row<T>(s.n, [&](int64_t i, auto mask, V<T>& sum) INLINE_LAMBDA {
    sum = fma(load(d + i, mask) * load_or(s.gamma, i, mask, T(1)), load(x + i, mask) - centre, sum);
  }));
  double share = 1 / double(s.n);
  if (s.kind == RowNormKind::unit) share = double(inverse) < double(T(1 / s.epsilon)) ? 1 : 0;
  const double scale = double(inverse);
  RowLine<T> line{mean, inverse, T(-(scale * scale * scale * along * share)), T(0)};
  if (s.kind == RowNormKind::layer) {
    const double sum = double(sum_row<T>(s.n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA {
      total = fma(load(d + i, mask), load_or(s.gamma, i, mask, T(1)), total);
    }));
    line.offset = T(-(scale * sum / double(s.n)));
  }
  return line;
}

/// dx of ROWS rows, and their share of the sums over rows, which go on from where they are.
template <int ROWS, class T>
INLINE void rows_backward(const RowNorm<T>& s, const RowLine<T>* lines, const T* dy, T* dx, bool past_caches,
                          int64_t row, bool first, T* dgamma, T* dbeta) {
  const T *const x = s.x + row * s.n, *const d = dy + row * s.n;
  T* const to = dx ? dx + row * s.n : nullptr;
  const T* const gamma = s.gamma;
  const int64_t n = s.n;
  each_vector<T>(n, [=](int64_t i, auto mask) INLINE_LAMBDA {
    V<T> of_gamma = first || !dgamma ? zero<T>() : load(dgamma + i, mask);
    V<T> of_beta = first || !dgamma ? zero<T>() : load(dbeta + i, mask);
    const V<T> factor = load_or(gamma, i, mask, T(1));
    unroll<ROWS>([&](auto r) INLINE_LAMBDA {
      const V<T> g = load(d + r * n + i, mask), offset = load(x + r * n + i, mask) - set(lines[r].mean);
      const V<T> inverse = set(lines[r].inverse);
      of_beta = of_beta + g;
      of_gamma = fma(g, offset * inverse, of_gamma);
      if (!to) return;
      const V<T> change = fma(g * factor, inverse, fma(offset, set(lines[r].slope), set(lines[r].offset)));
      past_caches ? stream(to + r * n + i, change) : store(to + r * n + i, change, mask);
    });
    if (!dgamma) return;
    store(dgamma + i, of_gamma, mask);
    store(dbeta + i, of_beta, mask);
  });
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void row_norm_forward(const RowNorm<T>& s, const T* beta, T* mean, T* inverse, T* y) {
  const bool past_caches = stream_rows(y, s.rows, s.n);
  parallel_for(s.rows, 20 + 0.5 * double(s.n), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t row = begin; row < end; ++row) {
      const T* const x = s.x + row * s.n;
      T middle = 0;
      if (mean) {
        const T sum = sum_row<T>(
            s.n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA { total = total + load(x + i, mask); });
        mean[row] = middle = sum / T(s.n);
      }
      const V<T> centre = set(middle);
      const T squares = sum_row<T>(s.n, [&](int64_t i, auto mask, V<T>& total) INLINE_LAMBDA {
        const V<T> d = load(x + i, mask) - centre;
        total = fma(d, d, total);
      });
      inverse[row] = inverse_of(s, squares);
      const V<T> scale = set(inverse[row]);
      const T* const gamma = s.gamma;
      write_row(s.n, y + row * s.n, past_caches, [=](int64_t i, auto mask) INLINE_LAMBDA -> V<T> {
        const V<T> v = (load(x + i, mask) - centre) * scale;
        if (gamma && beta) return fma(v, load(gamma + i, mask), load(beta + i, mask));
        return gamma ? v * load(gamma + i, mask) : beta ? v + load(beta + i, mask) : v;
      });
    }
    if (past_caches) stream_fence();
  });
}

template <class Target, class T>
void row_norm_backward(const RowNorm<T>& s, const T* mean, const T* inverse, const T* dy, T* dx, T* dgamma, T* dbeta) {
  constexpr int GROUP = 4;
  const int64_t n = s.n, size = part_rows(n), parts = ceil_div(s.rows, size);
  const bool past_caches = dx && stream_rows(dx, s.rows, n), sums_wanted = dgamma || dbeta;
  T* const sums = sums_wanted ? scratch_for<T>(Slot::caller, max_of(1, parts * 2 * n)) : nullptr;
  parallel_for(parts, double(size) * (40 + 0.8 * double(n)), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t part = begin; part < end; ++part) {
      const int64_t from = part * size, to = min_of(from + size, s.rows);
      T* const of_gamma = sums ? sums + part * 2 * n : nullptr;
      T* const of_beta = sums ? of_gamma + n : nullptr;
      RowLine<T> lines[GROUP];
      int64_t row = from;
      const auto step = [&](auto rows) INLINE_LAMBDA {
        for (; row + rows <= to; row += rows) {
          unroll<rows>([&](auto r) INLINE_LAMBDA { lines[r] = line_of(s, mean, inverse, dy, row + r); });
          rows_backward<rows>(s, lines, dy, dx, past_caches, row, row == from, of_gamma, of_beta);
        }
      };
      step(Int<GROUP>{});
      step(Int<1>{});
    }
    if (past_caches) stream_fence();
  });
  if (!sums) return;
  constexpr int64_t BLOCK = 64;
  parallel_for(ceil_div(n, BLOCK), double(parts * BLOCK), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t c0 = begin * BLOCK; c0 < min_of(end * BLOCK, n); c0 += BLOCK) {
      double of_gamma[BLOCK] = {}, of_beta[BLOCK] = {};
      const int64_t count = min_of(BLOCK, n - c0);
      for (int64_t part = 0; part < parts; ++part)
        for (int64_t c = 0; c < count; ++c) {
          of_gamma[c] = of_gamma[c] + double(sums[part * 2 * n + c0 + c]);
          of_beta[c] = of_beta[c] + double(sums[part * 2 * n + n + c0 + c]);
        }
      for (int64_t c = 0; c < count; ++c) {
        if (dgamma) dgamma[c0 + c] = T(of_gamma[c]);
        if (dbeta) dbeta[c0 + c] = T(of_beta[c]);
      }
    }
  });
}

template void row_norm_forward<Target>(const RowNorm<float>&, const float*, float*, float*, float*);
DOUBLE template void row_norm_forward<Target>(const RowNorm<double>&, const double*, double*, double*, double*);
template void row_norm_backward<Target>(const RowNorm<float>&, const float*, const float*, const float*, float*, float*,
                                        float*);
DOUBLE template void row_norm_backward<Target>(const RowNorm<double>&, const double*, const double*, const double*,
                                               double*, double*, double*);

}  // namespace lamina
