#include "ops/nms.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::nms_op {

static void run(const py::array& boxes, const py::array& starts, const py::array& keep, double threshold) {
  const int64_t n = keep.size(), groups = starts.size() - 1;
  const int64_t* const bounds = in<int64_t>(starts, groups + 1);
  if (groups < 0 || bounds[0] != 0 || bounds[groups] != n)
    throw py::value_error("nms: starts must lead from 0 to the number of boxes");
  for (int64_t g = 0; g < groups; ++g)
    if (bounds[g] > bounds[g + 1]) throw py::value_error("nms: starts must not fall");
  launch(boxes, [&]<class Target, class T>(Target, T) {
    nms<Target>(groups, bounds, in<T>(boxes, 4 * n), T(threshold), out<uint8_t>(keep, n));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("nms", &run, py::arg("boxes"), py::arg("starts"), py::arg("keep"), py::arg("threshold"));
});

}  // namespace lamina::bind::nms_op
