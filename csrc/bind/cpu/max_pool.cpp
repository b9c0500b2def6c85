#include "ops/max_pool.h"

#include "bind/cpu/pool.h"

namespace lamina::bind::max_pool_op {

/// f(Offset*) with the type of offset that windows of this size have.
template <class F>
static void with_offset_type(const Pool& s, F&& f) {
  if (s.places() <= MAX_POOL_BYTE_PLACES)
    f(static_cast<uint8_t*>(nullptr));
  else
    f(static_cast<int32_t*>(nullptr));
}

static void forward(const py::array& x, const py::array& y, const py::object& offsets, const py::tuple& window) {
  const Pool s = pool_of(x, window);
  with_offset_type(s, [&]<class Offset>(Offset*) {
    Offset* const places = out<Offset>(offsets, outputs(s));
    launch(x, [&]<class Target, class T>(Target, T) {
      max_pool_forward<Target>(s, in<T>(x, x.size()), out<T>(y, outputs(s)), places);
    });
  });
}

static void backward(const py::array& dy, const py::array& offsets, const py::array& dx, const py::tuple& window) {
  const Pool s = pool_of(dx, window);
  with_offset_type(s, [&]<class Offset>(Offset*) {
    const Offset* const places = in<Offset>(offsets, outputs(s));
    launch(dx, [&]<class Target, class T>(Target, T) {
      max_pool_backward<Target>(s, in<T>(dy, outputs(s)), places, out<T>(dx, dx.size()));
    });
  });
}

static const Registration registration([](py::module_& m) {
  m.def("max_pool_forward", &forward, py::arg("x"), py::arg("y"), py::arg("offsets"), py::arg("window"));
  m.def("max_pool_backward", &backward, py::arg("dy"), py::arg("offsets"), py::arg("dx"), py::arg("window"));
});

}  // namespace lamina::bind::max_pool_op
