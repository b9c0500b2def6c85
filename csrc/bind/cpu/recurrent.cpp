#include "ops/recurrent.h"

#include <vector>

#include "bind/cpu/bind.h"

namespace lamina::bind::recurrent_op {

/// The arrays of one layer, held while the kernel runs without the GIL.
struct Arrays {
  RecurrentRows rows;
  int64_t inputs, units, y_rows;
  std::vector<py::object> values;  // (x, w, u, bias, recurrent_bias, h0, c0, scale, gates, c, h_before), then others
};

static void require(bool holds, const char* what) {
  if (!holds) throw py::value_error(std::string("recurrent: ") + what);
}

/// (steps, count, begin, time, row, y_begin, y_time, y_row, at, active, order, y_rows, repeats); every place is
/// checked.
static RecurrentRows rows_of(const py::tuple& t, int64_t slots, int64_t y_rows) {
  require(t.size() == 13, "rows must have 13 entries");
  const auto number = [&](int i) { return t[i].cast<int64_t>(); };
  RecurrentRows q{number(0), number(1), slots, number(2), number(3), number(4), number(5), number(6), number(7)};
  require(q.steps >= 0 && q.count >= 0, "steps and count must not be negative");
  if (t[8].is_none()) {
    const int64_t t1 = q.steps - 1, r1 = q.count - 1;
    if (t1 < 0 || r1 < 0) return q;
    require(product(q.steps, q.count) == slots && slots <= y_rows, "steps * count must be the saved rows");
    for (const int64_t time : {int64_t(0), t1})
      for (const int64_t row : {int64_t(0), r1}) {
        const int64_t slot = q.begin + time * q.time + row * q.row, y = q.y_begin + time * q.y_time + row * q.y_row;
        require(slot >= 0 && slot < slots && y >= 0 && y < y_rows, "a step lies outside");
      }
    return q;
  }
  const py::object at = t[8], active = t[9], order = t[10], places = t[11], repeats = t[12];
  q.at = in<int64_t>(at, q.steps);
  q.active = in<int64_t>(active, q.steps + 1);
  q.order = in<int64_t>(order, q.count);
  q.y_rows = in<int64_t>(places, slots);
  q.repeats = in<int64_t>(repeats, slots);
  require(q.active && q.order && q.y_rows && q.repeats, "packed rows need all their arrays");
  int64_t sum = 0;
  for (int64_t step = 0; step < q.steps; ++step) {
    require(q.at[step] == sum && q.active[step] >= q.active[step + 1] && q.active[step] <= q.count,
            "rows out of order");
    sum += q.active[step];
  }
  require(q.active[q.steps] == 0 && sum <= slots, "rows out of order");
  std::vector<bool> seen(size_t(q.count));
  for (int64_t r = 0; r < q.count; ++r) {
    require(q.order[r] >= 0 && q.order[r] < q.count && !seen[size_t(q.order[r])], "order is no order");
    seen[size_t(q.order[r])] = true;
  }
  require(q.y_time != 0, "y_time must not be 0");
  for (int64_t i = 0; i < slots; ++i) {
    const int64_t y = q.y_rows[i], room = q.y_time > 0 ? (y_rows - 1 - y) / q.y_time : y / -q.y_time;
    require(y >= 0 && y < y_rows && q.repeats[i] >= 1 && q.repeats[i] <= room + 1, "a row of y lies outside");
  }
  return q;
}

static std::vector<Arrays> layers_of(const py::list& layers, size_t others, size_t y) {
  require(layers.size() >= 1 && layers.size() <= 2, "one layer or two");
  std::vector<Arrays> all;
  for (const py::handle item : layers) {
    const auto t = py::reinterpret_borrow<py::tuple>(item);
    require(t.size() == 12 + others, "a layer has another number of entries");
    Arrays a;
    for (size_t i = 1; i < t.size(); ++i) a.values.push_back(t[i]);
    for (const int i : {0, 1, 2, 8}) require(is_array(a.values[size_t(i)]), "x, w, u and gates are needed");
    const auto x = py::reinterpret_borrow<py::array>(a.values[0]), u = py::reinterpret_borrow<py::array>(a.values[2]);
    a.inputs = size_of(x, 1, "recurrent");
    a.units = size_of(u, 0, "recurrent");
    require(a.units > 0, "units must be positive");
    const py::object y_array = a.values[y];
    a.y_rows = is_array(y_array) ? py::reinterpret_borrow<py::array>(y_array).size() / a.units : int64_t(1) << 60;
    a.rows = rows_of(t[0].cast<py::tuple>(), x.shape(0), a.y_rows);
    require(all.empty() || (a.units == all[0].units && a.rows.steps == all[0].rows.steps &&
                            a.rows.count == all[0].rows.count && a.inputs == all[0].inputs),
            "layers must have the same sizes");
    all.push_back(a);
  }
  return all;
}

template <class T>
static Recurrent<T> layer_of(const Arrays& a, int kind, int activation) {
  const RecurrentKind which = RecurrentKind(kind);
  const int64_t n = a.units, columns = product(gates_of(which), n), slots = a.rows.slots;
  const int64_t states = product(a.rows.count, n), saved = product(slots, n);
  const auto& v = a.values;
  return {which,
          activation_of(activation),
          a.rows,
          a.inputs,
          n,
          in<T>(v[0], product(slots, a.inputs)),
          in<T>(v[1], product(a.inputs, columns)),
          in<T>(v[2], product(n, columns)),
          in<T>(v[3], columns),
          in<T>(v[4], columns),
          in<T>(v[5], states),
          in<T>(v[6], states),
          in<T>(v[7], states),
          out<T>(v[8], product(saved, kept_of(which))),
          out<T>(v[9], saved),
          out<T>(v[10], saved)};
}

static void check_kind(int kind) { require(kind >= 0 && kind <= int(RecurrentKind::lstm), "unknown kind"); }

static void forward(int kind, int activation, const py::list& layers) {
  check_kind(kind);
  const std::vector<Arrays> all = layers_of(layers, 3, 11);
  launch(py::reinterpret_borrow<py::array>(all[0].values[0]), [&]<class Target, class T>(Target, T) {
    std::vector<Recurrent<T>> s;
    std::vector<RecurrentOutputs<T>> to;
    for (const Arrays& a : all) {
      s.push_back(layer_of<T>(a, kind, activation));
      const int64_t states = product(a.rows.count, a.units);
      to.push_back({out<T>(a.values[11], product(a.y_rows, a.units)), out<T>(a.values[12], states),
                    out<T>(a.values[13], states)});
      require(to.back().y && to.back().h_last, "y and h_last are needed");
      if (s[0].kind == RecurrentKind::lstm)
        require(to.back().c_last && !s.back().c == !s.back().h_before, "lstm: c_last is needed, c goes with h_before");
      require(!s[0].scale == !s.back().scale && !s[0].c == !s.back().c, "layers must keep and scale alike");
    }
    recurrent_forward<Target>(int64_t(s.size()), s.data(), to.data());
  });
}

static void backward(int kind, int activation, const py::list& layers) {
  check_kind(kind);
  const std::vector<Arrays> all = layers_of(layers, 10, 11);
  launch(py::reinterpret_borrow<py::array>(all[0].values[0]), [&]<class Target, class T>(Target, T) {
    std::vector<Recurrent<T>> s;
    std::vector<RecurrentGradients<T>> to;
    for (const Arrays& a : all) {
      s.push_back(layer_of<T>(a, kind, activation));
      const int64_t n = a.units, states = product(a.rows.count, n), columns = product(gates_of(s[0].kind), n);
      const auto& v = a.values;
      to.push_back({v[11].is_none() ? nullptr : in<T>(v[11], product(a.y_rows, n)), in<T>(v[12], states),
                    in<T>(v[13], states), out<T>(v[14], product(a.rows.slots, a.inputs)),
                    out<T>(v[15], product(a.inputs, columns)), out<T>(v[16], product(n, columns)),
                    out<T>(v[17], columns), out<T>(v[18], columns), out<T>(v[19], states), out<T>(v[20], states)});
      require(s.back().h_before, "h_before is needed");
      require(s[0].kind != RecurrentKind::lstm || s.back().c, "lstm: c is needed");
      require(s[0].kind == RecurrentKind::gru || !to.back().d_recurrent_bias, "only gru has a recurrent bias");
      require(to.back().db || !to.back().d_recurrent_bias, "d_recurrent_bias goes with db");
    }
    recurrent_backward<Target>(int64_t(s.size()), s.data(), to.data());
  });
}

static const Registration registration([](py::module_& m) {
  m.def("recurrent_forward", &forward, py::arg("kind"), py::arg("activation"), py::arg("layers"));
  m.def("recurrent_backward", &backward, py::arg("kind"), py::arg("activation"), py::arg("layers"));
});

}  // namespace lamina::bind::recurrent_op
