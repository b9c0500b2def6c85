#include "ops/batch_norm.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::batch_norm_op {

struct Shape {
  int64_t rows, channels;
};

static Shape shape_of(const py::array& x) {
  if (x.ndim() < 1) throw py::value_error("batch_norm: x needs an axis of channels");
  const int64_t channels = x.shape(x.ndim() - 1);
  if (channels < 1) throw py::value_error("batch_norm: x needs at least one channel");
  return {x.size() / channels, channels};
}

/// In training mean and inverse are written, and moving averages where given; else moving averages are read, and
/// inverse is written.
static void forward(const py::array& x, const py::object& gamma, const py::object& beta, const py::object& residual,
                    const py::object& moving_mean, const py::object& moving_variance, const py::object& mean,
                    const py::array& inverse, const py::array& y, bool training, double epsilon, double momentum,
                    bool relu) {
  const auto [rows, C] = shape_of(x);
  launch(x, [&, rows = rows, C = C]<class Target, class T>(Target, T) {
    const int64_t n = rows * C;
    BatchNorm<T> s{rows, C, in<T>(x, n), in<T>(gamma, C), in<T>(beta, C), nullptr, in<T>(inverse, C), relu};
    const T* const added = in<T>(residual, n);
    T* const to = out<T>(y, n);
    T* const written = out<T>(inverse, C);
    if (training) {
      T* const means = out<T>(mean, C);
      s.mean = means;
      if (!means) throw py::value_error("batch_norm: training needs room for the mean");
      batch_norm_statistics<Target>(rows, C, s.x, epsilon, momentum, means, written, out<T>(moving_mean, C),
                                    out<T>(moving_variance, C));
    } else {
      const T* const variance = in<T>(moving_variance, C);
      s.mean = in<T>(moving_mean, C);
      if (!s.mean || !variance) throw py::value_error("batch_norm: inference needs moving averages");
      batch_norm_inverse<Target>(C, variance, epsilon, written);
    }
    batch_norm_forward<Target>(s, added, to);
  });
}

static void backward(const py::array& x, const py::object& gamma, const py::object& beta, const py::array& mean,
                     const py::array& inverse, const py::object& y, const py::array& dy, const py::object& dz,
                     const py::object& dx, const py::object& dgamma, const py::object& dbeta, bool training, bool relu,
                     const py::object& more_dy) {
  const auto [rows, C] = shape_of(x);
  if (y.is_none() != dz.is_none()) throw py::value_error("batch_norm: y and dz go together");
  if (dz.is_none() && !more_dy.is_none()) throw py::value_error("batch_norm: a sum of gradients needs dz");
  launch(x, [&, rows = rows, C = C]<class Target, class T>(Target, T) {
    const int64_t n = rows * C;
    const BatchNorm<T> s{rows, C, in<T>(x, n), in<T>(gamma, C), in<T>(beta, C), in<T>(mean, C), in<T>(inverse, C),
                         relu};
    batch_norm_backward<Target>(s, training, in<T>(y, n), in<T>(dy, n), in<T>(more_dy, n), out<T>(dz, n), out<T>(dx, n),
                                out<T>(dgamma, C), out<T>(dbeta, C));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("batch_norm_forward", &forward, py::arg("x"), py::arg("gamma"), py::arg("beta"), py::arg("residual"),
        py::arg("moving_mean"), py::arg("moving_variance"), py::arg("mean"), py::arg("inverse"), py::arg("y"),
        py::arg("training"), py::arg("epsilon"), py::arg("momentum"), py::arg("relu"));
  m.def("batch_norm_backward", &backward, py::arg("x"), py::arg("gamma"), py::arg("beta"), py::arg("mean"),
        py::arg("inverse"), py::arg("y"), py::arg("dy"), py::arg("dz"), py::arg("dx"), py::arg("dgamma"),
        py::arg("dbeta"), py::arg("training"), py::arg("relu"), py::arg("more_dy") = py::none());
});

}  // namespace lamina::bind::batch_norm_op
