#include "ops/group_norm.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::group_norm_op {

template <class S>
static GroupNorm<S> norm_of(const In& x, const OptionalIn& gamma, int64_t groups) {
  if (x.ndim() != 3) throw std::invalid_argument("group_norm: x must have 3 dimensions");
  const int64_t channels = int64_t(x.shape(2));
  if (groups < 1 || channels < 1 || channels % groups != 0)
    throw std::invalid_argument("group_norm: wrong number of groups");
  return {int64_t(x.shape(0)),
          int64_t(x.shape(1)),
          channels,
          groups,
          in<S>(x, x.size()),
          in<Computed<S>>(gamma, size_t(channels))};
}

static void forward(const In& x, const OptionalIn& gamma, const OptionalIn& beta, const Out& mean, const Out& inverse,
                    const Out& y, int64_t groups, double epsilon, uintptr_t stream) {
  launch_any(x, [&]<class S>(S) {
    using T = Computed<S>;
    const GroupNorm<S> s = norm_of<S>(x, gamma, groups);
    const size_t statistics = size_t(product(s.samples, groups));
    cuda::group_norm_forward(s, in<T>(beta, size_t(s.channels)), epsilon, out<T>(mean, statistics),
                             out<T>(inverse, statistics), out<S>(y, x.size()), stream_of(stream));
  });
}

static void backward(const In& x, const OptionalIn& gamma, const In& mean, const In& inverse, const In& dy,
                     const OptionalOut& dx, const OptionalOut& dgamma, const OptionalOut& dbeta, int64_t groups,
                     uintptr_t stream) {
  launch_any(x, [&]<class S>(S) {
    using T = Computed<S>;
    const GroupNorm<S> s = norm_of<S>(x, gamma, groups);
    const size_t statistics = size_t(product(s.samples, groups)), channels = size_t(s.channels);
    cuda::group_norm_backward(s, in<T>(mean, statistics), in<T>(inverse, statistics), in<S>(dy, x.size()),
                              out<S>(dx, x.size()), out<T>(dgamma, channels), out<T>(dbeta, channels),
                              stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("group_norm_forward", &forward, array("x"), array("gamma").none(), array("beta").none(), array("mean"),
        array("inverse"), array("y"), nb::arg("groups"), nb::arg("epsilon"), nb::arg("stream"));
  m.def("group_norm_backward", &backward, array("x"), array("gamma").none(), array("mean"), array("inverse"),
        array("dy"), array("dx").none(), array("dgamma").none(), array("dbeta").none(), nb::arg("groups"),
        nb::arg("stream"));
  takes_sixteen_bits({"group_norm_forward"}, {"gamma", "beta", "mean", "inverse"});
  takes_sixteen_bits({"group_norm_backward"}, {"gamma", "mean", "inverse", "dgamma", "dbeta"});
});

}  // namespace lamina::bind::group_norm_op
