#include "cuda/support/columns.cuh"
#include "ops/group_norm.h"

namespace lamina::cuda {
namespace group_norm_op {

/// What the elements of a sample's channel are computed with: [line][sample][channel].
template <class T>
struct Lines {
  T *centre, *scale, *slope, *offset;
  Lines(T* memory, int64_t size)
      : centre(memory), scale(memory + size), slope(memory + 2 * size), offset(memory + 3 * size) {}
};

/// A thread has a group of a sample.
template <class S>
struct GroupStatistics {
  using T = Computed<S>;
  GroupNorm<S> s;
  double epsilon;
  const Statistics* channels;  // [sample][channel]
  T *mean, *inverse;
  Lines<T> lines;
  __device__ void operator()(int64_t i) const {
    const int64_t D = s.channels / s.groups;
    const Split at = split(i, s.groups);
    const int64_t first = at.rest * s.channels + at.at * D;
    double total = 0, squares = 0;
    for (int64_t k = 0; k < D; ++k) total = total + channels[first + k].mean;
    const double middle = total / double(D);
    for (int64_t k = 0; k < D; ++k) {
      const double d = channels[first + k].mean - middle;
      squares = squares + (channels[first + k].variance + d * d);
    }
    const T centre = T(middle), of_group = T(1 / sqrt(squares / double(D) + epsilon));
    mean[i] = centre;
    inverse[i] = of_group;
    for (int64_t k = 0; k < D; ++k) {
      lines.centre[first + k] = centre;
      lines.scale[first + k] = scaled(s.gamma, at.at * D + k, of_group);
    }
  }
};

/// Sums over the pixels of a part, of dy and of dy * (x - mean): sums[sample][part][2][channel].
template <class S>
struct PixelSums {
  using T = Computed<S>;
  GroupNorm<S> s;
  const T* mean;
  const S* dy;
  T* sums;
  __device__ void operator()(int64_t i) const {
    const int64_t C = s.channels;
    const ColumnPart p(i, s.pixels, C, parts_of(s.pixels));
    const T centre = mean[p.sample * s.groups + p.column / (C / s.groups)];
    T sum = 0, along = 0;
    struct Row {
      S x, dy;
    };
    const auto read = [&](int64_t row) { return Row{s.x[p.first + row * C], dy[p.first + row * C]}; };
    each_row_ahead<16>(0, p.count, read, [&](int64_t, const Row& of) {
      const T d = of.dy;
      sum = sum + d;
      along = fma(d, of.x - centre, along);
    });
    T* const to = sums + (i - p.column) * 2 + p.column;
    to[0] = sum;
    to[C] = along;
  }
};

/// A thread has a group of a sample. sums: [sample][2][channel]; those along x become dgamma's.
template <class S>
struct GroupGradients {
  using T = Computed<S>;
  GroupNorm<S> s;
  const T *mean, *inverse;
  double* sums;
  Lines<T> lines;
  __device__ void operator()(int64_t i) const {
    const int64_t C = s.channels, D = C / s.groups;
    const Split at = split(i, s.groups);
    const int64_t c0 = at.at * D, first = at.rest * C + c0;
    double *const plain = sums + at.rest * 2 * C + c0, *const along_x = plain + C;
    double all = 0, along = 0;
    for (int64_t k = 0; k < D; ++k) {
      const double gamma = s.gamma ? double(s.gamma[c0 + k]) : 1;
      all = all + gamma * plain[k];
      along = along + gamma * along_x[k];
    }
    const double of_group = double(inverse[i]), share = of_group / double(s.pixels * D);
    const T slope = T(-(share * of_group * of_group * along)), offset = T(-(share * all));
    for (int64_t k = 0; k < D; ++k) {
      lines.centre[first + k] = mean[i];
      lines.scale[first + k] = scaled(s.gamma, c0 + k, inverse[i]);
      lines.slope[first + k] = slope;
      lines.offset[first + k] = offset;
      along_x[k] = along_x[k] * of_group;
    }
  }
};

/// y = (x - centre) * scale + beta.
template <class S>
struct Forward {
  using T = Computed<S>;
  GroupNorm<S> s;
  const T* beta;
  Lines<T> lines;
  S* y;
  template <int N>
  __device__ void run(int64_t at) const {
    const Split c = split(at, s.channels);
    const int64_t line = split(c.rest, s.pixels).rest * s.channels + c.at;
    const Pack<T, N> centre = load_pack<N>(lines.centre + line), scale = load_pack<N>(lines.scale + line);
    const Pack<T, N> added = load_or_zero<N>(beta, c.at);
    Pack<T, N> v = load_wide<N>(s.x + at);
#pragma unroll
    for (int e = 0; e < N; ++e) v[e] = fma(v[e] - centre[e], scale[e], added[e]);
    store_wide(y + at, v);
  }
};

/// dx = dy * scale + (x - centre) * slope + offset.
template <class S>
struct Backward {
  using T = Computed<S>;
  GroupNorm<S> s;
  Lines<T> lines;
  const S* dy;
  S* dx;
  template <int N>
  __device__ void run(int64_t at) const {
    const Split c = split(at, s.channels);
    const int64_t line = split(c.rest, s.pixels).rest * s.channels + c.at;
    const Pack<T, N> centre = load_pack<N>(lines.centre + line), scale = load_pack<N>(lines.scale + line);
    const Pack<T, N> slope = load_pack<N>(lines.slope + line), offset = load_pack<N>(lines.offset + line);
    const Pack<T, N> x = load_wide<N>(s.x + at);
    Pack<T, N> d = load_wide<N>(dy + at);
#pragma unroll
    for (int e = 0; e < N; ++e) d[e] = fma(d[e], scale[e], fma(x[e] - centre[e], slope[e], offset[e]));
    store_wide(dx + at, d);
  }
};

}  // namespace group_norm_op
using namespace group_norm_op;

template <class S, class T>
void group_norm_forward(const GroupNorm<S>& s, const T* beta, double epsilon, T* mean, T* inverse, S* y,
                        Stream stream) {
  const int64_t C = s.channels, pixels = s.pixels, parts = parts_of(pixels);
  const Scratch<T> of_parts(s.samples * parts * 3 * C, stream), memory(s.samples * 4 * C, stream);
  const Scratch<Statistics> of_channels(s.samples * C, stream);
  T* const sums = of_parts.data();
  Statistics* const channels = of_channels.data();
  const Lines<T> lines(memory.data(), s.samples * C);
  moments_of_parts(s.samples, pixels, C, s.x, sums, stream);
  each(s.samples * C, stream, [=] __device__(int64_t i) {
    const Split c = split(i, C);
    channels[i] = join_statistics(pixels, C, sums + c.rest * parts * 3 * C + c.at);
  });
  each(s.samples * s.groups, stream, GroupStatistics<S>{s, epsilon, channels, mean, inverse, lines});
  each_pack<S>(s.samples * pixels * C, packs_fit<S>(C, s.x, y, beta), stream, Forward<S>{s, beta, lines, y});
}

template <class S, class T>
void group_norm_backward(const GroupNorm<S>& s, const T* mean, const T* inverse, const S* dy, S* dx, T* dgamma,
                         T* dbeta, Stream stream) {
  const int64_t C = s.channels, samples = s.samples, parts = parts_of(s.pixels);
  const Scratch<T> of_parts(samples * parts * 2 * C, stream), memory(samples * 4 * C, stream);
  const Scratch<double> of_samples(samples * 2 * C, stream);
  T* const by_part = of_parts.data();
  double* const sums = of_samples.data();
  const Lines<T> lines(memory.data(), samples * C);
  each(samples * parts * C, stream, PixelSums<S>{s, mean, dy, by_part});
  each(samples * 2 * C, stream, [=] __device__(int64_t i) {
    const Split c = split(i, 2 * C);
    sums[i] = sum_of_parts(parts, by_part + c.rest * parts * 2 * C + c.at, 2 * C);
  });
  each(samples * s.groups, stream, GroupGradients<S>{s, mean, inverse, sums, lines});
  if (dx) each_pack<S>(samples * s.pixels * C, packs_fit<S>(C, s.x, dy, dx), stream, Backward<S>{s, lines, dy, dx});
  if (!dgamma && !dbeta) return;
  each(C, stream, [=] __device__(int64_t c) {
    if (dbeta) dbeta[c] = T(sum_of_parts(samples, sums + c, 2 * C));
    if (dgamma) dgamma[c] = T(sum_of_parts(samples, sums + C + c, 2 * C));
  });
}

template void group_norm_forward(const GroupNorm<float>&, const float*, double, float*, float*, float*, Stream);
template void group_norm_forward(const GroupNorm<double>&, const double*, double, double*, double*, double*, Stream);
template void group_norm_backward(const GroupNorm<float>&, const float*, const float*, const float*, float*, float*,
                                  float*, Stream);
template void group_norm_backward(const GroupNorm<double>&, const double*, const double*, const double*, double*,
                                  double*, double*, Stream);
template void group_norm_forward(const GroupNorm<Float16>&, const float*, double, float*, float*, Float16*, Stream);
template void group_norm_backward(const GroupNorm<Float16>&, const float*, const float*, const Float16*, Float16*,
                                  float*, float*, Stream);
template void group_norm_forward(const GroupNorm<BFloat16>&, const float*, double, float*, float*, BFloat16*, Stream);
template void group_norm_backward(const GroupNorm<BFloat16>&, const float*, const float*, const BFloat16*, BFloat16*,
                                  float*, float*, Stream);

}  // namespace lamina::cuda
