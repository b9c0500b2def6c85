#include "ops/batch_norm.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::batch_norm_op {

/// x as rows x channels.
struct Shape {
  size_t rows, channels, size;
  explicit Shape(const In& x) : size(x.size()) {
    if (x.ndim() < 1) throw nb::value_error("batch_norm: x needs an axis of channels");
    channels = size_t(x.shape(x.ndim() - 1));
    if (channels < 1) throw nb::value_error("batch_norm: x needs at least one channel");
    rows = size / channels;
  }
};

/// In training mean and inverse are written, and moving averages where given; else moving averages are read, and
/// inverse is written.
static void forward(const In& x, const OptionalIn& gamma, const OptionalIn& beta, const OptionalIn& residual,
                    const OptionalOut& moving_mean, const OptionalOut& moving_variance, const OptionalOut& mean,
                    const Out& inverse, const Out& y, bool training, double epsilon, double momentum, bool relu,
                    uintptr_t stream) {
  const Shape shape(x);
  const size_t n = shape.size, C = shape.channels;
  const int64_t rows = int64_t(shape.rows), channels = int64_t(C);
  launch_any(x, [&]<class S>(S) {
    using T = Computed<S>;
    BatchNorm<S> s{rows, channels, in<S>(x, n), in<T>(gamma, C), in<T>(beta, C), nullptr, nullptr, relu};
    const S* const added = in<S>(residual, n);
    S* const to = out<S>(y, n);
    T* const written = out<T>(inverse, C);
    T *const moving = out<T>(moving_mean, C), *const variance = out<T>(moving_variance, C);
    if (training) {
      T* const means = out<T>(mean, C);
      s.mean = means;
      if (!means) throw std::invalid_argument("batch_norm: training needs room for the mean");
      cuda::batch_norm_statistics(rows, channels, s.x, epsilon, momentum, means, written, moving, variance,
                                  stream_of(stream));
    } else {
      s.mean = moving;
      if (!moving || !variance) throw std::invalid_argument("batch_norm: inference needs moving averages");
      cuda::batch_norm_inverse(channels, static_cast<const T*>(variance), epsilon, written, stream_of(stream));
    }
    s.inverse = written;
    cuda::batch_norm_forward(s, added, to, stream_of(stream));
  });
}

static void backward(const In& x, const OptionalIn& gamma, const OptionalIn& beta, const In& mean, const In& inverse,
                     const OptionalIn& y, const In& dy, const OptionalOut& dz, const OptionalOut& dx,
                     const OptionalOut& dgamma, const OptionalOut& dbeta, bool training, bool relu,
                     const OptionalIn& more_dy, uintptr_t stream) {
  const Shape shape(x);
  const size_t n = shape.size, C = shape.channels;
  if (!y != !dz) throw nb::value_error("batch_norm: y and dz go together");
  if (!dz && more_dy) throw nb::value_error("batch_norm: a sum of gradients needs dz");
  launch_any(x, [&]<class S>(S) {
    using T = Computed<S>;
    const BatchNorm<S> s{int64_t(shape.rows), int64_t(C),     in<S>(x, n),       in<T>(gamma, C),
                         in<T>(beta, C),      in<T>(mean, C), in<T>(inverse, C), relu};
    cuda::batch_norm_backward(s, training, in<S>(y, n), in<S>(dy, n), in<S>(more_dy, n), out<S>(dz, n), out<S>(dx, n),
                              out<T>(dgamma, C), out<T>(dbeta, C), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("batch_norm_forward", &forward, array("x"), array("gamma").none(), array("beta").none(),
        array("residual").none(), array("moving_mean").none(), array("moving_variance").none(), array("mean").none(),
        array("inverse"), array("y"), nb::arg("training"), nb::arg("epsilon"), nb::arg("momentum"), nb::arg("relu"),
        nb::arg("stream"));
  m.def("batch_norm_backward", &backward, array("x"), array("gamma").none(), array("beta").none(), array("mean"),
        array("inverse"), array("y").none(), array("dy"), array("dz").none(), array("dx").none(),
        array("dgamma").none(), array("dbeta").none(), nb::arg("training"), nb::arg("relu"),
        array("more_dy") = nb::none(), nb::arg("stream") = 0);
  takes_sixteen_bits({"batch_norm_forward"}, {"gamma", "beta", "moving_mean", "moving_variance", "mean", "inverse"});
  takes_sixteen_bits({"batch_norm_backward"}, {"gamma", "beta", "mean", "inverse", "dgamma", "dbeta"});
});

}  // namespace lamina::bind::batch_norm_op
