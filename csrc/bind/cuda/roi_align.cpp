#include "ops/roi_align.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::roi_align_op {

template <class X, class Y>
static RoiAlign shape_of(const X& x, const In& boxes, const Y& y, double scale, int64_t samples, bool aligned) {
  if (x.ndim() != 4 || y.ndim() != 4) throw nb::value_error("roi_align: expected arrays of four axes");
  const auto size = [](const auto& a, size_t axis) { return int64_t(a.shape(axis)); };
  const RoiAlign s{size(x, 0), size(x, 1), size(x, 2), size(x, 3), size(y, 0),
                   size(y, 1), size(y, 2), scale,      samples,    aligned};
  if (s.height < 1 || s.width < 1 || s.channels < 1 || s.rows < 1 || s.columns < 1 || s.height >= INT32_MAX / 2 ||
      s.width >= INT32_MAX / 2 || s.rows >= INT32_MAX / 8 || s.columns >= INT32_MAX / 8 || s.samples < 0)
    throw nb::value_error("roi_align: sizes out of range");
  if (int64_t(boxes.size()) != 4 * s.regions) throw nb::value_error("roi_align: expected four numbers a box");
  return s;
}
static size_t inputs(const RoiAlign& s) { return size_t(product(s.images, s.height, s.width, s.channels)); }
static size_t outputs(const RoiAlign& s) { return size_t(product(s.regions, s.rows, s.columns, s.channels)); }

static void forward(const In& x, const In& boxes, const In& index, const Out& y, double scale, int64_t samples,
                    bool aligned, uintptr_t stream) {
  const RoiAlign s = shape_of(x, boxes, y, scale, samples, aligned);
  launch(x, [&]<class T>(T) {
    cuda::roi_align_forward(s, in<T>(x, inputs(s)), in<T>(boxes, boxes.size()), in<int64_t>(index, size_t(s.regions)),
                            out<T>(y, outputs(s)), stream_of(stream));
  });
}

static void backward(const In& dy, const In& boxes, const In& index, const Out& dx, double scale, int64_t samples,
                     bool aligned, uintptr_t stream) {
  const RoiAlign s = shape_of(dx, boxes, dy, scale, samples, aligned);
  launch(dx, [&]<class T>(T) {
    cuda::roi_align_backward(s, in<T>(dy, outputs(s)), in<T>(boxes, boxes.size()),
                             in<int64_t>(index, size_t(s.regions)), out<T>(dx, inputs(s)), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("roi_align_forward", &forward, array("x"), array("boxes"), array("index"), array("y"), nb::arg("scale"),
        nb::arg("samples"), nb::arg("aligned"), nb::arg("stream"));
  m.def("roi_align_backward", &backward, array("dy"), array("boxes"), array("index"), array("dx"), nb::arg("scale"),
        nb::arg("samples"), nb::arg("aligned"), nb::arg("stream"));
});

}  // namespace lamina::bind::roi_align_op
