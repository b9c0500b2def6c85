#include "ops/optimizer.h"

#include <vector>

#include "bind/cpu/bind.h"

namespace lamina::bind::optimizer_op {

static const py::array& item(const py::list& list, size_t i) {
  const PyObject* const* at = &PyList_GET_ITEM(list.ptr(), Py_ssize_t(i));
  const auto& object = *reinterpret_cast<const py::object*>(at);
  if (!is_array(object)) throw py::type_error("step: expected lists of arrays");
  return static_cast<const py::array&>(object);
}

/// The parameters that have a gradient; the others are left alone.
template <class T>
static std::vector<Parameter<T>> parameters_of(const py::list& weights, const py::list& gradients,
                                               const py::object& first, const py::object& second) {
  const size_t count = weights.size();
  const auto memory = [&](const py::object& list, size_t i, int64_t n) -> T* {
    return list.is_none() ? nullptr : out<T>(item(static_cast<const py::list&>(list), i), n);
  };
  for (const py::object* list : {&first, &second})
    if (!list->is_none() && !py::isinstance<py::list>(*list)) throw py::type_error("step: expected lists of arrays");
  if (gradients.size() != count || (!first.is_none() && py::len(first) != count) ||
      (!second.is_none() && py::len(second) != count))
    throw py::value_error("step: the lists differ in length");
  std::vector<Parameter<T>> parameters;
  parameters.reserve(count);
  int64_t start = 0;
  for (size_t i = 0; i < count; ++i) {
    if (gradients[i].is_none()) continue;
    const int64_t n = item(weights, i).size();
    parameters.push_back({out<T>(item(weights, i), n), in<T>(item(gradients, i), n), memory(first, i, n),
                          memory(second, i, n), n, start});
    start += (n + Parameter<T>::PIECE - 1) / Parameter<T>::PIECE;
  }
  return parameters;
}

/// run(Target, T, parameters) for parameters of one dtype, float32 or float64.
template <class F>
static void step(const py::list& weights, const py::list& gradients, const py::object& first, const py::object& second,
                 F&& run) {
  if (weights.empty()) return;
  const auto typed = [&]<class T>(T) {
    const std::vector<Parameter<T>> parameters = parameters_of<T>(weights, gradients, first, second);
    py::gil_scoped_release release;
    dispatch([&](auto target) { run(target, T(), int64_t(parameters.size()), parameters.data()); });
  };
  type_of(item(weights, 0)) == type_number<float>() ? typed(float()) : typed(double());
}

static void sgd(const py::list& weights, const py::list& gradients, const py::object& velocities, double rate,
                double momentum, bool nesterov) {
  step(weights, gradients, velocities, py::none(), [&]<class Target, class T>(Target, T, int64_t n, const auto* p) {
    sgd_step<Target>(n, p, T(rate), T(momentum), nesterov);
  });
}

static void adam(const py::list& weights, const py::list& gradients, const py::list& m, const py::list& v, double rate,
                 double beta_1, double beta_2, double epsilon, int64_t step_number) {
  if (step_number < 1) throw py::value_error("adam_step: step counts from 1");
  step(weights, gradients, m, v, [&]<class Target, class T>(Target, T, int64_t n, const auto* p) {
    adam_step<Target>(n, p, rate, beta_1, beta_2, T(epsilon), step_number);
  });
}

static const Registration registration([](py::module_& m) {
  m.def("sgd_step", &sgd, py::arg("weights"), py::arg("grads"), py::arg("velocities"), py::arg("learning_rate"),
        py::arg("momentum"), py::arg("nesterov"));
  m.def("adam_step", &adam, py::arg("weights"), py::arg("grads"), py::arg("m"), py::arg("v"), py::arg("learning_rate"),
        py::arg("beta_1"), py::arg("beta_2"), py::arg("epsilon"), py::arg("step"));
});

}  // namespace lamina::bind::optimizer_op
