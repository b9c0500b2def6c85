#include "ops/adafactor.h"

#include <vector>

#include "bind/cpu/bind.h"

namespace lamina::bind::adafactor_op {

static py::array array_at(const py::list& list, size_t i) {
  py::object object = list[i];
  if (!is_array(object)) throw py::type_error("adafactor_step: expected lists of arrays");
  return object.cast<py::array>();
}

/// Memory is the lists': the arrays live as long as they do.
template <class T>
static std::vector<FactoredParameter<T>> parameters_of(const py::list& weights, const py::list& gradients,
                                                       const py::list& rows, const py::list& columns) {
  const size_t count = weights.size();
  if (gradients.size() != count || rows.size() != count || columns.size() != count)
    throw py::value_error("adafactor_step: the lists differ in length");
  std::vector<FactoredParameter<T>> parameters;
  parameters.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const py::array w = array_at(weights, i);
    const int64_t n = w.size();
    FactoredParameter<T> p{1, 1, n, out<T>(w, n), in<T>(array_at(gradients, i), n), nullptr, nullptr, nullptr};
    if (w.ndim() >= 2) {
      p.rows = w.shape(w.ndim() - 2);
      p.columns = w.shape(w.ndim() - 1);
      p.matrices = n == 0 ? 0 : n / (p.rows * p.columns);
      if (n > 0) {
        p.r = out<T>(array_at(rows, i), p.matrices * p.rows);
        p.c = out<T>(array_at(columns, i), p.matrices * p.columns);
      }
    } else {
      p.v = out<T>(array_at(rows, i), n);
    }
    parameters.push_back(p);
  }
  return parameters;
}

static void step(const py::list& weights, const py::list& gradients, const py::list& rows, const py::list& columns,
                 double rate, double beta, double epsilon_1, double epsilon_2, double threshold) {
  if (weights.empty()) return;
  const AdafactorSettings s{rate, beta, epsilon_1, epsilon_2, threshold};
  const auto typed = [&]<class T>(T) {
    const std::vector<FactoredParameter<T>> parameters = parameters_of<T>(weights, gradients, rows, columns);
    py::gil_scoped_release release;
    dispatch<T>(
        [&]<class Target>(Target) { adafactor_step<Target>(int64_t(parameters.size()), parameters.data(), s); });
  };
  type_of(array_at(weights, 0)) == type_number<float>() ? typed(float()) : typed(double());
}

static const Registration registration([](py::module_& m) {
  m.def("adafactor_step", &step, py::arg("weights"), py::arg("grads"), py::arg("rows"), py::arg("columns"),
        py::arg("learning_rate"), py::arg("beta"), py::arg("epsilon_1"), py::arg("epsilon_2"), py::arg("threshold"));
});

}  // namespace lamina::bind::adafactor_op
