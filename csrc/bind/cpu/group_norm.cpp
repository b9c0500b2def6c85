#include "ops/group_norm.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::group_norm_op {

template <class T>
static GroupNorm<T> norm_of(const py::array& x, const py::object& gamma, int64_t groups) {
  if (x.ndim() != 3) throw py::value_error("group_norm: x must have 3 dimensions");
  const int64_t channels = x.shape(2);
  if (groups < 1 || channels < 1 || channels % groups != 0) throw py::value_error("group_norm: wrong number of groups");
  return {x.shape(0), x.shape(1), channels, groups, in<T>(x, x.size()), in<T>(gamma, channels)};
}

static void forward(const py::array& x, const py::object& gamma, const py::object& beta, const py::array& mean,
                    const py::array& inverse, const py::array& y, int64_t groups, double epsilon) {
  launch(x, [&]<class Target, class T>(Target, T) {
    const GroupNorm<T> s = norm_of<T>(x, gamma, groups);
    const int64_t statistics = product(s.samples, groups);
    group_norm_forward<Target>(s, in<T>(beta, s.channels), epsilon, out<T>(mean, statistics),
                               out<T>(inverse, statistics), out<T>(y, x.size()));
  });
}

static void backward(const py::array& x, const py::object& gamma, const py::array& mean, const py::array& inverse,
                     const py::array& dy, const py::object& dx, const py::object& dgamma, const py::object& dbeta,
                     int64_t groups) {
  launch(x, [&]<class Target, class T>(Target, T) {
    const GroupNorm<T> s = norm_of<T>(x, gamma, groups);
    const int64_t statistics = product(s.samples, groups);
    group_norm_backward<Target>(s, in<T>(mean, statistics), in<T>(inverse, statistics), in<T>(dy, x.size()),
                                out<T>(dx, x.size()), out<T>(dgamma, s.channels), out<T>(dbeta, s.channels));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("group_norm_forward", &forward, py::arg("x"), py::arg("gamma"), py::arg("beta"), py::arg("mean"),
        py::arg("inverse"), py::arg("y"), py::arg("groups"), py::arg("epsilon"));
  m.def("group_norm_backward", &backward, py::arg("x"), py::arg("gamma"), py::arg("mean"), py::arg("inverse"),
        py::arg("dy"), py::arg("dx"), py::arg("dgamma"), py::arg("dbeta"), py::arg("groups"));
});

}  // namespace lamina::bind::group_norm_op
