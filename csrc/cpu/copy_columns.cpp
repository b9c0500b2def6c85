#include "ops/copy_columns.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/parallel.h"

namespace lamina {
using namespace LAMINA_ISA;

template <class Target>
void copy_columns(int64_t rows, int64_t bytes, const char* x, int64_t x_stride, char* y, int64_t y_stride) {
  constexpr int64_t BLOCK = int64_t(64) << 10;  // few long rows are shared out too
  const int64_t blocks = ceil_div(bytes, BLOCK);
  parallel_for(rows * blocks, 5 + 0.1 * min_of(bytes, BLOCK), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t row = task / blocks, from = task % blocks * BLOCK;
      std::memcpy(y + row * y_stride + from, x + row * x_stride + from, size_t(min_of(BLOCK, bytes - from)));
    }
  });
}

template void copy_columns<Target>(int64_t, int64_t, const char*, int64_t, char*, int64_t);

}  // namespace lamina
