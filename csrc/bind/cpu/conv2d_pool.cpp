#include "ops/conv2d_pool.h"

#include "bind/cpu/convolution.h"
#include "bind/pool.h"
#include "ops/max_pool.h"

namespace lamina::bind::conv2d_pool_op {

static Conv2D plane_convolution(const py::array& x, const py::array& w, const Window& window) {
  if (x.ndim() != 4) throw py::value_error("conv2d_pool: expected 4 dimensions");
  return convolution_of(x, w, window, 1);
}

static void forward(const py::array& x, const py::array& w, const py::object& bias, const py::array& y,
                    const py::object& offsets, const Window& window, int activation, int mode, const Window& pool) {
  const Conv2D s = plane_convolution(x, w, window);
  const Pool p = pool_of({s.batch, 1, s.h.output(), s.w.output(), s.filters}, pool);
  if (p.places() > MAX_POOL_BYTE_PLACES) throw py::value_error("conv2d_pool: the pool's window is too large");
  launch(x, [&]<class Target, class T>(Target, T) {
    conv2d_pool_forward<Target>(s, mode_of(mode), p, in<T>(x, x.size()), in<T>(w, w.size()), in<T>(bias, s.filters),
                                activation_of(activation), out<T>(y, outputs(p)), out<uint8_t>(offsets, outputs(p)));
  });
}

static void backward_kernel(const py::array& x, const py::object& y, const py::array& dy, const py::array& offsets,
                            const py::array& dw, const py::object& db, const Window& window, int activation) {
  const Conv2D s = plane_convolution(x, dw, window);
  const int64_t height = s.h.output() / 2, width = s.w.output() / 2, outputs = s.batch * height * width * s.filters;
  if (dy.ndim() != 4 || dy.shape(1) != height || dy.shape(2) != width || height == 0 || width == 0)
    throw py::value_error("conv2d_pool: dy has the wrong shape");
  const Activation function = activation_of(activation);
  if (function != Activation::linear && y.is_none()) throw py::value_error("conv2d_pool: y is missing");
  launch(x, [&]<class Target, class T>(Target, T) {
    conv2d_pool_backward_kernel<Target>(s, in<T>(x, x.size()), in<T>(y, outputs), in<T>(dy, outputs),
                                        in<uint8_t>(offsets, outputs), function, out<T>(dw, dw.size()),
                                        out<T>(db, s.filters));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("conv2d_pool_forward", &forward, py::arg("x"), py::arg("w"), py::arg("bias"), py::arg("y"), py::arg("offsets"),
        py::arg("window"), py::arg("activation"), py::arg("mode"), py::arg("pool"));
  m.def("conv2d_pool_backward_kernel", &backward_kernel, py::arg("x"), py::arg("y"), py::arg("dy"), py::arg("offsets"),
        py::arg("dw"), py::arg("db"), py::arg("window"), py::arg("activation"));
});

}  // namespace lamina::bind::conv2d_pool_op
