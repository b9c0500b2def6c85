#include "ops/max_pool2d.h"

#include "bind/cpu/pool2d.h"

namespace lamina::bind::max_pool2d_op {

/// f(Offset*) with the type of offset that windows of this size have.
template <class F>
static void with_offset_type(const Pool2D& s, F&& f) {
  if (s.h.kernel * s.w.kernel <= MAX_POOL_BYTE_PLACES)
    f(static_cast<uint8_t*>(nullptr));
  else
    f(static_cast<int32_t*>(nullptr));
}

static void forward(const py::array& x, const py::array& y, const py::object& offsets, int64_t kernel_h,
                    int64_t kernel_w, int64_t stride_h, int64_t stride_w, int64_t top, int64_t bottom, int64_t left,
                    int64_t right) {
  const Pool2D s = pool2d(x, kernel_h, kernel_w, stride_h, stride_w, top, bottom, left, right);
  with_offset_type(s, [&]<class Offset>(Offset*) {
    Offset* const places = out<Offset>(offsets, outputs(s));
    launch(x, [&]<class Target, class T>(Target, T) {
      max_pool2d_forward<Target>(s, in<T>(x, x.size()), out<T>(y, outputs(s)), places);
    });
  });
}

static void backward(const py::array& dy, const py::array& offsets, const py::array& dx, int64_t kernel_h,
                     int64_t kernel_w, int64_t stride_h, int64_t stride_w, int64_t top, int64_t bottom, int64_t left,
                     int64_t right) {
  const Pool2D s = pool2d(dx, kernel_h, kernel_w, stride_h, stride_w, top, bottom, left, right);
  with_offset_type(s, [&]<class Offset>(Offset*) {
    const Offset* const places = in<Offset>(offsets, outputs(s));
    launch(dx, [&]<class Target, class T>(Target, T) {
      max_pool2d_backward<Target>(s, in<T>(dy, outputs(s)), places, out<T>(dx, dx.size()));
    });
  });
}

static const Registration registration([](py::module_& m) {
  m.def("max_pool2d_forward", &forward, py::arg("x"), py::arg("y"), py::arg("offsets"), py::arg("kernel_h"),
        py::arg("kernel_w"), py::arg("stride_h"), py::arg("stride_w"), py::arg("top"), py::arg("bottom"),
        py::arg("left"), py::arg("right"));
  m.def("max_pool2d_backward", &backward, py::arg("dy"), py::arg("offsets"), py::arg("dx"), py::arg("kernel_h"),
        py::arg("kernel_w"), py::arg("stride_h"), py::arg("stride_w"), py::arg("top"), py::arg("bottom"),
        py::arg("left"), py::arg("right"));
});

}  // namespace lamina::bind::max_pool2d_op
