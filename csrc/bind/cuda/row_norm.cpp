#include "ops/row_norm.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::row_norm_op {

/// What both directions have in common.
struct Arguments {
  int64_t rows, n;
  RowNormKind kind;
  Arguments(const In& x, bool has_mean, int number)
      : rows(size_of(x, 0, "row_norm")), n(size_of(x, 1, "row_norm")), kind(RowNormKind(number)) {
    if (number < 0 || number > int(RowNormKind::unit)) throw nb::value_error("row_norm: unknown kind");
    if ((kind == RowNormKind::layer) != has_mean) throw nb::value_error("row_norm: a mean goes with layer");
  }
  template <class S>
  RowNorm<S> norm(const In& x, const OptionalIn& gamma, double epsilon) const {
    return {kind, rows, n, in<S>(x, size_t(product(rows, n))), in<Computed<S>>(gamma, size_t(n)), epsilon};
  }
};

static void forward(const In& x, const OptionalIn& gamma, const OptionalIn& beta, const OptionalOut& mean,
                    const Out& inverse, const Out& y, int kind, double epsilon, uintptr_t stream) {
  const Arguments a(x, mean.has_value(), kind);
  const size_t rows = size_t(a.rows);
  launch_any(x, [&]<class S>(S) {
    using T = Computed<S>;
    cuda::row_norm_forward(a.norm<S>(x, gamma, epsilon), in<T>(beta, size_t(a.n)), out<T>(mean, rows),
                           out<T>(inverse, rows), out<S>(y, x.size()), stream_of(stream));
  });
}

static void backward(const In& x, const OptionalIn& gamma, const OptionalIn& mean, const In& inverse, const In& dy,
                     const OptionalOut& dx, const OptionalOut& dgamma, const OptionalOut& dbeta, int kind,
                     double epsilon, uintptr_t stream) {
  const Arguments a(x, mean.has_value(), kind);
  const size_t rows = size_t(a.rows), n = size_t(a.n);
  launch_any(x, [&]<class S>(S) {
    using T = Computed<S>;
    cuda::row_norm_backward(a.norm<S>(x, gamma, epsilon), in<T>(mean, rows), in<T>(inverse, rows), in<S>(dy, x.size()),
                            out<S>(dx, x.size()), out<T>(dgamma, n), out<T>(dbeta, n), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("row_norm_forward", &forward, array("x"), array("gamma").none(), array("beta").none(), array("mean").none(),
        array("inverse"), array("y"), nb::arg("kind"), nb::arg("epsilon"), nb::arg("stream"));
  m.def("row_norm_backward", &backward, array("x"), array("gamma").none(), array("mean").none(), array("inverse"),
        array("dy"), array("dx").none(), array("dgamma").none(), array("dbeta").none(), nb::arg("kind"),
        nb::arg("epsilon"), nb::arg("stream"));
  takes_sixteen_bits({"row_norm_forward"}, {"gamma", "beta", "mean", "inverse"});
  takes_sixteen_bits({"row_norm_backward"}, {"gamma", "mean", "inverse", "dgamma", "dbeta"});
});

}  // namespace lamina::bind::row_norm_op
