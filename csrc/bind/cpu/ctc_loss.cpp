#include "ops/ctc_loss.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::ctc_loss_op {

/// x (batch, time, classes), targets (batch, labels), the lengths (batch,), losses (batch,), dx like x or None.
static void forward(const py::array& x, const py::array& targets, const py::array& target_lengths,
                    const py::array& input_lengths, int64_t blank, bool zero_infinity, const py::array& losses,
                    const py::object& dx) {
  if (x.ndim() != 3 || targets.ndim() != 2) throw py::value_error("ctc_loss: expected three and two dimensions");
  CtcLoss s{x.shape(0), x.shape(1), x.shape(2), targets.shape(1), blank, zero_infinity, nullptr, nullptr, nullptr};
  s.targets = in<int64_t>(targets, s.batch * s.labels);
  s.target_lengths = in<int64_t>(target_lengths, s.batch);
  s.input_lengths = in<int64_t>(input_lengths, s.batch);
  if (s.blank < 0 || s.blank >= s.classes) throw std::out_of_range("ctc_loss: the blank is out of range");
  for (int64_t i = 0; i < s.batch; ++i) {
    const int64_t length = s.target_lengths[i];
    if (length < 0 || length > s.labels || s.input_lengths[i] < 0 || s.input_lengths[i] > s.time)
      throw std::out_of_range("ctc_loss: a length is out of range");
    for (int64_t k = 0; k < length; ++k)
      if (s.targets[i * s.labels + k] < 0 || s.targets[i * s.labels + k] >= s.classes)
        throw std::out_of_range("ctc_loss: a target is out of range");
  }
  launch(x, [&]<class Target, class T>(Target, T) {
    ctc_loss<Target>(s, in<T>(x, x.size()), out<T>(losses, s.batch), out<T>(dx, x.size()));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("ctc_loss", &forward, py::arg("x"), py::arg("targets"), py::arg("target_lengths"), py::arg("input_lengths"),
        py::arg("blank"), py::arg("zero_infinity"), py::arg("losses"), py::arg("dx"));
});

}  // namespace lamina::bind::ctc_loss_op
