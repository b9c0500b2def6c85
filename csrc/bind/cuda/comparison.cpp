#include "ops/comparison.h"

#include "bind/cuda/bind.h"
#include "bind/names.h"

namespace lamina::bind::comparison_op {

static void run(Comparison comparison, const In& a, const In& b, const Out& y, uintptr_t stream) {
  const Broadcast s("comparison", int(a.ndim()), a.shape_ptr(), int(b.ndim()), b.shape_ptr());
  const auto with = [&]<class T>(T) {
    cuda::compare(comparison, s, in<T>(a, a.size()), in<T>(b, b.size()), out<uint8_t>(y, size_t(s.elements)),
                  stream_of(stream));
  };
  if (!holds<uint8_t>(a.dtype())) return launch_any(a, with);
  nb::gil_scoped_release release;
  with(uint8_t{});
}

static const Registration registration([](nb::module_& m) {
  for (const auto& [name, kind] : COMPARISONS) {
    m.def(
        name, [kind = kind](const In& a, const In& b, const Out& y, uintptr_t stream) { run(kind, a, b, y, stream); },
        array("a"), array("b"), array("y"), nb::arg("stream"));
    takes_sixteen_bits({name});
  }
});

}  // namespace lamina::bind::comparison_op
