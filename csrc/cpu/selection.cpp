#include "ops/selection.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/broadcast.h"
#include "cpu/support/elementwise.h"

namespace lamina {
namespace LAMINA_ISA {

template <class T>
INLINE V<T> chosen(const uint8_t* condition, int64_t count, V<T> yes, V<T> no) {
  return select(matches<T>(condition, 0, count), no, yes);
}

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <class Target, class T>
void where(const Broadcast& a_shape, const Broadcast& b_shape, const uint8_t* condition, const T* a, const T* b, T* y) {
  const int64_t n = a_shape.elements;
  if (n == 0) return;
  const bool past_caches = n * int64_t(sizeof(T)) >= STREAM_BYTES && reinterpret_cast<uintptr_t>(y) % 64 == 0;
  each_part(n, 0.3, [&](int64_t begin, int64_t count) INLINE_LAMBDA {
    BroadcastReader<T> left(a_shape, a_shape.a_stride, a, begin), right(b_shape, b_shape.a_stride, b, begin);
    for (int64_t first = begin; first < begin + count; first += BROADCAST_BLOCK) {
      const int64_t here = min_of(BROADCAST_BLOCK, begin + count - first);
      const T *const yes = left.next(here), *const no = right.next(here);
      const uint8_t* const from = condition + first;
      T* const to = y + first;
      if (past_caches && here == BROADCAST_BLOCK) {
        constexpr int GROUP = 4;  // see map
        for (int64_t i = 0; i < here; i += GROUP * lanes<T>) {
          V<T> values[GROUP];
          unroll<GROUP>([&](auto k) INLINE_LAMBDA {
            const int64_t at = i + k * lanes<T>;
            values[k] = chosen<T>(from + at, lanes<T>, load(yes + at), load(no + at));
          });
          unroll<GROUP>([&](auto k) INLINE_LAMBDA { stream(to + i + k * lanes<T>, values[k]); });
        }
      } else {
        each_vector<T>(here, [&](int64_t i, auto mask) INLINE_LAMBDA {
          store(to + i, chosen<T>(from + i, here - i, load(yes + i, mask), load(no + i, mask)), mask);
        });
      }
    }
    if (past_caches) stream_fence();
  });
}

template void where<Target>(const Broadcast&, const Broadcast&, const uint8_t*, const float*, const float*, float*);
DOUBLE template void where<Target>(const Broadcast&, const Broadcast&, const uint8_t*, const double*, const double*,
                                   double*);

}  // namespace lamina
