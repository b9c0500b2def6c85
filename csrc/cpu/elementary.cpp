#include "ops/elementary.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/activation.h"
#include "cpu/support/elementwise.h"

namespace lamina {
using namespace LAMINA_ISA;

template <class Target, class T>
void exp_forward(int64_t n, const T* x, T* y) {
  map(n, 0.5, [](V<T> v) INLINE_LAMBDA { return exp(v); }, y, x);
}

template <class Target, class T>
void log_forward(int64_t n, const T* x, T* y) {
  map(n, 0.7, [](V<T> v) INLINE_LAMBDA { return log(v); }, y, x);
}

template <class Target, class T>
void expm1_forward(int64_t n, const T* x, T* y) {
  map(n, 0.5, [](V<T> v) INLINE_LAMBDA { return expm1(v); }, y, x);
}

template <class Target, class T>
void log1p_forward(int64_t n, const T* x, T* y) {
  map(n, 0.8, [](V<T> v) INLINE_LAMBDA { return log1p(v); }, y, x);
}

template <class Target, class T>
void sqrt_forward(int64_t n, const T* x, T* y) {
  map(n, 0.4, [](V<T> v) INLINE_LAMBDA { return sqrt(v); }, y, x);
}

template <class Target, class T>
void erf_forward(int64_t n, const T* x, T* y) {
  map(n, 0.9, [](V<T> v) INLINE_LAMBDA { return erf(v); }, y, x);
}

template <class Target, class T>
void sigmoid_forward(int64_t n, const T* x, T* y) {
  map(n, 0.6, [](V<T> v) INLINE_LAMBDA { return sigmoid(v); }, y, x);
}

template <class Target, class T>
void tanh_forward(int64_t n, const T* x, T* y) {
  map(n, 0.6, [](V<T> v) INLINE_LAMBDA { return tanh(v); }, y, x);
}

template <class Target, class T>
void binary_step_forward(int64_t n, const T* x, T* y) {
  const auto step = [](V<T> v) INLINE_LAMBDA {
    return select(unordered(v, v), v, select(less(v, zero<T>()), zero<T>(), set(T(1))));
  };
  map(n, 0.2, step, y, x);
}

template <class Target, class T>
void exp_backward(int64_t n, const T* y, const T* dy, T* dx) {
  map(n, 0.3, [](V<T> out, V<T> d) INLINE_LAMBDA { return d * out; }, dx, y, dy);
}

template <class Target, class T>
void log_backward(int64_t n, const T* x, const T* dy, T* dx) {
  map(n, 0.4, [](V<T> v, V<T> d) INLINE_LAMBDA { return d / v; }, dx, x, dy);
}

template <class Target, class T>
void expm1_backward(int64_t n, const T* y, const T* dy, T* dx) {
  map(n, 0.3, [](V<T> out, V<T> d) INLINE_LAMBDA { return d * (out + set(T(1))); }, dx, y, dy);
}

template <class Target, class T>
void log1p_backward(int64_t n, const T* x, const T* dy, T* dx) {
  map(n, 0.4, [](V<T> v, V<T> d) INLINE_LAMBDA { return d / (v + set(T(1))); }, dx, x, dy);
}

template <class Target, class T>
void sqrt_backward(int64_t n, const T* y, const T* dy, T* dx) {
  map(n, 0.4, [](V<T> out, V<T> d) INLINE_LAMBDA { return d / (out + out); }, dx, y, dy);
}

template <class Target, class T>
void erf_backward(int64_t n, const T* x, const T* dy, T* dx) {
  constexpr T TWO_BY_ROOT_PI = T(0x1.20dd750429b6dp+0);
  const auto gradient = [](V<T> v, V<T> d) INLINE_LAMBDA { return d * (exp(-(v * v)) * set(TWO_BY_ROOT_PI)); };
  map(n, 0.6, gradient, dx, x, dy);
}

template <class Target, class T>
void sigmoid_backward(int64_t n, const T* y, const T* dy, T* dx) {
  const auto gradient = [](V<T> out, V<T> d)
                            INLINE_LAMBDA { return activation_gradient<Activation::sigmoid, T>(out, d); };
  map(n, 0.3, gradient, dx, y, dy);
}

template <class Target, class T>
void tanh_backward(int64_t n, const T* y, const T* dy, T* dx) {
  const auto gradient = [](V<T> out, V<T> d) INLINE_LAMBDA { return activation_gradient<Activation::tanh, T>(out, d); };
  map(n, 0.3, gradient, dx, y, dy);
}

template void exp_forward<Target>(int64_t, const float*, float*);
template void exp_forward<Target>(int64_t, const double*, double*);
template void log_forward<Target>(int64_t, const float*, float*);
template void log_forward<Target>(int64_t, const double*, double*);
template void expm1_forward<Target>(int64_t, const float*, float*);
template void expm1_forward<Target>(int64_t, const double*, double*);
template void log1p_forward<Target>(int64_t, const float*, float*);
template void log1p_forward<Target>(int64_t, const double*, double*);
template void sqrt_forward<Target>(int64_t, const float*, float*);
template void sqrt_forward<Target>(int64_t, const double*, double*);
template void erf_forward<Target>(int64_t, const float*, float*);
template void erf_forward<Target>(int64_t, const double*, double*);
template void sigmoid_forward<Target>(int64_t, const float*, float*);
template void sigmoid_forward<Target>(int64_t, const double*, double*);
template void tanh_forward<Target>(int64_t, const float*, float*);
template void tanh_forward<Target>(int64_t, const double*, double*);
template void binary_step_forward<Target>(int64_t, const float*, float*);
template void binary_step_forward<Target>(int64_t, const double*, double*);
template void exp_backward<Target>(int64_t, const float*, const float*, float*);
template void exp_backward<Target>(int64_t, const double*, const double*, double*);
template void log_backward<Target>(int64_t, const float*, const float*, float*);
template void log_backward<Target>(int64_t, const double*, const double*, double*);
template void expm1_backward<Target>(int64_t, const float*, const float*, float*);
template void expm1_backward<Target>(int64_t, const double*, const double*, double*);
template void log1p_backward<Target>(int64_t, const float*, const float*, float*);
template void log1p_backward<Target>(int64_t, const double*, const double*, double*);
template void sqrt_backward<Target>(int64_t, const float*, const float*, float*);
template void sqrt_backward<Target>(int64_t, const double*, const double*, double*);
template void erf_backward<Target>(int64_t, const float*, const float*, float*);
template void erf_backward<Target>(int64_t, const double*, const double*, double*);
template void sigmoid_backward<Target>(int64_t, const float*, const float*, float*);
template void sigmoid_backward<Target>(int64_t, const double*, const double*, double*);
template void tanh_backward<Target>(int64_t, const float*, const float*, float*);
template void tanh_backward<Target>(int64_t, const double*, const double*, double*);

}  // namespace lamina
