// Losses of one prediction and one target: the cross entropies, the pointwise ones and those of rows.
#include "ops/loss.h"

#include "bind/cuda/bind.h"
#include "bind/cuda/setting.h"
#include "bind/names.h"
#include "ops/focal_cross_entropy.h"
#include "ops/pointwise_loss.h"
#include "ops/row_loss.h"
#include "ops/softmax_cross_entropy.h"

namespace lamina::bind::loss_op {

using cuda::Setting;

/// x as (rows, n).
struct Sizes {
  size_t size, n, rows;
  explicit Sizes(const In& x) : size(x.size()) {
    if (x.ndim() == 0 || x.shape(x.ndim() - 1) == 0) throw nb::value_error("loss: x must have a last axis");
    n = size_t(x.shape(x.ndim() - 1));
    rows = size / n;
  }
};

/// What a mean divides by, for a kernel: T where it is the host's, else as it is.
template <class T>
static T divisor_of(double divisor) {
  return T(divisor);
}
template <class T>
static Setting<double> divisor_of(Setting<double> divisor) {
  return divisor;
}

/// name(x, labels, weights, divisor, losses, total, dx, ignored, smoothing). total: the sum of the losses, if wanted.
/// divisor: a number, or an array of one float64, where samples that count are counted on the device.
template <class Kernel>
static void define_labels(nb::module_& m, const char* name, Kernel kernel) {
  takes_sixteen_bits({name}, {"weights", "losses", "total"});
  m.def(
      name,
      [kernel](const In& x, const In& labels, const OptionalIn& weights, Setting<double> divisor, const Out& losses,
               const OptionalOut& total, const OptionalOut& dx, int64_t ignored, double smoothing, uintptr_t stream) {
        const Sizes s(x);
        launch_any(x, [&]<class S>(S) {
          using T = Computed<S>;
          T *const each = out<T>(losses, s.rows), *const sum = out<T>(total, 1);
          kernel(int64_t(s.rows), int64_t(s.n), in<S>(x, s.size), in<int64_t>(labels, s.rows), ignored, T(smoothing),
                 in<T>(weights, s.rows), divisor, each, out<S>(dx, s.size), stream_of(stream));
          if (sum) cuda::loss_sum(int64_t(s.rows), each, divisor, sum, stream_of(stream));
        });
        return -1;
      },
      array("x"), array("labels"), array("weights").none(), nb::arg("divisor"), array("losses"), array("total").none(),
      array("dx").none(), nb::arg("ignored") = NONE_IGNORED, nb::arg("smoothing") = 0.0, nb::arg("stream") = 0,
      "Returns -1: a label out of range gives NaN.");
}

/// name(x, targets, weights, divisor, losses, total, dx, scale, shift, a, b, gamma); returns true. Parameters that a
/// loss does not read mean nothing. Divisor: double, or Setting<double> as above.
template <class Divisor = double, class Start, class Kernel>
static void define(Start start, nb::module_& m, const char* name, Kernel kernel) {
  if (std::is_same_v<Start, AnyWidth>) takes_sixteen_bits({name}, {"weights", "losses", "total"});
  m.def(
      name,
      [start, kernel](const In& x, const In& targets, const OptionalIn& weights, Divisor divisor, const Out& losses,
                      const OptionalOut& total, const OptionalOut& dx, double scale, double shift, double a, double b,
                      double gamma, uintptr_t stream) {
        const Sizes s(x);
        start(x, [&]<class S>(S) {
          using T = Computed<S>;
          T *const each = out<T>(losses, s.rows), *const sum = out<T>(total, 1);
          kernel(LossParameters<T>{T(scale), T(shift), T(a), T(b), T(gamma)}, stream_of(stream), int64_t(s.rows),
                 int64_t(s.n), in<S>(x, s.size), in<S>(targets, s.size), in<T>(weights, s.rows), divisor_of<T>(divisor),
                 each, out<S>(dx, s.size));
          if (sum) cuda::loss_sum(int64_t(s.rows), each, divisor, sum, stream_of(stream));
        });
        return true;
      },
      array("x"), array("targets"), array("weights").none(), nb::arg("divisor"), array("losses"), array("total").none(),
      array("dx").none(), nb::arg("scale") = 1.0, nb::arg("shift") = 0.0, nb::arg("a") = 0.0, nb::arg("b") = 1.0,
      nb::arg("gamma") = 0.0, nb::arg("stream") = 0, "Returns True: a target out of range gives NaN.");
}

static void scale(const In& x, const In& factors, const Out& y, uintptr_t stream) {
  const size_t size = x.size(), count = factors.size();
  if (count == 0 || size % count != 0) throw nb::value_error("scale_rows: x is no whole number of rows a factor");
  launch_any(x, [&]<class S>(S) {
    cuda::scale_rows(int64_t(count), int64_t(size / count), in<S>(x, size), in<Computed<S>>(factors, count),
                     count == 1 ? 0 : 1, out<S>(y, size), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  define_labels(m, "softmax_cross_entropy", [](auto... arguments) { cuda::softmax_cross_entropy(arguments...); });
  define_labels(m, "cross_entropy_from_probabilities",
                []<class S, class T>(int64_t rows, int64_t n, const S* q, const int64_t* labels, int64_t ignored, T,
                                     const T* weights, Setting<double> divisor, T* losses, S* dq, Stream stream) {
                  cuda::cross_entropy_from_probabilities(rows, n, q, labels, ignored, weights, divisor, losses, dq,
                                                         stream);
                });
  define<Setting<double>>(AnyWidth{}, m, "softmax_cross_entropy_soft", [](const auto&, Stream stream, auto... arrays) {
    cuda::softmax_cross_entropy_soft(arrays..., stream);
  });
  define<Setting<double>>(AnyWidth{}, m, "cross_entropy_from_probabilities_soft",
                          [](const auto&, Stream stream, auto... arrays) {
                            cuda::cross_entropy_from_probabilities_soft(arrays..., stream);
                          });
  define(FullWidth{}, m, "softmax_focal_cross_entropy", [](const auto& p, Stream stream, auto... arrays) {
    cuda::softmax_focal_cross_entropy(arrays..., p.scale, p.shift, p.gamma, stream);
  });
  define(FullWidth{}, m, "categorical_focal_cross_entropy", [](const auto& p, Stream stream, auto... arrays) {
    cuda::categorical_focal_cross_entropy(arrays..., p.scale, p.shift, p.gamma, stream);
  });
  define(AnyWidth{}, m, "cosine_similarity_loss", [](const auto&, Stream stream, auto... arrays) {
    cuda::row_loss(RowLoss::cosine_similarity, arrays..., stream);
  });
  define(AnyWidth{}, m, "categorical_hinge_loss", [](const auto&, Stream stream, auto... arrays) {
    cuda::row_loss(RowLoss::categorical_hinge, arrays..., stream);
  });
  for (const auto& [name, loss] : POINTWISE_LOSSES)
    define(AnyWidth{}, m, name, [loss = loss](const auto& p, Stream stream, auto... arrays) {
      cuda::pointwise_loss(loss, arrays..., p, stream);
    });
  m.def("scale_rows", &scale, array("x"), array("factors"), array("y"), nb::arg("stream"));
  takes_sixteen_bits({"scale_rows"}, {"factors"});
});

}  // namespace lamina::bind::loss_op
