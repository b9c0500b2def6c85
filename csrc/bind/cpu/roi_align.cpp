#include "ops/roi_align.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::roi_align_op {

static RoiAlign shape_of(const py::array& x, const py::array& boxes, const py::array& index, const py::array& y,
                         double scale, int64_t samples, bool aligned) {
  if (x.ndim() != 4 || y.ndim() != 4) throw py::value_error("roi_align: expected arrays of four axes");
  RoiAlign s{x.shape(0), x.shape(1), x.shape(2), x.shape(3), y.shape(0),
             y.shape(1), y.shape(2), scale,      samples,    aligned};
  if (s.height < 1 || s.width < 1 || s.channels < 1 || s.rows < 1 || s.columns < 1 || s.height >= INT32_MAX / 2 ||
      s.width >= INT32_MAX / 2 || s.rows >= INT32_MAX / 8 || s.columns >= INT32_MAX / 8 || s.samples < 0)
    throw py::value_error("roi_align: sizes out of range");
  const int64_t* const images = in<int64_t>(index, s.regions);
  for (int64_t k = 0; k < s.regions; ++k)
    if (images[k] < 0 || images[k] >= s.images) throw std::out_of_range("roi_align: an index is out of range");
  if (boxes.size() != 4 * s.regions) throw py::value_error("roi_align: expected four numbers a box");
  return s;
}
static int64_t inputs(const RoiAlign& s) { return product(s.images, s.height, s.width, s.channels); }
static int64_t outputs(const RoiAlign& s) { return product(s.regions, s.rows, s.columns, s.channels); }

static void forward(const py::array& x, const py::array& boxes, const py::array& index, const py::array& y,
                    double scale, int64_t samples, bool aligned) {
  const RoiAlign s = shape_of(x, boxes, index, y, scale, samples, aligned);
  launch(x, [&]<class Target, class T>(Target, T) {
    roi_align_forward<Target>(s, in<T>(x, inputs(s)), in<T>(boxes, 4 * s.regions), in<int64_t>(index, s.regions),
                              out<T>(y, outputs(s)));
  });
}

static void backward(const py::array& dy, const py::array& boxes, const py::array& index, const py::array& dx,
                     double scale, int64_t samples, bool aligned) {
  const RoiAlign s = shape_of(dx, boxes, index, dy, scale, samples, aligned);
  launch(dx, [&]<class Target, class T>(Target, T) {
    roi_align_backward<Target>(s, in<T>(dy, outputs(s)), in<T>(boxes, 4 * s.regions), in<int64_t>(index, s.regions),
                               out<T>(dx, inputs(s)));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("roi_align_forward", &forward, py::arg("x"), py::arg("boxes"), py::arg("index"), py::arg("y"), py::arg("scale"),
        py::arg("samples"), py::arg("aligned"));
  m.def("roi_align_backward", &backward, py::arg("dy"), py::arg("boxes"), py::arg("index"), py::arg("dx"),
        py::arg("scale"), py::arg("samples"), py::arg("aligned"));
});

}  // namespace lamina::bind::roi_align_op
