#include "ops/batch_norm.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/columns.h"
#include "cpu/support/elementwise.h"
#include "cpu/support/moments.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr int64_t BLOCK = 64;  // channels that are joined at a time

/// f(Int<1>{}) or f(Int<0>{}).
template <class F>
INLINE void with_flag(bool flag, F&& f) {
  flag ? f(Int<1>{}) : f(Int<0>{});
}

/// body(first, count) for blocks of channels.
template <class F>
INLINE void each_block(int64_t channels, double work, F&& body) {
  parallel_for(ceil_div(channels, BLOCK), work * BLOCK, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t c = begin * BLOCK; c < min_of(end * BLOCK, channels); c += BLOCK) body(c, min_of(BLOCK, channels - c));
  });
}

/// gamma * inverse.
template <class T>
INLINE V<T> scale_at(const BatchNorm<T>& s, int64_t c, auto mask) {
  const V<T> inverse = load(s.inverse + c, mask);
  return s.gamma ? load(s.gamma + c, mask) * inverse : inverse;
}

/// Scale and beta of every channel, in this thread's scratch.
template <class T>
struct Line {
  T *scale, *beta;
};
template <class T>
INLINE Line<T> lines(const BatchNorm<T>& s, Slot slot) {
  T* const scale = scratch_for<T>(slot, 2 * s.channels);
  T* const beta = scale + s.channels;
  each_vector<T>(s.channels, [&](int64_t c, auto mask) INLINE_LAMBDA {
    store(scale + c, scale_at(s, c, mask), mask);
    store(beta + c, s.beta ? load(s.beta + c, mask) : zero<T>(), mask);
  });
  return {scale, beta};
}

/// gamma * (x - mean) * inverse + beta.
template <class T>
INLINE V<T> normalised(V<T> x, const BatchNorm<T>& s, const Line<T>& line, int64_t c, auto mask) {
  return fma(x - load(s.mean + c, mask), load(line.scale + c, mask), load(line.beta + c, mask));
}

/// How dz comes from dy: as it is; through relu, y computed anew from x; through relu by y, and dz is kept; so from a
/// sum.
enum : int { NONE = 1, BY_X = 2, BY_Y = 3, OF_SUM = 4 };

/// The gradient through relu.
template <class T>
INLINE V<T> through_relu(V<T> y, V<T> dy) {
  return select(less(zero<T>(), y), dy, zero<T>());
}

/// Sums of dz and of dz * (x - mean) by part: sums[part][2][channel].
template <class T>
INLINE void gradient_sums(const BatchNorm<T>& s, const Line<T>& line, const T* y, const T* dy, const T* more_dy, T* dz,
                          T* sums) {
  const int64_t C = s.channels;
  const bool past_caches = dz && stream_rows(dz, s.rows, C);
  with_constant<4>(!s.relu   ? NONE
                   : more_dy ? OF_SUM
                   : dz      ? BY_Y
                             : BY_X,
                   [&](auto relu) INLINE_LAMBDA {
                     each_column_part(
                         s.rows, C, 0.2,
                         [&](int64_t part, int64_t row0, int64_t rows, int64_t c0, int64_t columns) INLINE_LAMBDA {
                           sum_columns<2>(rows, columns, sums + part * 2 * C + c0, C,
                                          [=](int64_t row, int64_t column, auto mask, V<T>(&sum)[2]) INLINE_LAMBDA {
                                            const int64_t c = c0 + column, at = (row0 + row) * C + c;
                                            const V<T> x = load(s.x + at, mask);
                                            V<T> d = load(dy + at, mask);
                                            if constexpr (relu == BY_X)
                                              d = through_relu<T>(normalised(x, s, line, c, mask), d);
                                            if constexpr (relu == OF_SUM) d = d + load(more_dy + at, mask);
                                            if constexpr (relu >= BY_Y) {
                                              d = through_relu<T>(load(y + at, mask), d);
                                              past_caches ? stream(dz + at, d) : store(dz + at, d, mask);
                                            }
                                            sum[0] = sum[0] + d;
                                            sum[1] = fma(d, x - load(s.mean + c, mask), sum[1]);
                                          });
                           if (past_caches) stream_fence();
                         });
                   });
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void batch_norm_statistics(int64_t rows, int64_t channels, const T* x, double epsilon, double momentum, T* mean,
                           T* inverse, T* moving_mean, T* moving_variance) {
  if (rows == 0) {
    for (int64_t c = 0; c < channels; ++c) mean[c] = inverse[c] = 0;
    return;
  }
  T* const sums = scratch_for<T>(Slot::caller, ceil_div(rows, PART_ROWS) * 3 * channels);
  each_column_part(
      rows, channels, 0.15, [&](int64_t part, int64_t row0, int64_t count, int64_t c0, int64_t columns) INLINE_LAMBDA {
        moments_of_part(count, columns, channels, x + row0 * channels + c0, sums + part * 3 * channels + c0);
      });
  each_block(channels, double(ceil_div(rows, PART_ROWS)), [&](int64_t c0, int64_t count) INLINE_LAMBDA {
    double means[BLOCK], variances[BLOCK];
    join_statistics(rows, channels, sums, c0, count, means, variances);
    for (int64_t c = 0; c < count; ++c) {
      mean[c0 + c] = T(means[c]);
      inverse[c0 + c] = T(1 / __builtin_sqrt(variances[c] + epsilon));
      if (moving_mean) moving_mean[c0 + c] = T(double(moving_mean[c0 + c]) * momentum + means[c] * (1 - momentum));
      if (moving_variance)
        moving_variance[c0 + c] = T(double(moving_variance[c0 + c]) * momentum + variances[c] * (1 - momentum));
    }
  });
}

template <class Target, class T>
void batch_norm_inverse(int64_t channels, const T* variance, double epsilon, T* inverse) {
  for (int64_t c = 0; c < channels; ++c) inverse[c] = T(1 / __builtin_sqrt(double(variance[c]) + epsilon));
}

template <class Target, class T>
void batch_norm_forward(const BatchNorm<T>& s, const T* residual, T* y) {
  const Line<T> line = lines(s, Slot::caller);
  const bool past_caches = stream_rows(y, s.rows, s.channels);
  with_flag(s.relu, [&](auto relu) INLINE_LAMBDA {
    with_flag(residual != nullptr, [&](auto adds) INLINE_LAMBDA {
      each_row_backwards<T>(s.rows, s.channels, [=](int64_t row, int64_t c, auto mask) INLINE_LAMBDA {
        const int64_t at = row * s.channels + c;
        V<T> v = normalised(load(s.x + at, mask), s, line, c, mask);
        if constexpr (adds) v = v + load(residual + at, mask);
        if constexpr (relu) v = max(zero<T>(), v);
        past_caches ? stream(y + at, v) : store(y + at, v, mask);
      });
    });
  });
}

template <class Target, class T>
void batch_norm_backward(const BatchNorm<T>& s, bool training, const T* y, const T* dy, const T* more_dy, T* dz, T* dx,
                         T* dgamma, T* dbeta) {
  const int64_t C = s.channels, parts = ceil_div(s.rows, PART_ROWS);
  const Line<T> line = lines(s, Slot::caller);
  T* const slope = scratch_for<T>(Slot::caller2, 2 * C);  // dx = dz * scale + (x - mean) * slope + offset
  T* const offset = slope + C;
  if (dz || dgamma || dbeta || (training && dx)) {
    T* const sums = scratch_for<T>(Slot::caller3, parts * 2 * C);
    gradient_sums(s, line, y, dy, more_dy, dz, sums);
    each_block(C, 0.5 * double(parts), [&](int64_t c0, int64_t count) INLINE_LAMBDA {
      double d[BLOCK] = {}, dx_part[BLOCK] = {};
      for (int64_t part = 0; part < parts; ++part)
        for (int64_t c = 0; c < count; ++c) {
          d[c] = d[c] + double(sums[part * 2 * C + c0 + c]);
          dx_part[c] = dx_part[c] + double(sums[(part * 2 + 1) * C + c0 + c]);
        }
      for (int64_t c = 0; c < count; ++c) {
        const double inverse = double(s.inverse[c0 + c]), of_gamma = dx_part[c] * inverse;
        const double scale = double(line.scale[c0 + c]) / double(s.rows);
        slope[c0 + c] = T(-(scale * inverse * of_gamma));
        offset[c0 + c] = T(-(scale * d[c]));
        if (dgamma) dgamma[c0 + c] = T(of_gamma);
        if (dbeta) dbeta[c0 + c] = T(d[c]);
      }
    });
  }
  if (!dx) return;
  const bool past_caches = stream_rows(dx, s.rows, C);
  const T* const from = dz ? dz : dy;
  with_flag(training, [&](auto through_statistics) INLINE_LAMBDA {
    with_flag(s.relu && !dz, [&](auto relu) INLINE_LAMBDA {
      each_row_backwards<T>(s.rows, C, [=](int64_t row, int64_t c, auto mask) INLINE_LAMBDA {
        const int64_t at = row * C + c;
        V<T> d = load(from + at, mask);
        if constexpr (relu) d = through_relu<T>(normalised(load(s.x + at, mask), s, line, c, mask), d);
        const V<T> scale = load(line.scale + c, mask);
        if constexpr (through_statistics)
          d = fma(d, scale,
                  fma(load(s.x + at, mask) - load(s.mean + c, mask), load(slope + c, mask), load(offset + c, mask)));
        else
          d = d * scale;
        past_caches ? stream(dx + at, d) : store(dx + at, d, mask);
      });
    });
  });
}

template void batch_norm_statistics<Target>(int64_t, int64_t, const float*, double, double, float*, float*, float*,
                                            float*);
DOUBLE template void batch_norm_statistics<Target>(int64_t, int64_t, const double*, double, double, double*, double*,
                                                   double*, double*);
template void batch_norm_inverse<Target>(int64_t, const float*, double, float*);
DOUBLE template void batch_norm_inverse<Target>(int64_t, const double*, double, double*);
template void batch_norm_forward<Target>(const BatchNorm<float>&, const float*, float*);
DOUBLE template void batch_norm_forward<Target>(const BatchNorm<double>&, const double*, double*);
template void batch_norm_backward<Target>(const BatchNorm<float>&, bool, const float*, const float*, const float*,
                                          float*, float*, float*, float*);
DOUBLE template void batch_norm_backward<Target>(const BatchNorm<double>&, bool, const double*, const double*,
                                                 const double*, double*, double*, double*, double*);

}  // namespace lamina
