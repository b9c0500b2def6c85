#include "ops/recurrent.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::recurrent_op {

/// The arrays of one layer, held while the kernel is launched without the GIL.
struct Arrays {
  RecurrentRows rows;
  int64_t inputs, units, y_rows;
  std::vector<OptionalIn> in;    // x, w, u, bias, recurrent_bias, h0, c0, scale, then others that are read
  std::vector<OptionalOut> out;  // gates, c, h_before, then others that are written
};

static void require(bool holds, const char* what) {
  if (!holds) throw nb::value_error((std::string("recurrent: ") + what).c_str());
}

/// The CPU's tuple; what its arrays hold is on the device.
static RecurrentRows rows_of(const nb::tuple& t, int64_t slots, int64_t y_rows, std::vector<OptionalIn>& held) {
  require(t.size() == 13, "rows must have 13 entries");
  const auto number = [&](int i) { return nb::cast<int64_t>(t[size_t(i)]); };
  RecurrentRows q{number(0), number(1), slots, number(2), number(3), number(4), number(5), number(6), number(7)};
  require(q.steps >= 0 && q.count >= 0, "steps and count must not be negative");
  if (t[8].is_none()) {
    const int64_t t1 = q.steps - 1, r1 = q.count - 1;
    if (t1 < 0 || r1 < 0) return q;
    require(q.steps * q.count == slots && slots <= y_rows, "steps * count must be the saved rows");
    for (const int64_t time : {int64_t(0), t1})
      for (const int64_t row : {int64_t(0), r1}) {
        const int64_t slot = q.begin + time * q.time + row * q.row, y = q.y_begin + time * q.y_time + row * q.y_row;
        require(slot >= 0 && slot < slots && y >= 0 && y < y_rows, "a step lies outside");
      }
    return q;
  }
  const auto numbers = [&](int i, int64_t n) {
    held.push_back(nb::cast<OptionalIn>(t[size_t(i)], false));
    require(held.back().has_value(), "packed rows need all their arrays");
    return in<int64_t>(held.back(), size_t(n));
  };
  q.at = numbers(8, q.steps);
  q.active = numbers(9, q.steps + 1);
  q.order = numbers(10, q.count);
  q.y_rows = numbers(11, slots);
  q.repeats = numbers(12, slots);
  require(q.y_time != 0, "y_time must not be 0");
  return q;
}

/// Entries 1 to 8 of a layer are read, 9 to 11 written; then come `reads` more that are read, and others.
static std::vector<Arrays> layers_of(const nb::list& layers, size_t reads, size_t others) {
  require(layers.size() >= 1 && layers.size() <= 2, "one layer or two");
  std::vector<Arrays> all;
  for (const nb::handle item : layers) {
    const auto t = nb::cast<nb::tuple>(item);
    require(t.size() == 12 + others, "a layer has another number of entries");
    Arrays a;
    for (size_t i = 1; i < t.size(); ++i) {
      const bool is_read = i <= 8 || (i >= 12 && i < 12 + reads);
      if (is_read)
        a.in.push_back(nb::cast<OptionalIn>(t[i], false));
      else
        a.out.push_back(nb::cast<OptionalOut>(t[i], false));
    }
    require(a.in[0] && a.in[1] && a.in[2] && a.out[0], "x, w, u and gates are needed");
    a.inputs = size_of(*a.in[0], 1, "recurrent");
    a.units = size_of(*a.in[2], 0, "recurrent");
    require(a.units > 0, "units must be positive");
    const auto rows_of_y = [&](const auto& y) { return y ? int64_t(y->size()) / a.units : int64_t(1) << 60; };
    a.y_rows = reads ? rows_of_y(a.in[8]) : rows_of_y(a.out[3]);
    a.rows = rows_of(nb::cast<nb::tuple>(t[0]), int64_t(a.in[0]->shape(0)), a.y_rows, a.in);
    require(all.empty() || (a.units == all[0].units && a.rows.steps == all[0].rows.steps &&
                            a.rows.count == all[0].rows.count && a.inputs == all[0].inputs),
            "layers must have the same sizes");
    all.push_back(std::move(a));
  }
  return all;
}

template <class T>
static Recurrent<T> layer_of(const Arrays& a, int kind, int activation) {
  const RecurrentKind which = RecurrentKind(kind);
  const int64_t n = a.units, slots = a.rows.slots;
  const size_t columns = size_t(gates_of(which) * n), states = size_t(a.rows.count * n), saved = size_t(slots * n);
  return {which,
          activation_of(activation),
          a.rows,
          a.inputs,
          n,
          in<T>(a.in[0], size_t(slots * a.inputs)),
          in<T>(a.in[1], size_t(a.inputs) * columns),
          in<T>(a.in[2], size_t(n) * columns),
          in<T>(a.in[3], columns),
          in<T>(a.in[4], columns),
          in<T>(a.in[5], states),
          in<T>(a.in[6], states),
          in<T>(a.in[7], states),
          out<T>(a.out[0], saved * size_t(kept_of(which))),
          out<T>(a.out[1], saved),
          out<T>(a.out[2], saved)};
}

static void check_kind(int kind) { require(kind >= 0 && kind <= int(RecurrentKind::lstm), "unknown kind"); }

static void forward(int kind, int activation, const nb::list& layers, uintptr_t stream) {
  check_kind(kind);
  const std::vector<Arrays> all = layers_of(layers, 0, 3);
  launch_any(*all[0].in[0], [&]<class T>(T) {
    std::vector<Recurrent<T>> s;
    std::vector<RecurrentOutputs<T>> to;
    std::vector<int64_t> y_rows;
    for (const Arrays& a : all) {
      s.push_back(layer_of<T>(a, kind, activation));
      const size_t states = size_t(a.rows.count * a.units);
      to.push_back({out<T>(a.out[3], size_t(a.y_rows * a.units)), out<T>(a.out[4], states), out<T>(a.out[5], states)});
      y_rows.push_back(a.y_rows);
      require(to.back().y && to.back().h_last, "y and h_last are needed");
      if (s[0].kind == RecurrentKind::lstm)
        require(to.back().c_last && !s.back().c == !s.back().h_before, "lstm: c_last is needed, c goes with h_before");
      require(!s[0].scale == !s.back().scale && !s[0].c == !s.back().c, "layers must keep and scale alike");
    }
    cuda::recurrent_forward(int64_t(s.size()), s.data(), to.data(), y_rows.data(), stream_of(stream));
  });
}

static void backward(int kind, int activation, const nb::list& layers, uintptr_t stream) {
  check_kind(kind);
  const std::vector<Arrays> all = layers_of(layers, 3, 10);
  launch_any(*all[0].in[0], [&]<class T>(T) {
    std::vector<Recurrent<T>> s;
    std::vector<RecurrentGradients<T>> to;
    std::vector<int64_t> y_rows;
    for (const Arrays& a : all) {
      s.push_back(layer_of<T>(a, kind, activation));
      const int64_t n = a.units;
      const size_t states = size_t(a.rows.count * n), columns = size_t(gates_of(s[0].kind) * n);
      to.push_back({a.in[8] ? in<T>(a.in[8], size_t(a.y_rows * n)) : nullptr, in<T>(a.in[9], states),
                    in<T>(a.in[10], states), out<T>(a.out[3], size_t(a.rows.slots * a.inputs)),
                    out<T>(a.out[4], size_t(a.inputs) * columns), out<T>(a.out[5], size_t(n) * columns),
                    out<T>(a.out[6], columns), out<T>(a.out[7], columns), out<T>(a.out[8], states),
                    out<T>(a.out[9], states)});
      y_rows.push_back(a.y_rows);
      require(s.back().h_before, "h_before is needed");
      require(s[0].kind != RecurrentKind::lstm || s.back().c, "lstm: c is needed");
      require(s[0].kind == RecurrentKind::gru || !to.back().d_recurrent_bias, "only gru has a recurrent bias");
      require(to.back().db || !to.back().d_recurrent_bias, "d_recurrent_bias goes with db");
    }
    cuda::recurrent_backward(int64_t(s.size()), s.data(), to.data(), y_rows.data(), stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  takes_sixteen_bits({"recurrent_forward", "recurrent_backward"});
  m.def("recurrent_forward", &forward, nb::arg("kind"), nb::arg("activation"), nb::arg("layers"), nb::arg("stream"));
  m.def("recurrent_backward", &backward, nb::arg("kind"), nb::arg("activation"), nb::arg("layers"), nb::arg("stream"));
});

}  // namespace lamina::bind::recurrent_op
