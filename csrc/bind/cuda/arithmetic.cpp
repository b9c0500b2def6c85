#include "ops/arithmetic.h"

#include "bind/cuda/bind.h"
#include "bind/names.h"

namespace lamina::bind::arithmetic_op {

static void run(Arithmetic operation, const In& a, const In& b, const Out& y, uintptr_t stream) {
  const Broadcast s("arithmetic", int(a.ndim()), a.shape_ptr(), int(b.ndim()), b.shape_ptr());
  launch_any(y, [&]<class T>(T) {
    cuda::arithmetic(operation, s, in<T>(a, a.size()), in<T>(b, b.size()), out<T>(y, size_t(s.elements)),
                     stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  for (const auto& [name, kind] : ARITHMETIC) {
    m.def(
        name, [kind = kind](const In& a, const In& b, const Out& y, uintptr_t stream) { run(kind, a, b, y, stream); },
        array("a"), array("b"), array("y"), nb::arg("stream"));
    takes_sixteen_bits({name});
  }
});

}  // namespace lamina::bind::arithmetic_op
