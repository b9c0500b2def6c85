#include "ops/triplet_loss.h"

#include "bind/cuda/bind.h"
#include "ops/loss.h"

namespace lamina::bind::triplet_loss_op {

static void loss(const In& x, const In& positive, const In& negative, const OptionalIn& weights, double divisor,
                 const Out& losses, const OptionalOut& total, const OptionalOut& dx, const OptionalOut& dp,
                 const OptionalOut& dq, double margin, bool swap, uintptr_t stream) {
  const size_t rows = losses.size(), size = x.size();
  const int64_t n = size_of(x, int(x.ndim()) - 1, "triplet_loss");
  if (rows * size_t(n) != size) throw nb::value_error("triplet_loss: one loss for each row of x");
  if (!dx != !dp || !dx != !dq) throw nb::value_error("triplet_loss: all gradients or none");
  launch(x, [&]<class T>(T) {
    T *const each = out<T>(losses, rows), *const sum = out<T>(total, 1);
    cuda::triplet_loss(int64_t(rows), n, in<T>(x, size), in<T>(positive, size), in<T>(negative, size),
                       in<T>(weights, rows), T(divisor), each, out<T>(dx, size), out<T>(dp, size), out<T>(dq, size),
                       T(margin), swap, stream_of(stream));
    if (sum) cuda::loss_sum(int64_t(rows), each, T(divisor), sum, stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("triplet_loss", &loss, array("x"), array("positive"), array("negative"), array("weights").none(),
        nb::arg("divisor"), array("losses"), array("total").none(), array("dx").none(), array("dp").none(),
        array("dq").none(), nb::arg("margin"), nb::arg("swap"), nb::arg("stream"));
});

}  // namespace lamina::bind::triplet_loss_op
