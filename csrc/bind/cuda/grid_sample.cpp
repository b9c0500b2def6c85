#include "ops/grid_sample.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::grid_sample_op {

template <class Enum>
static Enum choice(int number, Enum last) {
  if (number < 0 || number > int(last)) throw nb::value_error("grid_sample: unknown choice");
  return Enum(number);
}

template <class Array>
static GridSample shape_of(const Array& x, const In& grid, int sampling, int unit, int place, int beyond, double fill) {
  GridSample s;
  s.channels = size_of(x, 3, "grid_sample");
  s.images = int64_t(x.shape(0)), s.height = int64_t(x.shape(1)), s.width = int64_t(x.shape(2));
  if (size_of(grid, 3, "grid_sample") != 2 || int64_t(grid.shape(0)) != s.images)
    throw nb::value_error("grid_sample: grid must have shape (N, rows, columns, 2)");
  s.rows = int64_t(grid.shape(1)), s.columns = int64_t(grid.shape(2));
  if (s.height < 1 || s.width < 1 || s.channels < 1) throw nb::value_error("grid_sample: empty images");
  s.sampling = choice(sampling, Sampling::bicubic);
  s.unit = choice(unit, GridUnit::edges);
  s.place = choice(place, Place::reflect);
  s.beyond = choice(beyond, Beyond::reflect);
  s.fill = fill;
  return s;
}
static size_t outputs(const GridSample& s) { return size_t(product(s.images, s.rows, s.columns, s.channels)); }
static size_t inputs(const GridSample& s) { return size_t(product(s.images, s.height, s.width, s.channels)); }

static void forward(const In& x, const In& grid, const Out& y, int sampling, int unit, int place, int beyond,
                    double fill, uintptr_t stream) {
  const GridSample s = shape_of(x, grid, sampling, unit, place, beyond, fill);
  launch(x, [&]<class T>(T) {
    cuda::grid_sample_forward(s, in<T>(x, inputs(s)), in<T>(grid, grid.size()), out<T>(y, outputs(s)),
                              stream_of(stream));
  });
}

static void backward_input(const In& dy, const In& grid, const Out& dx, int sampling, int unit, int place, int beyond,
                           double fill, uintptr_t stream) {
  const GridSample s = shape_of(dx, grid, sampling, unit, place, beyond, fill);
  launch(dx, [&]<class T>(T) {
    cuda::grid_sample_backward_input(s, in<T>(dy, outputs(s)), in<T>(grid, grid.size()), out<T>(dx, inputs(s)),
                                     stream_of(stream));
  });
}

static void backward_grid(const In& dy, const In& x, const In& grid, const Out& dgrid, int sampling, int unit,
                          int place, int beyond, double fill, uintptr_t stream) {
  const GridSample s = shape_of(x, grid, sampling, unit, place, beyond, fill);
  launch(x, [&]<class T>(T) {
    cuda::grid_sample_backward_grid(s, in<T>(dy, outputs(s)), in<T>(x, inputs(s)), in<T>(grid, grid.size()),
                                    out<T>(dgrid, grid.size()), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("grid_sample_forward", &forward, array("x"), array("grid"), array("y"), nb::arg("sampling"), nb::arg("unit"),
        nb::arg("place"), nb::arg("beyond"), nb::arg("fill"), nb::arg("stream"));
  m.def("grid_sample_backward_input", &backward_input, array("dy"), array("grid"), array("dx"), nb::arg("sampling"),
        nb::arg("unit"), nb::arg("place"), nb::arg("beyond"), nb::arg("fill"), nb::arg("stream"));
  m.def("grid_sample_backward_grid", &backward_grid, array("dy"), array("x"), array("grid"), array("dgrid"),
        nb::arg("sampling"), nb::arg("unit"), nb::arg("place"), nb::arg("beyond"), nb::arg("fill"), nb::arg("stream"));
});

}  // namespace lamina::bind::grid_sample_op
