#include "ops/adafactor.h"

#include <vector>

#include "bind/cuda/setting.h"

namespace lamina::bind::adafactor_op {

template <class A>
static A array_at(const nb::list& list, size_t i) {
  A array;
  if (!nb::try_cast<A>(list[i], array, false))
    throw nb::type_error("adafactor_step: expected lists of arrays on the device");
  return array;
}

/// Memory is the lists': the arrays live as long as they do.
template <class T>
static std::vector<FactoredParameter<T>> parameters_of(const nb::list& weights, const nb::list& gradients,
                                                       const nb::list& rows, const nb::list& columns) {
  const size_t count = weights.size();
  if (gradients.size() != count || rows.size() != count || columns.size() != count)
    throw nb::value_error("adafactor_step: the lists differ in length");
  std::vector<FactoredParameter<T>> parameters;
  parameters.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const Out w = array_at<Out>(weights, i);
    const size_t n = w.size(), axes = w.ndim();
    FactoredParameter<T> p{1,       1,       int64_t(n), out<T>(w, n), in<T>(array_at<In>(gradients, i), n),
                           nullptr, nullptr, nullptr};
    if (axes >= 2) {
      p.rows = int64_t(w.shape(axes - 2));
      p.columns = int64_t(w.shape(axes - 1));
      p.matrices = n == 0 ? 0 : int64_t(n) / (p.rows * p.columns);
      if (n > 0) {
        p.r = out<T>(array_at<Out>(rows, i), size_t(p.matrices * p.rows));
        p.c = out<T>(array_at<Out>(columns, i), size_t(p.matrices * p.columns));
      }
    } else {
      p.v = out<T>(array_at<Out>(rows, i), n);
    }
    parameters.push_back(p);
  }
  return parameters;
}

static void step(const nb::list& weights, const nb::list& gradients, const nb::list& rows, const nb::list& columns,
                 nb::handle rate, nb::handle beta, double epsilon_1, double epsilon_2, double threshold,
                 uintptr_t stream) {
  if (weights.size() == 0) return;
  const cuda::Setting<double> now = setting_of<double>(rate), keep = setting_of<double>(beta);
  const AdafactorSettings s{now.value, keep.value, epsilon_1, epsilon_2, threshold};
  const cuda::DeviceAdafactorSettings there{now.place, keep.place};
  const auto typed = [&]<class T>(T) {
    const std::vector<FactoredParameter<T>> parameters = parameters_of<T>(weights, gradients, rows, columns);
    nb::gil_scoped_release release;
    cuda::adafactor_step(int64_t(parameters.size()), parameters.data(), s, there, stream_of(stream));
  };
  holds<float>(array_at<In>(weights, 0).dtype()) ? typed(float()) : typed(double());
}

static const Registration registration([](nb::module_& m) {
  m.def("adafactor_step", &step, nb::arg("weights"), nb::arg("grads"), nb::arg("rows"), nb::arg("columns"),
        nb::arg("learning_rate"), nb::arg("beta"), nb::arg("epsilon_1"), nb::arg("epsilon_2"), nb::arg("threshold"),
        nb::arg("stream"));
});

}  // namespace lamina::bind::adafactor_op
