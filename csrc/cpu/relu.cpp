#include "ops/relu.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/elementwise.h"

namespace lamina {
using namespace LAMINA_ISA;

template <class Target, class T>
void relu_forward(int64_t n, const T* x, T* y) {
  map(n, 0.2, [](V<T> v) INLINE_LAMBDA { return max(zero<T>(), v); }, y, x);  // the second operand wins on NaN
}

template <class Target, class T>
void relu_backward(int64_t n, const T* y, const T* dy, T* dx) {
  map(n, 0.3, [](V<T> out, V<T> d) INLINE_LAMBDA { return select(less(zero<T>(), out), d, zero<T>()); }, dx, y, dy);
}

template void relu_forward<Target>(int64_t, const float*, float*);
DOUBLE template void relu_forward<Target>(int64_t, const double*, double*);
template void relu_backward<Target>(int64_t, const float*, const float*, float*);
DOUBLE template void relu_backward<Target>(int64_t, const double*, const double*, double*);

}  // namespace lamina
