#include "ops/grid_sample.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::grid_sample_op {

template <class Enum>
static Enum choice(int number, Enum last) {
  if (number < 0 || number > int(last)) throw py::value_error("grid_sample: unknown choice");
  return Enum(number);
}

static GridSample shape_of(const py::array& x, const py::array& grid, int sampling, int unit, int place, int beyond,
                           double fill) {
  GridSample s;
  s.channels = size_of(x, 3, "grid_sample");
  s.images = x.shape(0), s.height = x.shape(1), s.width = x.shape(2);
  if (size_of(grid, 3, "grid_sample") != 2 || grid.shape(0) != s.images)
    throw py::value_error("grid_sample: grid must have shape (N, rows, columns, 2)");
  s.rows = grid.shape(1), s.columns = grid.shape(2);
  if (s.height < 1 || s.width < 1 || s.channels < 1) throw py::value_error("grid_sample: empty images");
  s.sampling = choice(sampling, Sampling::bicubic);
  s.unit = choice(unit, GridUnit::edges);
  s.place = choice(place, Place::reflect);
  s.beyond = choice(beyond, Beyond::reflect);
  s.fill = fill;
  return s;
}
static int64_t outputs(const GridSample& s) { return product(s.images, s.rows, s.columns, s.channels); }
static int64_t inputs(const GridSample& s) { return product(s.images, s.height, s.width, s.channels); }

static void forward(const py::array& x, const py::array& grid, const py::array& y, int sampling, int unit, int place,
                    int beyond, double fill) {
  const GridSample s = shape_of(x, grid, sampling, unit, place, beyond, fill);
  launch(x, [&]<class Target, class T>(Target, T) {
    grid_sample_forward<Target>(s, in<T>(x, inputs(s)), in<T>(grid, grid.size()), out<T>(y, outputs(s)));
  });
}

static void backward_input(const py::array& dy, const py::array& grid, const py::array& dx, int sampling, int unit,
                           int place, int beyond, double fill) {
  const GridSample s = shape_of(dx, grid, sampling, unit, place, beyond, fill);
  launch(dx, [&]<class Target, class T>(Target, T) {
    grid_sample_backward_input<Target>(s, in<T>(dy, outputs(s)), in<T>(grid, grid.size()), out<T>(dx, inputs(s)));
  });
}

static void backward_grid(const py::array& dy, const py::array& x, const py::array& grid, const py::array& dgrid,
                          int sampling, int unit, int place, int beyond, double fill) {
  const GridSample s = shape_of(x, grid, sampling, unit, place, beyond, fill);
  launch(x, [&]<class Target, class T>(Target, T) {
    grid_sample_backward_grid<Target>(s, in<T>(dy, outputs(s)), in<T>(x, inputs(s)), in<T>(grid, grid.size()),
                                      out<T>(dgrid, grid.size()));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("grid_sample_forward", &forward, py::arg("x"), py::arg("grid"), py::arg("y"), py::arg("sampling"),
        py::arg("unit"), py::arg("place"), py::arg("beyond"), py::arg("fill"));
  m.def("grid_sample_backward_input", &backward_input, py::arg("dy"), py::arg("grid"), py::arg("dx"),
        py::arg("sampling"), py::arg("unit"), py::arg("place"), py::arg("beyond"), py::arg("fill"));
  m.def("grid_sample_backward_grid", &backward_grid, py::arg("dy"), py::arg("x"), py::arg("grid"), py::arg("dgrid"),
        py::arg("sampling"), py::arg("unit"), py::arg("place"), py::arg("beyond"), py::arg("fill"));
});

}  // namespace lamina::bind::grid_sample_op
