#include "ops/group_norm.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/elementwise.h"
#include "cpu/support/moments.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr int64_t BLOCK = 64;  // channels that are joined at a time

/// One sample's mean and inverse of each group.
template <class T>
INLINE void group_statistics(const GroupNorm<T>& s, const T* x, double epsilon, T* mean, T* inverse) {
  const int64_t C = s.channels, D = C / s.groups;
  T* const sums = scratch_for<T>(Slot::caller, ceil_div(s.pixels, PART_ROWS) * 3 * C);
  each_column_part(s.pixels, C, 0.15,
                   [&](int64_t part, int64_t row0, int64_t count, int64_t c0, int64_t columns) INLINE_LAMBDA {
                     moments_of_part(count, columns, C, x + row0 * C + c0, sums + part * 3 * C + c0);
                   });
  double* const means = scratch_for<double>(Slot::caller2, 2 * C);
  double* const variances = means + C;
  for (int64_t c = 0; c < C; c += BLOCK)
    join_statistics(s.pixels, C, sums, c, min_of(BLOCK, C - c), means + c, variances + c);
  for (int64_t g = 0; g < s.groups; ++g) {
    double total = 0, squares = 0;
    for (int64_t c = g * D; c < (g + 1) * D; ++c) total = total + means[c];
    const double middle = total / double(D);
    for (int64_t c = g * D; c < (g + 1) * D; ++c) {
      const double d = means[c] - middle;
      squares = squares + (variances[c] + d * d);
    }
    mean[g] = T(middle);
    inverse[g] = T(1 / __builtin_sqrt(squares / double(D) + epsilon));
  }
}

/// One sample's sums over pixels, in float64: of dy, and of dy * (x - mean): sums[2][channel].
template <class T>
INLINE void pixel_sums(const GroupNorm<T>& s, const T* x, const T* dy, const T* centre, double* sums) {
  const int64_t C = s.channels, parts = ceil_div(s.pixels, PART_ROWS);
  T* const by_part = scratch_for<T>(Slot::caller, max_of(1, parts * 2 * C));
  each_column_part(s.pixels, C, 0.2,
                   [&](int64_t part, int64_t row0, int64_t count, int64_t c0, int64_t columns) INLINE_LAMBDA {
                     sum_columns<2>(count, columns, by_part + part * 2 * C + c0, C,
                                    [=](int64_t row, int64_t column, auto mask, V<T>(&sum)[2]) INLINE_LAMBDA {
                                      const int64_t c = c0 + column, at = (row0 + row) * C + c;
                                      const V<T> d = load(dy + at, mask);
                                      sum[0] = sum[0] + d;
                                      sum[1] = fma(d, load(x + at, mask) - load(centre + c, mask), sum[1]);
                                    });
                   });
  for (int64_t i = 0; i < 2 * C; ++i) sums[i] = 0;
  for (int64_t part = 0; part < parts; ++part)
    for (int64_t i = 0; i < 2 * C; ++i) sums[i] = sums[i] + double(by_part[part * 2 * C + i]);
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void group_norm_forward(const GroupNorm<T>& s, const T* beta, double epsilon, T* mean, T* inverse, T* y) {
  const int64_t C = s.channels, size = s.pixels * C, D = C / s.groups;
  const bool past_caches = stream_rows(y, s.samples * s.pixels, C);
  parallel_for(s.samples, 1e3 + 0.3 * double(size), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t sample = begin; sample < end; ++sample) {
      const T* const x = s.x + sample * size;
      T* const to = y + sample * size;
      T *const means = mean + sample * s.groups, *const inverses = inverse + sample * s.groups;
      group_statistics(s, x, epsilon, means, inverses);
      T* const centre = scratch_for<T>(Slot::caller3, 3 * C);
      T *const scale = centre + C, *const shift = scale + C;
      for (int64_t c = 0; c < C; ++c) {
        centre[c] = means[c / D];
        scale[c] = s.gamma ? s.gamma[c] * inverses[c / D] : inverses[c / D];
        shift[c] = beta ? beta[c] : T(0);
      }
      each_row_backwards<T>(s.pixels, C, [=](int64_t row, int64_t c, auto mask) INLINE_LAMBDA {
        const int64_t at = row * C + c;
        const V<T> v = fma(load(x + at, mask) - load(centre + c, mask), load(scale + c, mask), load(shift + c, mask));
        past_caches ? stream(to + at, v) : store(to + at, v, mask);
      });
    }
  });
}

template <class Target, class T>
void group_norm_backward(const GroupNorm<T>& s, const T* mean, const T* inverse, const T* dy, T* dx, T* dgamma,
                         T* dbeta) {
  const int64_t C = s.channels, size = s.pixels * C, D = C / s.groups;
  const bool past_caches = dx && stream_rows(dx, s.samples * s.pixels, C);
  double* const sums = scratch_for<double>(Slot::gemm, max_of(1, s.samples * 2 * C));
  parallel_for(s.samples, 1e3 + 0.5 * double(size), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t sample = begin; sample < end; ++sample) {
      const T *const x = s.x + sample * size, *const d = dy + sample * size;
      double* const of_sample = sums + sample * 2 * C;
      T* const centre = scratch_for<T>(Slot::caller3, 4 * C);
      T *const scale = centre + C, *const slope = scale + C, *const offset = slope + C;
      for (int64_t c = 0; c < C; ++c) {
        const T of_group = inverse[sample * s.groups + c / D];
        centre[c] = mean[sample * s.groups + c / D];
        scale[c] = s.gamma ? s.gamma[c] * of_group : of_group;
      }
      pixel_sums(s, x, d, centre, of_sample);
      for (int64_t g = 0; g < s.groups; ++g) {
        double all = 0, along = 0;
        for (int64_t c = g * D; c < (g + 1) * D; ++c) {
          const double gamma = s.gamma ? double(s.gamma[c]) : 1;
          all = all + gamma * of_sample[c];
          along = along + gamma * of_sample[C + c];
        }
        const double of_group = double(inverse[sample * s.groups + g]), share = of_group / double(s.pixels * D);
        for (int64_t c = g * D; c < (g + 1) * D; ++c) {
          slope[c] = T(-(share * of_group * of_group * along));
          offset[c] = T(-(share * all));
          of_sample[C + c] = of_sample[C + c] * of_group;
        }
      }
      if (!dx) continue;
      T* const to = dx + sample * size;
      each_row_backwards<T>(s.pixels, C, [=](int64_t row, int64_t c, auto mask) INLINE_LAMBDA {
        const int64_t at = row * C + c;
        const V<T> from_mean = load(x + at, mask) - load(centre + c, mask);
        const V<T> v = fma(load(d + at, mask), load(scale + c, mask),
                           fma(from_mean, load(slope + c, mask), load(offset + c, mask)));
        past_caches ? stream(to + at, v) : store(to + at, v, mask);
      });
    }
  });
  for (int64_t c = 0; c < C; ++c) {
    double of_beta = 0, of_gamma = 0;
    for (int64_t sample = 0; sample < s.samples; ++sample) {
      of_beta = of_beta + sums[sample * 2 * C + c];
      of_gamma = of_gamma + sums[sample * 2 * C + C + c];
    }
    if (dgamma) dgamma[c] = T(of_gamma);
    if (dbeta) dbeta[c] = T(of_beta);
  }
}

template void group_norm_forward<Target>(const GroupNorm<float>&, const float*, double, float*, float*, float*);
DOUBLE template void group_norm_forward<Target>(const GroupNorm<double>&, const double*, double, double*, double*,
                                                double*);
template void group_norm_backward<Target>(const GroupNorm<float>&, const float*, const float*, const float*, float*,
                                          float*, float*);
DOUBLE template void group_norm_backward<Target>(const GroupNorm<double>&, const double*, const double*, const double*,
                                                 double*, double*, double*);

}  // namespace lamina
