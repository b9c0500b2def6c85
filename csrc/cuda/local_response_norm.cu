#include "cuda/support/packs.cuh"
#include "ops/local_response_norm.h"
#include "support/local_response_norm.h"

namespace lamina::cuda {
namespace local_response_norm_op {

/// The sum of f(c) for `size` channels from `first` on; 0 stands for those that are not there.
template <class T, class F>
__device__ T window(const LocalResponseNorm& s, int64_t first, F&& f) {
  const auto value = [&](int64_t c) { return c >= 0 && c < s.channels ? f(c) : T(0); };
  T sum = value(first);
  for (int64_t c = first + 1; c < first + s.size; ++c) sum = sum + value(c);
  return sum;
}

/// k + alpha / size * (sum of x^2 near channel c) of a row.
template <class T>
__device__ T scale_at(const LocalResponseNorm& s, const T* row, int64_t c) {
  return fma(window<T>(s, c - s.size / 2, [&](int64_t i) { return row[i] * row[i]; }), T(s.alpha / double(s.size)),
             T(s.k));
}

template <class T>
struct Forward {
  LocalResponseNorm s;
  const T* x;
  T* y;
  __device__ void operator()(int64_t i) const {
    const int64_t c = split(i, s.channels).at;
    y[i] = x[i] * power_of<T>(scale_at(s, x + (i - c), c), s.beta);
  }
};

/// dx begins as dy s^-beta; slopes: that times x / s.
template <class T>
struct Slopes {
  LocalResponseNorm s;
  const T *x, *dy;
  T *dx, *slopes;
  __device__ void operator()(int64_t i) const {
    const int64_t c = split(i, s.channels).at;
    const T sum = scale_at(s, x + (i - c), c), factor = dy[i] * power_of<T>(sum, s.beta);
    dx[i] = factor;
    slopes[i] = factor * x[i] / sum;
  }
};

template <class T>
struct Backward {
  LocalResponseNorm s;
  const T *x, *slopes;
  T* dx;
  __device__ void operator()(int64_t i) const {
    const int64_t c = split(i, s.channels).at;
    const T* const row = slopes + (i - c);
    const T minus = T(-2 * s.alpha * s.beta / double(s.size));
    dx[i] = fma(x[i] * minus, window<T>(s, c - (s.size - 1) / 2, [&](int64_t k) { return row[k]; }), dx[i]);
  }
};

}  // namespace local_response_norm_op
using namespace local_response_norm_op;

template <class T>
void local_response_norm_forward(const LocalResponseNorm& s, const T* x, T* y, Stream stream) {
  each(s.rows * s.channels, stream, Forward<T>{s, x, y});
}

template <class T>
void local_response_norm_backward(const LocalResponseNorm& s, const T* x, const T* dy, T* dx, Stream stream) {
  const Scratch<T> slopes(s.rows * s.channels, stream);
  each(s.rows * s.channels, stream, Slopes<T>{s, x, dy, dx, slopes.data()});
  each(s.rows * s.channels, stream, Backward<T>{s, x, slopes.data(), dx});
}

template void local_response_norm_forward(const LocalResponseNorm&, const float*, float*, Stream);
template void local_response_norm_forward(const LocalResponseNorm&, const double*, double*, Stream);
template void local_response_norm_backward(const LocalResponseNorm&, const float*, const float*, float*, Stream);
template void local_response_norm_backward(const LocalResponseNorm&, const double*, const double*, double*, Stream);

}  // namespace lamina::cuda
