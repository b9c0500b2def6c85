#include "ops/optimizer.h"

#include <algorithm>
#include <vector>

#include "bind/cpu/bind.h"
#include "bind/names.h"

namespace lamina::bind::optimizer_op {

static const py::array& item(const py::list& list, size_t i) {
  const PyObject* const* at = &PyList_GET_ITEM(list.ptr(), Py_ssize_t(i));
  const auto& object = *reinterpret_cast<const py::object*>(at);
  if (!is_array(object)) throw py::type_error("step: expected lists of arrays");
  return static_cast<const py::array&>(object);
}

static bool is_list(py::handle object, size_t length) {
  if (object.is_none()) return false;
  if (!py::isinstance<py::list>(object)) throw py::type_error("step: expected lists of arrays");
  if (py::len(object) != length) throw py::value_error("step: the lists differ in length");
  return true;
}

/// A list of numbers, one a parameter; nothing where there is none.
static std::vector<double> numbers(const py::object& object, size_t length) {
  std::vector<double> values;
  if (object.is_none()) return values;
  const auto list = object.cast<py::list>();
  if (list.size() != length) throw py::value_error("step: the lists differ in length");
  for (const auto& value : list) values.push_back(value.cast<double>());
  return values;
}

/// Row-sparse gradients: for each parameter None, or (rows, whether all rows take the step).
struct RowSparse {
  const int64_t* rows = nullptr;
  int64_t count = 0;
  bool whole = false;
};
static std::vector<RowSparse> row_sparse(const py::object& object, const py::list& weights, const NamedRule& rule) {
  std::vector<RowSparse> found;
  if (object.is_none()) return found;
  const auto list = object.cast<py::list>();
  if (list.size() != weights.size()) throw py::value_error("step: the lists differ in length");
  for (size_t i = 0; i < list.size(); ++i) {
    RowSparse r;
    if (!list[i].is_none()) {
      const auto pair = list[i].cast<py::tuple>();
      if (pair.size() != 2 || rule.rule == OptimizerRule::lamb) throw py::value_error("step: no place for rows");
      const auto rows = pair[0].cast<py::array>();
      const int64_t table = size_of(item(weights, i), 0, "step");
      r = {in<int64_t>(rows, rows.size()), rows.size(), pair[1].cast<bool>()};
      for (int64_t k = 0; k < r.count; ++k)
        if (r.rows[k] >= table || r.rows[k] <= (k ? r.rows[k - 1] : -1))
          throw std::out_of_range("step: rows are not in order, or out of range");
    }
    found.push_back(r);
  }
  return found;
}

/// f(T{}) for the dtype of the first array, float32 or float64.
template <class F>
static void typed(const py::list& arrays, F&& f) {
  type_of(item(arrays, 0)) == type_number<float>() ? f(float()) : f(double());
}

/// The parameters that have a gradient; the others are left alone. slots: a list, or None, for each slot.
template <class T>
static std::vector<Parameter<T>> parameters_of(const py::list* weights, const py::list& gradients,
                                               const py::tuple& slots, int needed, const std::vector<double>& scales,
                                               const std::vector<double>& decays, const std::vector<RowSparse>& rows) {
  const size_t count = gradients.size();
  if (weights && weights->size() != count) throw py::value_error("step: the lists differ in length");
  if (slots.size() > OPTIMIZER_SLOTS) throw py::value_error("step: too many slots");
  const py::list* kept[OPTIMIZER_SLOTS] = {};
  py::handle handles[OPTIMIZER_SLOTS];
  for (size_t k = 0; k < slots.size(); ++k) {
    handles[k] = PyTuple_GET_ITEM(slots.ptr(), Py_ssize_t(k));
    if (is_list(handles[k], count)) kept[k] = reinterpret_cast<const py::list*>(&handles[k]);
  }
  for (int k = 0; k < needed; ++k)
    if (!kept[k]) throw py::value_error("step: a slot is missing");
  std::vector<Parameter<T>> parameters;
  parameters.reserve(count);
  int64_t start = 0;
  for (size_t i = 0; i < count; ++i) {
    if (PyList_GET_ITEM(gradients.ptr(), Py_ssize_t(i)) == Py_None) continue;
    const py::array& gradient = item(gradients, i);
    Parameter<T> p{};
    const int64_t size = weights ? item(*weights, i).size() : gradient.size();
    p.n = size;
    if (!rows.empty() && rows[i].rows) {
      p.rows = rows[i].rows;
      p.row_count = rows[i].count;
      p.whole = rows[i].whole;
      p.width = size / std::max<int64_t>(1, item(*weights, i).shape(0));
      if (!p.whole) p.n = p.row_count * p.width;
    }
    p.gradients = in<T>(gradient, p.rows ? p.row_count * p.width : size);
    p.weights = weights ? out<T>(item(*weights, i), size) : nullptr;
    for (int k = 0; k < OPTIMIZER_SLOTS; ++k)
      if (kept[k]) p.slots[k] = out<T>(item(*kept[k], i), size);
    p.start = start;
    p.scale = scales.empty() ? 1 : scales[i];
    p.decay = decays.empty() ? 0 : decays[i];
    parameters.push_back(p);
    start += (p.n + Parameter<T>::PIECE - 1) / Parameter<T>::PIECE;
  }
  return parameters;
}

static void step(const NamedRule& rule, const py::list& weights, const py::list& gradients, const py::tuple& slots,
                 const py::tuple& settings, int64_t step_number, const py::object& scales, const py::object& decays,
                 double clip, const py::object& rows) {
  if (step_number < 1) throw py::value_error("step: steps count from 1");
  if (settings.size() > OPTIMIZER_SETTINGS) throw py::value_error("step: too many settings");
  if (weights.empty()) {
    if (!gradients.empty()) throw py::value_error("step: the lists differ in length");
    return;
  }
  OptimizerSettings s;
  for (size_t k = 0; k < settings.size(); ++k) s.values[k] = settings[k].cast<double>();
  const std::vector<double> scale = numbers(scales, weights.size()), decay = numbers(decays, weights.size());
  const std::vector<RowSparse> sparse = row_sparse(rows, weights, rule);
  s.step = step_number;
  s.clip = clip;
  s.prepares = clip > 0 || !scale.empty() || !decay.empty();
  typed(weights, [&]<class T>(T) {
    const std::vector<Parameter<T>> parameters =
        parameters_of<T>(&weights, gradients, slots, rule.needed, scale, decay, sparse);
    py::gil_scoped_release release;
    dispatch<T>([&]<class Target>(Target) {
      optimizer_step<Target>(rule.rule, int64_t(parameters.size()), parameters.data(), s);
    });
  });
}

static void squares(const py::list& gradients, const py::array& sums) {
  double* const to = out<double>(sums, int64_t(gradients.size()));
  if (gradients.empty()) return;
  typed(gradients, [&]<class T>(T) {
    const std::vector<Parameter<T>> parameters = parameters_of<T>(nullptr, gradients, py::tuple(), 0, {}, {}, {});
    if (parameters.size() != gradients.size()) throw py::type_error("step: expected lists of arrays");
    py::gil_scoped_release release;
    dispatch<T>(
        [&]<class Target>(Target) { gradient_squares<Target>(int64_t(parameters.size()), parameters.data(), to); });
  });
}

static const Registration registration([](py::module_& m) {
  for (const NamedRule& rule : OPTIMIZER_RULES)
    m.def(
        rule.name,
        [&rule](const py::list& weights, const py::list& gradients, const py::tuple& slots, const py::tuple& settings,
                int64_t step_number, const py::object& scales, const py::object& decays, double clip,
                const py::object& rows) {
          step(rule, weights, gradients, slots, settings, step_number, scales, decays, clip, rows);
        },
        py::arg("weights"), py::arg("grads"), py::arg("slots"), py::arg("settings"), py::arg("step") = 1,
        py::arg("scales") = py::none(), py::arg("decays") = py::none(), py::arg("clip") = 0.0,
        py::arg("rows") = py::none());
  m.def("gradient_squares", &squares, py::arg("grads"), py::arg("sums"));
});

}  // namespace lamina::bind::optimizer_op
