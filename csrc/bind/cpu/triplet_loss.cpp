#include "ops/triplet_loss.h"

#include "bind/cpu/bind.h"
#include "ops/loss.h"

namespace lamina::bind::triplet_loss_op {

static void loss(const py::array& x, const py::array& positive, const py::array& negative, const py::object& weights,
                 double divisor, const py::array& losses, const py::object& total, const py::object& dx,
                 const py::object& dp, const py::object& dq, double margin, bool swap) {
  const int64_t rows = losses.size(), size = x.size(), n = size_of(x, int(x.ndim()) - 1, "triplet_loss");
  if (rows * n != size) throw py::value_error("triplet_loss: one loss for each row of x");
  if (dx.is_none() != dp.is_none() || dx.is_none() != dq.is_none())
    throw py::value_error("triplet_loss: all gradients or none");
  launch(x, [&]<class Target, class T>(Target, T) {
    T* const each = out<T>(losses, rows);
    triplet_loss<Target>(rows, n, in<T>(x, size), in<T>(positive, size), in<T>(negative, size), in<T>(weights, rows),
                         T(divisor), each, out<T>(dx, size), out<T>(dp, size), out<T>(dq, size), T(margin), swap);
    if (T* const to = out<T>(total, 1)) *to = loss_sum<Target>(rows, each, T(divisor));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("triplet_loss", &loss, py::arg("x"), py::arg("positive"), py::arg("negative"), py::arg("weights"),
        py::arg("divisor"), py::arg("losses"), py::arg("total"), py::arg("dx"), py::arg("dp"), py::arg("dq"),
        py::arg("margin"), py::arg("swap"));
});

}  // namespace lamina::bind::triplet_loss_op
