#include "ops/optimizer.h"

#include <algorithm>
#include <vector>

#include "bind/cuda/setting.h"
#include "bind/names.h"

namespace lamina::bind::optimizer_op {

/// An array of a list, which keeps it alive; never a copy of it.
template <class A>
static A item(nb::handle list, size_t i) {
  A array;
  if (!nb::try_cast<A>(list[i], array, false)) throw nb::type_error("step: expected lists of arrays on the device");
  return array;
}

/// A list of so many items, or nothing where there is None.
static nb::object list_of(nb::handle object, size_t length) {
  if (object.is_none()) return {};
  if (!nb::isinstance<nb::list>(object)) throw nb::type_error("step: expected lists of arrays");
  if (nb::len(object) != length) throw nb::value_error("step: the lists differ in length");
  return nb::borrow(object);
}

/// A list of numbers, one a parameter; nothing where there is none, or an array on the device.
static std::vector<double> numbers(nb::handle object, size_t length) {
  std::vector<double> values;
  if (array_or_none(object)) return values;
  const nb::object list = list_of(object, length);
  if (list.is_valid())
    for (size_t i = 0; i < length; ++i) values.push_back(nb::cast<double>(list[i]));
  return values;
}

/// f(T{}) for the dtype of the first array, float32 or float64.
template <class F>
static void typed(const nb::list& arrays, F&& f) {
  const auto type = item<In>(arrays, 0).dtype();
  if (!holds<float>(type) && !holds<double>(type)) throw nb::type_error("expected float32 or float64");
  holds<float>(type) ? f(float()) : f(double());
}

/// The rows of a row-sparse gradient: (rows, whether all rows take the step), or None.
template <class T>
static void add_rows(nb::handle rows, const Out& weights, OptimizerRule rule, Parameter<T>& p) {
  if (rows.is_none()) return;
  if (!nb::isinstance<nb::tuple>(rows) || nb::len(rows) != 2 || rule == OptimizerRule::lamb)
    throw nb::value_error("step: no place for rows");
  const In numbers_of_rows = item<In>(rows, 0);
  p.rows = in<int64_t>(numbers_of_rows, numbers_of_rows.size());
  p.row_count = int64_t(numbers_of_rows.size());
  p.whole = nb::cast<bool>(rows[1]);
  p.table = size_of(weights, 0, "step");
  p.width = p.n / std::max<int64_t>(1, p.table);
  if (!p.whole) p.n = p.row_count * p.width;
}

/// The parameters that have a gradient; the others are left alone. weights: None, or a list; slots: a list, or None,
/// for each slot.
template <class T>
static std::vector<Parameter<T>> parameters_of(const NamedRule& rule, nb::handle weights, const nb::list& gradients,
                                               const nb::tuple& slots, const std::vector<double>& scales,
                                               const std::vector<double>& decays, nb::handle rows) {
  const size_t count = gradients.size();
  if (slots.size() > OPTIMIZER_SLOTS) throw nb::value_error("step: too many slots");
  const nb::object weights_list = list_of(weights, count), rows_list = list_of(rows, count);
  nb::object kept[OPTIMIZER_SLOTS];
  for (size_t k = 0; k < slots.size(); ++k) kept[k] = list_of(slots[k], count);
  for (int k = 0; k < rule.needed; ++k)
    if (!kept[k].is_valid()) throw nb::value_error("step: a slot is missing");
  std::vector<Parameter<T>> parameters;
  parameters.reserve(count);
  int64_t start = 0;
  for (size_t i = 0; i < count; ++i) {
    if (gradients[i].is_none()) continue;
    const In gradient = item<In>(gradients, i);
    Parameter<T> p{};
    size_t size = gradient.size();
    p.n = int64_t(size);
    if (weights_list.is_valid()) {
      const Out own = item<Out>(weights_list, i);
      size = own.size();
      p.n = int64_t(size);
      p.weights = out<T>(own, size);
      if (rows_list.is_valid()) add_rows<T>(nb::object(rows_list[i]), own, rule.rule, p);
    }
    p.gradients = in<T>(gradient, p.rows ? size_t(p.row_count * p.width) : size);
    for (int k = 0; k < OPTIMIZER_SLOTS; ++k)
      if (kept[k].is_valid()) p.slots[k] = out<T>(item<Out>(kept[k], i), size);
    p.start = start;
    p.number = int64_t(i);
    p.scale = scales.empty() ? 1 : scales[i];
    p.decay = decays.empty() ? 0 : decays[i];
    parameters.push_back(p);
    start += (p.n + Parameter<T>::PIECE - 1) / Parameter<T>::PIECE;
  }
  return parameters;
}

static void step(const NamedRule& rule, const nb::list& weights, const nb::list& gradients, const nb::tuple& slots,
                 nb::handle settings, int64_t step_number, nb::handle scales, nb::handle decays, double clip,
                 nb::handle rows, uintptr_t stream) {
  if (step_number < 1) throw nb::value_error("step: steps count from 1");
  const OptionalIn there = array_or_none(settings), scales_there = array_or_none(scales),
                   decays_there = array_or_none(decays);
  if (!there && (!nb::isinstance<nb::tuple>(settings) || nb::len(settings) > OPTIMIZER_SETTINGS))
    throw nb::value_error("step: settings must be a tuple of at most six numbers, or an array on the device");
  if (weights.size() != gradients.size()) throw nb::value_error("step: the lists differ in length");
  if (weights.size() == 0) return;
  OptimizerSettings s;
  for (size_t k = 0; !there && k < nb::len(settings); ++k) s.values[k] = nb::cast<double>(settings[k]);
  const std::vector<double> scale = numbers(scales, weights.size()), decay = numbers(decays, weights.size());
  s.step = step_number;
  s.clip = clip;
  s.prepares = clip > 0 || !scales.is_none() || !decays.is_none();
  const cuda::DeviceSettings device{in<double>(there, OPTIMIZER_SETTINGS + 1), in<double>(scales_there, weights.size()),
                                    in<double>(decays_there, weights.size())};
  typed(weights, [&]<class T>(T) {
    const std::vector<Parameter<T>> parameters = parameters_of<T>(rule, weights, gradients, slots, scale, decay, rows);
    nb::gil_scoped_release release;
    cuda::optimizer_step(rule.rule, int64_t(parameters.size()), parameters.data(), s, device, stream_of(stream));
  });
}

static void squares(const nb::list& gradients, const Out& sums, uintptr_t stream) {
  double* const to = out<double>(sums, gradients.size());
  if (gradients.size() == 0) return;
  typed(gradients, [&]<class T>(T) {
    const std::vector<Parameter<T>> parameters =
        parameters_of<T>(OPTIMIZER_RULES[0], nb::none(), gradients, nb::tuple(), {}, {}, nb::none());
    if (parameters.size() != gradients.size()) throw nb::type_error("step: expected lists of arrays");
    nb::gil_scoped_release release;
    cuda::gradient_squares(int64_t(parameters.size()), parameters.data(), to, stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  for (const NamedRule& rule : OPTIMIZER_RULES)
    m.def(
        rule.name,
        [&rule](const nb::list& weights, const nb::list& gradients, const nb::tuple& slots, nb::handle settings,
                int64_t step_number, nb::handle scales, nb::handle decays, double clip, nb::handle rows,
                uintptr_t stream) {
          step(rule, weights, gradients, slots, settings, step_number, scales, decays, clip, rows, stream);
        },
        nb::arg("weights"), nb::arg("grads"), nb::arg("slots"), nb::arg("settings"), nb::arg("step") = 1,
        nb::arg("scales") = nb::none(), nb::arg("decays") = nb::none(), nb::arg("clip") = 0.0,
        nb::arg("rows") = nb::none(), nb::arg("stream") = 0);
  m.def("gradient_squares", &squares, nb::arg("grads"), array("sums"), nb::arg("stream"));
});

}  // namespace lamina::bind::optimizer_op
