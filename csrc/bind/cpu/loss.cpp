// Losses of one prediction and one target: the cross entropies, the pointwise ones and those of rows.
#include "ops/loss.h"

#include "bind/cpu/bind.h"
#include "bind/names.h"
#include "ops/focal_cross_entropy.h"
#include "ops/pointwise_loss.h"
#include "ops/row_loss.h"
#include "ops/softmax_cross_entropy.h"

namespace lamina::bind::loss_op {

/// x as (rows, n), the samples' losses, and their sum if `total` is an array of one element.
struct Sizes {
  int64_t rows, n, size;
  explicit Sizes(const py::array& x) : size(x.size()) {
    if (x.ndim() == 0 || x.shape(x.ndim() - 1) == 0) throw py::value_error("loss: x must have a last axis");
    n = x.shape(x.ndim() - 1);
    rows = size / n;
  }
};

template <class Target, class T>
static void sum(const py::object& total, int64_t rows, const T* losses, double divisor) {
  if (T* const to = out<T>(total, 1)) *to = loss_sum<Target>(rows, losses, T(divisor));
}

/// name(x, labels, weights, divisor, losses, total, dx, ignored, smoothing).
template <class Kernel>
static void define_labels(py::module_& m, const char* name, Kernel kernel) {
  m.def(
      name,
      [kernel](const py::array& x, const py::array& labels, const py::object& weights, double divisor,
               const py::array& losses, const py::object& total, const py::object& dx, int64_t ignored,
               double smoothing) {
        const Sizes s(x);
        int64_t bad = -1;
        launch(x, [&]<class Target, class T>(Target target, T) {
          const int64_t* const label = in<int64_t>(labels, s.rows);
          bad = find_bad_label<Target>(s.rows, s.n, label, ignored);
          if (bad >= 0) return;
          T* const each = out<T>(losses, s.rows);
          kernel(target, s.rows, s.n, in<T>(x, s.size), label, ignored, T(smoothing), in<T>(weights, s.rows),
                 T(divisor), each, out<T>(dx, s.size));
          sum<Target>(total, s.rows, each, divisor);
        });
        return bad;
      },
      py::arg("x"), py::arg("labels"), py::arg("weights"), py::arg("divisor"), py::arg("losses"), py::arg("total"),
      py::arg("dx"), py::arg("ignored") = NONE_IGNORED, py::arg("smoothing") = 0.0,
      "Returns the place of the first label out of range, or -1.");
}

/// name(x, targets, weights, divisor, losses, total, dx, scale, shift, a, b, gamma); returns whether the targets are
/// within what the loss allows. Parameters that a loss does not read mean nothing.
template <class Kernel>
static void define(py::module_& m, const char* name, Kernel kernel) {
  m.def(
      name,
      [kernel](const py::array& x, const py::array& targets, const py::object& weights, double divisor,
               const py::array& losses, const py::object& total, const py::object& dx, double scale, double shift,
               double a, double b, double gamma) {
        const Sizes s(x);
        bool fine = true;
        launch(x, [&]<class Target, class T>(Target target, T) {
          T* const each = out<T>(losses, s.rows);
          fine =
              kernel(target, s.rows, s.n, in<T>(x, s.size), in<T>(targets, s.size), in<T>(weights, s.rows), T(divisor),
                     each, out<T>(dx, s.size), LossParameters<T>{T(scale), T(shift), T(a), T(b), T(gamma)});
          if (fine) sum<Target>(total, s.rows, each, divisor);
        });
        return fine;
      },
      py::arg("x"), py::arg("targets"), py::arg("weights"), py::arg("divisor"), py::arg("losses"), py::arg("total"),
      py::arg("dx"), py::arg("scale") = 1.0, py::arg("shift") = 0.0, py::arg("a") = 0.0, py::arg("b") = 1.0,
      py::arg("gamma") = 0.0);
}

static void scale(const py::array& x, const py::array& factors, const py::array& y) {
  const int64_t size = x.size(), count = factors.size();
  if (count == 0 || size % count != 0) throw py::value_error("scale_rows: x is no whole number of rows a factor");
  launch(x, [&]<class Target, class T>(Target, T) {
    scale_rows<Target>(count, size / count, in<T>(x, size), in<T>(factors, count), count == 1 ? 0 : 1, out<T>(y, size));
  });
}

static bool binary(const py::array& t) {
  bool all = false;
  launch(t, [&]<class Target, class T>(Target, T) { all = all_binary<Target>(t.size(), in<T>(t, t.size())); });
  return all;
}

static const Registration registration([](py::module_& m) {
  define_labels(m, "softmax_cross_entropy",
                []<class T>(auto target, int64_t rows, int64_t n, const T* x, const int64_t* labels, int64_t ignored,
                            T smoothing, const T* weights, T divisor, T* losses, T* dx) {
                  softmax_cross_entropy<decltype(target)>(rows, n, x, labels, ignored, smoothing, weights, divisor,
                                                          losses, dx);
                });
  define_labels(m, "cross_entropy_from_probabilities",
                []<class T>(auto target, int64_t rows, int64_t n, const T* q, const int64_t* labels, int64_t ignored, T,
                            const T* weights, T divisor, T* losses, T* dq) {
                  cross_entropy_from_probabilities<decltype(target)>(rows, n, q, labels, ignored, weights, divisor,
                                                                     losses, dq);
                });
  /// A kernel of the arrays alone, or with some of the parameters, that allows any targets.
  const auto of_rows = [&m](const char* name, auto kernel) {
    define(m, name,
           [kernel]<class T>(auto target, int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor,
                             T* losses, T* dx, const LossParameters<T>& parameters) {
             kernel(target, parameters, rows, n, x, t, weights, divisor, losses, dx);
             return true;
           });
  };
  of_rows("softmax_cross_entropy_soft",
          [](auto target, const auto&, auto... arrays) { softmax_cross_entropy_soft<decltype(target)>(arrays...); });
  of_rows("cross_entropy_from_probabilities_soft", [](auto target, const auto&, auto... arrays) {
    cross_entropy_from_probabilities_soft<decltype(target)>(arrays...);
  });
  of_rows("softmax_focal_cross_entropy", [](auto target, const auto& p, auto... arrays) {
    softmax_focal_cross_entropy<decltype(target)>(arrays..., p.scale, p.shift, p.gamma);
  });
  of_rows("categorical_focal_cross_entropy", [](auto target, const auto& p, auto... arrays) {
    categorical_focal_cross_entropy<decltype(target)>(arrays..., p.scale, p.shift, p.gamma);
  });
  of_rows("cosine_similarity_loss", [](auto target, const auto&, auto... arrays) {
    row_loss<decltype(target)>(RowLoss::cosine_similarity, arrays...);
  });
  of_rows("categorical_hinge_loss", [](auto target, const auto&, auto... arrays) {
    row_loss<decltype(target)>(RowLoss::categorical_hinge, arrays...);
  });
  for (const auto& [name, loss] : POINTWISE_LOSSES)
    define(m, name,
           [loss = loss]<class T>(auto target, int64_t rows, int64_t n, const T* x, const T* t, const T* weights,
                                  T divisor, T* losses, T* dx, const LossParameters<T>& parameters) {
             return pointwise_loss<decltype(target)>(loss, rows, n, x, t, weights, divisor, losses, dx, parameters);
           });
  m.def("all_binary", &binary, py::arg("targets"), "Whether every target is 0 or 1.");
  m.def("scale_rows", &scale, py::arg("x"), py::arg("factors"), py::arg("y"));
});

}  // namespace lamina::bind::loss_op
