#include "ops/avg_pool2d.h"

#include "bind/cpu/pool2d.h"

namespace lamina::bind::avg_pool2d_op {

static void forward(const py::array& x, const py::array& y, bool count_padding, int64_t kernel_h, int64_t kernel_w,
                    int64_t stride_h, int64_t stride_w, int64_t top, int64_t bottom, int64_t left, int64_t right) {
  const Pool2D s = pool2d(x, kernel_h, kernel_w, stride_h, stride_w, top, bottom, left, right);
  launch(x, [&]<class Target, class T>(Target, T) {
    avg_pool2d_forward<Target>(s, count_padding, in<T>(x, x.size()), out<T>(y, outputs(s)));
  });
}

static void backward(const py::array& dy, const py::array& dx, bool count_padding, int64_t kernel_h, int64_t kernel_w,
                     int64_t stride_h, int64_t stride_w, int64_t top, int64_t bottom, int64_t left, int64_t right) {
  const Pool2D s = pool2d(dx, kernel_h, kernel_w, stride_h, stride_w, top, bottom, left, right);
  launch(dx, [&]<class Target, class T>(Target, T) {
    avg_pool2d_backward<Target>(s, count_padding, in<T>(dy, outputs(s)), out<T>(dx, dx.size()));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("avg_pool2d_forward", &forward, py::arg("x"), py::arg("y"), py::arg("count_padding"), py::arg("kernel_h"),
        py::arg("kernel_w"), py::arg("stride_h"), py::arg("stride_w"), py::arg("top"), py::arg("bottom"),
        py::arg("left"), py::arg("right"));
  m.def("avg_pool2d_backward", &backward, py::arg("dy"), py::arg("dx"), py::arg("count_padding"), py::arg("kernel_h"),
        py::arg("kernel_w"), py::arg("stride_h"), py::arg("stride_w"), py::arg("top"), py::arg("bottom"),
        py::arg("left"), py::arg("right"));
});

}  // namespace lamina::bind::avg_pool2d_op
