#include "ops/comparison.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/broadcast.h"
#include "cpu/support/elementwise.h"
#include "support/math.h"

namespace lamina {
namespace LAMINA_ISA {

using C = Comparison;

/// 1 in the lanes of m, 0 in the others; or the other way round.
template <class T>
INLINE I<T> flags(Mask<T> m) {
  return bits(select(m, from_bits(whole<T>(1)), zero<T>()));
}
template <class T>
INLINE I<T> flags_without(Mask<T> m) {
  return bits(select(m, zero<T>(), from_bits(whole<T>(1))));
}

template <C c, class T>
INLINE I<T> compared(V<T> a, V<T> b) {
  const V<T> none = zero<T>();
  if constexpr (c == C::equal) return flags<T>(equal(a, b));
  if constexpr (c == C::not_equal) return flags_without<T>(equal(a, b));
  if constexpr (c == C::less) return flags<T>(less(a, b));
  if constexpr (c == C::less_equal) return flags<T>(less(a, b) | equal(a, b));
  if constexpr (c == C::magnitude_equal) return flags<T>(equal(magnitude<T>(a), b));
  if constexpr (c == C::magnitude_less) return flags<T>(less(magnitude<T>(a), b));
  if constexpr (c == C::logical_and) return flags_without<T>(equal(a, none) | equal(b, none));
  if constexpr (c == C::logical_or) return flags_without<T>(equal(a, none) & equal(b, none));
  if constexpr (c == C::logical_xor) return flags_without<T>(equal(a, none)) ^ flags_without<T>(equal(b, none));
}
template <C c>
INLINE bool compared(uint8_t a, uint8_t b) {
  if constexpr (c == C::equal || c == C::magnitude_equal) return a == b;
  if constexpr (c == C::not_equal) return a != b;
  if constexpr (c == C::less || c == C::magnitude_less) return a < b;
  if constexpr (c == C::less_equal) return a <= b;
  if constexpr (c == C::logical_and) return (a != 0) & (b != 0);
  if constexpr (c == C::logical_or) return (a | b) != 0;
  if constexpr (c == C::logical_xor) return (a != 0) != (b != 0);
}

template <class T>
using Block = void (*)(int64_t, const T*, const T*, uint8_t*);

/// One block.
template <C c, class T>
[[gnu::noinline]] static void compare_block(int64_t n, const T* a, const T* b, uint8_t* y) {
  if constexpr (sizeof(T) == 1)
    for (int64_t i = 0; i < n; ++i) y[i] = compared<c>(a[i], b[i]);
  else
    each_vector<T>(n, [&](int64_t i, auto mask) INLINE_LAMBDA {
      narrow(y + i, compared<c, T>(load(a + i, mask), load(b + i, mask)), n - i);
    });
}

template <class T>
static Block<T> block_of(C c) {
  switch (c) {
    case C::equal:
      return compare_block<C::equal, T>;
    case C::not_equal:
      return compare_block<C::not_equal, T>;
    case C::less:
      return compare_block<C::less, T>;
    case C::less_equal:
      return compare_block<C::less_equal, T>;
    case C::magnitude_equal:
      return compare_block<C::magnitude_equal, T>;
    case C::magnitude_less:
      return compare_block<C::magnitude_less, T>;
    case C::logical_and:
      return compare_block<C::logical_and, T>;
    case C::logical_or:
      return compare_block<C::logical_or, T>;
    case C::logical_xor:
      return compare_block<C::logical_xor, T>;
  }
  return nullptr;
}

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <class Target, class T>
void compare(Comparison comparison, const Broadcast& s, const T* a, const T* b, uint8_t* y) {
  if (s.elements == 0) return;
  const Block<T> block = block_of<T>(comparison);
  each_part(s.elements, 0.05 * sizeof(T), [&](int64_t begin, int64_t count) INLINE_LAMBDA {
    BroadcastReader<T> left(s, s.a_stride, a, begin), right(s, s.b_stride, b, begin);
    for (int64_t i = begin; i < begin + count; i += BROADCAST_BLOCK) {
      const int64_t here = min_of(BROADCAST_BLOCK, begin + count - i);
      block(here, left.next(here), right.next(here), y + i);
    }
  });
}

template void compare<Target>(Comparison, const Broadcast&, const float*, const float*, uint8_t*);
DOUBLE template void compare<Target>(Comparison, const Broadcast&, const double*, const double*, uint8_t*);
template void compare<Target>(Comparison, const Broadcast&, const uint8_t*, const uint8_t*, uint8_t*);

}  // namespace lamina
