#include "cuda/support/elementwise.cuh"
#include "ops/dropout.h"
#include "support/philox.h"

namespace lamina::cuda {
namespace dropout_op {

constexpr int64_t TILE = 128;  // elements that 16 random numbers decide on

/// A random number's eight elements, 16 apart.
template <class T>
struct Drop {
  int64_t n;
  const T* x;
  uint32_t dropped;
  T scale;
  Setting<uint64_t> seed, stream;
  T* y;
  __device__ void operator()(int64_t number) const {
    const Philox<uint64_t> random =
        philox<uint64_t>(uint64_t(number), uint64_t(number) >> 32, stream.get(), seed.get());
    const int64_t first = number / 16 * TILE + number % 16;
    T value[8];
#pragma unroll
    for (int k = 0; k < 8; ++k) value[k] = first + 16 * k < n ? x[first + 16 * k] : T(0);
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      const uint32_t drawn = uint32_t(random.word[k / 2]) >> (k % 2 * 16) & 0xffff;
      if (first + 16 * k < n) y[first + 16 * k] = drawn >= dropped ? value[k] * scale : T(0);
    }
  }
};

}  // namespace dropout_op

template <class T>
void dropout(int64_t n, const T* x, int dropped, Setting<uint64_t> seed, Setting<uint64_t> stream_number, T* y,
             Stream stream) {
  const T scale = dropped < 65536 ? T(65536) / T(65536 - dropped) : T(0);
  each(ceil_div(n, dropout_op::TILE) * 16, stream,
       dropout_op::Drop<T>{n, x, uint32_t(dropped), scale, seed, stream_number, y});
}

template void dropout(int64_t, const float*, int, Setting<uint64_t>, Setting<uint64_t>, float*, Stream);
template void dropout(int64_t, const double*, int, Setting<uint64_t>, Setting<uint64_t>, double*, Stream);

}  // namespace lamina::cuda
