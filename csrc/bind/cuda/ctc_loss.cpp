#include "ops/ctc_loss.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::ctc_loss_op {

/// x (batch, time, classes), targets (batch, labels), the lengths (batch,), losses (batch,), dx like x or None.
static void forward(const In& x, const In& targets, const In& target_lengths, const In& input_lengths, int64_t blank,
                    bool zero_infinity, const Out& losses, const OptionalOut& dx, uintptr_t stream) {
  if (x.ndim() != 3 || targets.ndim() != 2) throw nb::value_error("ctc_loss: expected three and two dimensions");
  CtcLoss s{int64_t(x.shape(0)),
            int64_t(x.shape(1)),
            int64_t(x.shape(2)),
            int64_t(targets.shape(1)),
            blank,
            zero_infinity,
            nullptr,
            nullptr,
            nullptr};
  const size_t batch = size_t(s.batch);
  s.targets = in<int64_t>(targets, size_t(product(s.batch, s.labels)));
  s.target_lengths = in<int64_t>(target_lengths, batch);
  s.input_lengths = in<int64_t>(input_lengths, batch);
  if (s.blank < 0 || s.blank >= s.classes) throw nb::index_error("ctc_loss: the blank is out of range");
  if (s.batch >= int64_t(1) << 31) throw nb::value_error("ctc_loss: the batch is too large");
  launch(x, [&]<class T>(T) {
    cuda::ctc_loss(s, in<T>(x, x.size()), out<T>(losses, batch), out<T>(dx, x.size()), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("ctc_loss", &forward, array("x"), array("targets"), array("target_lengths"), array("input_lengths"),
        nb::arg("blank"), nb::arg("zero_infinity"), array("losses"), array("dx").none(), nb::arg("stream"));
});

}  // namespace lamina::bind::ctc_loss_op
