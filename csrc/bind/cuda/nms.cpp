#include "ops/nms.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::nms_op {

static void run(const In& boxes, const In& starts, const Out& keep, double threshold, uintptr_t stream) {
  const size_t n = keep.size();
  if (starts.size() < 1) throw nb::value_error("nms: starts must lead from 0 to the number of boxes");
  launch(boxes, [&]<class T>(T) {
    cuda::nms(int64_t(n), int64_t(starts.size()) - 1, in<int64_t>(starts, starts.size()), in<T>(boxes, 4 * n),
              T(threshold), out<uint8_t>(keep, n), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("nms", &run, array("boxes"), array("starts"), array("keep"), nb::arg("threshold"), nb::arg("stream"));
});

}  // namespace lamina::bind::nms_op
