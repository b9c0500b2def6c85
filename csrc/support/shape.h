// Shapes: checked products and the geometry of a sliding window. No Python, no CUDA.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>

namespace lamina {

/// The product of non-negative sizes; throws std::overflow_error where it leaves 63 bits.
template <class... Sizes>
inline int64_t product(Sizes... sizes) {
  int64_t result = 1;
  for (int64_t size : {int64_t(sizes)...})
    if (__builtin_mul_overflow(result, size, &result))
      throw std::overflow_error("shape: the number of elements overflows");
  return result;
}

/// One spatial axis under a sliding window (convolution, pooling).
/// Window position o covers input o * stride - before + i * dilation for i in [0, kernel).
struct Axis {
  int64_t input, kernel, stride = 1, dilation = 1, before = 0, after = 0;

  // Always inlined: kernels compiled for AVX-512 call them, and the linker would keep one copy for everybody.
  [[gnu::always_inline]] int64_t extent() const { return (kernel - 1) * dilation + 1; }
  [[gnu::always_inline]] int64_t output() const { return (input + before + after - extent()) / stride + 1; }

  /// Throws std::invalid_argument unless the window makes sense and fits at least once.
  void check(const char* op) const {
    const auto fail = [&](const char* what) { throw std::invalid_argument(std::string(op) + ": " + what); };
    constexpr int64_t most = int64_t(1) << 31;  // keeps every product below 2^63
    if (input < 1 || input >= most) fail("spatial size must be in [1, 2^31)");
    if (kernel < 1 || stride < 1 || dilation < 1) fail("kernel, strides and dilation must be at least 1");
    if (kernel >= most || stride >= most || dilation >= most) fail("kernel, strides and dilation must be below 2^31");
    if (before < 0 || after < 0 || before >= most || after >= most) fail("padding must be in [0, 2^31)");
    if (extent() > input + before + after) fail("the window is larger than the padded input");
  }
};

/// The common shape of two C-contiguous arrays under NumPy's broadcasting, in as few axes as do; outermost first.
/// An array's stride (in elements) along an axis that it is repeated on is 0; on the last axis it is 0 or 1.
struct Broadcast {
  static constexpr int MOST = 32;
  int axes = 0;
  int64_t size[MOST], a_stride[MOST], b_stride[MOST];
  int64_t elements = 1;

  /// Shapes are aligned at the last axis. Throws std::invalid_argument where they do not fit.
  Broadcast(const char* op, int a_axes, const int64_t* a_shape, int b_axes, const int64_t* b_shape) {
    const auto fail = [&](const char* what) { throw std::invalid_argument(std::string(op) + ": " + what); };
    if (a_axes > MOST || b_axes > MOST) fail("more than 32 dimensions");
    int64_t a_run = 1, b_run = 1;
    int most = MOST;  // axes are found from the last one on: they stand in [most, MOST)
    for (int i = 1; i <= a_axes || i <= b_axes; ++i) {
      const int64_t m = i <= a_axes ? a_shape[a_axes - i] : 1, n = i <= b_axes ? b_shape[b_axes - i] : 1;
      if (m != n && m != 1 && n != 1) fail("shapes do not broadcast");
      const int64_t count = m == 1 ? n : m, a_step = m == 1 ? 0 : a_run, b_step = n == 1 ? 0 : b_run;
      a_run = product(a_run, m);
      b_run = product(b_run, n);
      if (count == 1) continue;
      if (most < MOST && a_step == a_stride[most] * size[most] && b_step == b_stride[most] * size[most]) {
        size[most] = product(size[most], count);
        continue;
      }
      --most;
      size[most] = count;
      a_stride[most] = a_step;
      b_stride[most] = b_step;
    }
    axes = MOST - most;
    for (int i = 0; i < axes; ++i) {
      size[i] = size[most + i];
      a_stride[i] = a_stride[most + i];
      b_stride[i] = b_stride[most + i];
    }
    if (axes == 0) {  // one element
      axes = 1;
      size[0] = a_stride[0] = b_stride[0] = 1;
    }
    for (int i = 0; i < axes; ++i) elements = product(elements, size[i]);
  }
};

}  // namespace lamina
