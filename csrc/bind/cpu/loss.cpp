// Every loss: softmax_cross_entropy, cross_entropy_from_probabilities and the pointwise ones.
#include "ops/loss.h"

#include "bind/cpu/bind.h"
#include "ops/pointwise_loss.h"
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

static int64_t cross_entropy_labels(const py::array& x, const py::array& labels, const py::object& weights,
                                    double divisor, const py::array& losses, const py::object& total,
                                    const py::object& dx) {
  const Sizes s(x);
  const bool wide = type_of(labels) == type_number<int64_t>();
  int64_t bad = -1;
  launch(x, [&]<class Target, class T>(Target, T) {
    const auto run = [&](const auto* label) {
      bad = find_bad_label<Target>(s.rows, s.n, label);
      if (bad >= 0) return;
      T* const each = out<T>(losses, s.rows);
      softmax_cross_entropy<Target>(s.rows, s.n, in<T>(x, s.size), label, in<T>(weights, s.rows), T(divisor), each,
                                    out<T>(dx, s.size));
      sum<Target>(total, s.rows, each, divisor);
    };
    wide ? run(in<int64_t>(labels, s.rows)) : run(in<int32_t>(labels, s.rows));
  });
  return bad;
}

/// name(x, targets, weights, divisor, losses, total, dx), for kernel(Target, sizes, x, t, weights, divisor, ...).
template <class Kernel>
static void define(py::module_& m, const char* name, bool within_unit, Kernel kernel) {
  m.def(
      name,
      [kernel, within_unit](const py::array& x, const py::array& targets, const py::object& weights, double divisor,
                            const py::array& losses, const py::object& total, const py::object& dx) {
        const Sizes s(x);
        bool fine = true;
        launch(x, [&]<class Target, class T>(Target target, T) {
          const T* const t = in<T>(targets, s.size);
          if (within_unit && any_outside_unit<Target>(s.size, t)) return void(fine = false);
          T* const each = out<T>(losses, s.rows);
          kernel(target, s.rows, s.n, in<T>(x, s.size), t, in<T>(weights, s.rows), T(divisor), each,
                 out<T>(dx, s.size));
          sum<Target>(total, s.rows, each, divisor);
        });
        return fine;
      },
      py::arg("x"), py::arg("targets"), py::arg("weights"), py::arg("divisor"), py::arg("losses"), py::arg("total"),
      py::arg("dx"));
}

static void scale(const py::array& x, const py::array& factors, const py::array& y) {
  const int64_t size = x.size(), count = factors.size();
  if (count == 0 || size % count != 0) throw py::value_error("scale_rows: x is no whole number of rows a factor");
  launch(x, [&]<class Target, class T>(Target, T) {
    scale_rows<Target>(count, size / count, in<T>(x, size), in<T>(factors, count), count == 1 ? 0 : 1, out<T>(y, size));
  });
}

template <PointwiseLoss L>
constexpr auto pointwise =
    []<class T>(auto target, int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor, T* losses,
                T* dx) { pointwise_loss<decltype(target)>(L, rows, n, x, t, weights, divisor, losses, dx); };

static const Registration registration([](py::module_& m) {
  m.def("softmax_cross_entropy", &cross_entropy_labels, py::arg("x"), py::arg("labels"), py::arg("weights"),
        py::arg("divisor"), py::arg("losses"), py::arg("total"), py::arg("dx"),
        "Returns the place of the first label out of range, or -1.");
  define(m, "softmax_cross_entropy_soft", false,
         []<class T>(auto target, int64_t rows, int64_t n, const T* x, const T* t, const T* weights, T divisor,
                     T* losses, T* dx) {
           softmax_cross_entropy_soft<decltype(target)>(rows, n, x, t, weights, divisor, losses, dx);
         });
  define(m, "cross_entropy_from_probabilities", false,
         []<class T>(auto target, int64_t rows, int64_t n, const T* q, const T* t, const T* weights, T divisor,
                     T* losses, T* dq) {
           cross_entropy_from_probabilities<decltype(target)>(rows, n, q, t, weights, divisor, losses, dq);
         });
  define(m, "sigmoid_cross_entropy", true, pointwise<PointwiseLoss::sigmoid_cross_entropy>);
  define(m, "mean_squared_error", false, pointwise<PointwiseLoss::squared_error>);
  define(m, "mean_absolute_error", false, pointwise<PointwiseLoss::absolute_error>);
  define(m, "binary_cross_entropy_from_probabilities", true, pointwise<PointwiseLoss::binary_cross_entropy>);
  m.def("scale_rows", &scale, py::arg("x"), py::arg("factors"), py::arg("y"));
});

}  // namespace lamina::bind::loss_op
