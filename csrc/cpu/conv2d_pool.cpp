// A convolution and the max pool behind it: images by the group, each group by one thread from end to end.
#include "ops/conv2d_pool.h"

#include "cpu/support/convolution.h"
#include "ops/max_pool.h"

namespace lamina {
using namespace LAMINA_ISA;

template <class Target, class T>
void conv2d_pool_forward(const Conv2D& s, ConvolutionMode mode, const Pool& pool, const T* x, const T* w, const T* bias,
                         Activation activation, T* y, uint8_t* offsets) {
  if (s.batch == 0) return;
  constexpr int64_t BYTES = 256 << 10;  // of what lies between: with x and y it stays in L2
  const int64_t image = output_of(s.h) * output_of(s.w) * s.filters;
  const int64_t to = pool.h.outputs * pool.w.outputs * s.filters, from = s.h.input * s.w.input * s.channels;
  const int64_t fit = max_of(1, BYTES / (image * int64_t(sizeof(T))));
  const int64_t count = round_up(ceil_div(s.batch, fit), min_of(s.batch, num_threads()));
  const double work = 0.02 * double(image * s.h.kernel * s.w.kernel * s.channels * s.batch) / double(max_of(1, count));
  parallel_for(count, work, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = s.batch * i / count, images = s.batch * (i + 1) / count - first;
      if (images == 0) continue;
      Conv2D some = s;
      Pool pooled = pool;
      some.batch = pooled.batch = images;
      T* const between = scratch_for<T>(Slot::caller3, images * image);  // a slot that neither takes
      conv2d_forward<Target>(some, mode, x + first * from, w, bias, activation, between);
      max_pool_forward<Target>(pooled, between, y + first * to, offsets ? offsets + first * to : nullptr);
    }
  });
}

template void conv2d_pool_forward<Target>(const Conv2D&, ConvolutionMode, const Pool&, const float*, const float*,
                                          const float*, Activation, float*, uint8_t*);
DOUBLE template void conv2d_pool_forward<Target>(const Conv2D&, ConvolutionMode, const Pool&, const double*,
                                                 const double*, const double*, Activation, double*, uint8_t*);

}  // namespace lamina
