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

}  // namespace lamina
