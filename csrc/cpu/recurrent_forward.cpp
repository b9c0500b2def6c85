#include "cpu/runtime/isa.h"
#include "cpu/support/activation.h"
#include "cpu/support/recurrent.h"

namespace lamina {
namespace LAMINA_ISA {

/// One layer's memory for its steps, all rows: packed panels, and h (and c) of a step, compact, for the products.
template <class T>
struct ForwardMemory {
  Panels<T> gates, candidate;  // candidate: gru_reset_before's second product
  int64_t line;                // of a compact row
  T *h, *plain, *c, *reset;    // h, times the scale, of two steps in turn; h itself; c; r * h
  T* ready;                    // (count, columns), or null: h0.U, where U is read but once and packing would not pay
  int64_t values;

  ForwardMemory(const Recurrent<T>& s, T* at)
      : gates(s.units, s.units, s.kind == RecurrentKind::gru_reset_before ? 2 : gates_of(s.kind), at),
        candidate(s.units, s.units, 1, nullptr),
        line(spread<T>(s.units)) {
    const bool before = s.kind == RecurrentKind::gru_reset_before;
    const int64_t rows = s.rows.count * line, whole = 64 / int64_t(sizeof(T));
    int64_t used = round_up(Panels<T>::values_of(s.units, s.units, before ? 2 : gates_of(s.kind)), whole);
    const auto take = [&](int64_t n) { return at ? at + (used += n) - n : (used += n, at); };
    candidate.values = take(before ? round_up(Panels<T>::values_of(s.units, s.units, 1), whole) : 0);
    h = take(2 * rows);
    plain = s.scale ? take(2 * rows) : h;
    c = take(s.kind == RecurrentKind::lstm && !s.c ? rows : 0);
    reset = take(before ? rows : 0);
    const bool once = s.rows.steps == 1 && s.h0 && !s.scale && !s.rows.at && !before;
    ready = once ? take(s.rows.count * gates_of(s.kind) * s.units) : nullptr;
    values = used;
  }
};

/// A layer's steps for one share of its rows and panels.
template <class T>
struct ForwardSteps {
  const Recurrent<T>& s;
  const RecurrentOutputs<T>& to;
  const ForwardMemory<T>& memory;
  const Share& share;
  const RecurrentRows& q = s.rows;
  const int64_t units = s.units, kept = kept_of(s.kind) * units, whole = s.rows.count * memory.line;

  INLINE int64_t at(int64_t t, int64_t i) const { return slot(q, t, share.row(i)); }
  INLINE T* gates_at(int64_t t, int64_t i, int64_t j) const { return s.gates + at(t, i) * kept + j; }
  /// Of the step before t, compact: what products read, and what cells do.
  INLINE T* h_scaled(int64_t t, int64_t i) const { return memory.h + (t & 1) * whole + share.row(i) * memory.line; }
  INLINE T* h_plain(int64_t t, int64_t i) const { return memory.plain + (t & 1) * whole + share.row(i) * memory.line; }
  int64_t depth(int64_t t) const { return t || s.h0 ? units : 0; }

  /// h of step t (-1: before the first), to wherever it is wanted.
  INLINE void put(int64_t t, int64_t i, int64_t j, V<T> h, auto mask) const {
    const int64_t r = share.row(i), row = batch_row(q, r);
    store(h_plain(t + 1, i) + j, h, mask);
    if (s.scale) store(h_scaled(t + 1, i) + j, h * load(s.scale + row * units + j, mask), mask);
    if (t >= 0) {
      const int64_t from = y_slot(q, t, r), rows = y_count(q, t, r);
      for (int64_t n = 0; n < rows; ++n) store(to.y + (from + n * q.y_time) * units + j, h, mask);
    }
    if (r >= active(q, t + 1))
      store(to.h_last + row * units + j, h, mask);
    else if (s.h_before)
      store(s.h_before + slot(q, t + 1, r) * units + j, h, mask);
  }
  /// The state before the first step: h0 and c0, or zeros.
  void begin() const {
    const int64_t panels = memory.gates.count(), width = memory.gates.width;
    const int64_t j0 = share.panel(panels, share.part) * width;
    const int64_t j1 = min_of(share.panel(panels, share.part + 1) * width, units);
    for (int64_t i = 0; i < share.of(q.count); ++i) {
      const int64_t r = share.row(i), row = batch_row(q, r);
      each_vector<T>(j1 - j0, [&](int64_t k, auto mask) INLINE_LAMBDA {
        const int64_t j = j0 + k;
        put(-1, i, j, s.h0 ? load(s.h0 + row * units + j, mask) : zero<T>(), mask);
        if (to.c_last && r >= active(q, 0))
          store(to.c_last + row * units + j, s.c0 ? load(s.c0 + row * units + j, mask) : zero<T>(), mask);
      });
    }
    share.meet();
  }
  template <int GATES, class Cell>
  INLINE void step(int64_t t, const Panels<T>& panels, const T* a, Cell&& cell) const {
    const int64_t columns = GATES * units;
    each_tile<GATES>(
        share, panels, 0, share.of(active(q, t)), memory.ready ? READY : depth(t),
        memory.ready ? memory.ready + share.first * columns : a, share.stride * (memory.ready ? columns : memory.line),
        [&](Soon& soon, int64_t i, int64_t j) INLINE_LAMBDA {
          for (int64_t g = 0; g < GATES; ++g) soon.add(gates_at(t, i, j + g * units));
        },
        cell);
    share.meet();
  }

  void simple() const {
    for (int64_t t = 0; t < q.steps; ++t)
      step<1>(t, memory.gates, h_scaled(t, 0), [&](int64_t i, int64_t j, auto mask, const T* sums) INLINE_LAMBDA {
        T* const p = gates_at(t, i, j);
        V<T> h = load(p, mask) + load(sums);
        with_activation(s.activation, [&](auto f) INLINE_LAMBDA { h = activate<f.value, T>(h); });
        if (s.h_before) store(p, h, mask);
        put(t, i, j, h, mask);
      });
  }
  void lstm() const {
    for (int64_t t = 0; t < q.steps; ++t)
      step<4>(t, memory.gates, h_scaled(t, 0), [&](int64_t i, int64_t j, auto mask, const T* sums) INLINE_LAMBDA {
        constexpr int W = lanes<T>;
        const int64_t r = share.row(i), row = batch_row(q, r), n = units;
        T *const p = gates_at(t, i, j), *const c_compact = memory.c + r * memory.line + j;
        const V<T> input = sigmoid(load(p, mask) + load(sums)), forget = sigmoid(load(p + n, mask) + load(sums + W));
        const V<T> g = tanh(load(p + 2 * n, mask) + load(sums + 2 * W));
        const V<T> output = sigmoid(load(p + 3 * n, mask) + load(sums + 3 * W));
        V<T> c = input * g;
        if (t)
          c = fma(forget, s.c ? load(s.c + at(t - 1, i) * n + j, mask) : load(c_compact, mask), c);
        else if (s.c0)
          c = fma(forget, load(s.c0 + row * n + j, mask), c);
        if (s.c) {
          store(s.c + at(t, i) * n + j, c, mask);
          store(p, input, mask);
          store(p + n, forget, mask);
          store(p + 2 * n, g, mask);
          store(p + 3 * n, output, mask);
        } else {
          store(c_compact, c, mask);
        }
        if (r >= active(q, t + 1)) store(to.c_last + row * n + j, c, mask);
        put(t, i, j, output * tanh(c), mask);
      });
  }
  void gru() const {
    for (int64_t t = 0; t < q.steps; ++t)
      step<3>(t, memory.gates, h_scaled(t, 0), [&](int64_t i, int64_t j, auto mask, const T* sums) INLINE_LAMBDA {
        constexpr int W = lanes<T>;
        const int64_t n = units;
        T* const p = gates_at(t, i, j);
        const auto recurrent = [&](int gate) INLINE_LAMBDA {
          return s.recurrent_bias ? load(sums + gate * W) + load(s.recurrent_bias + gate * n + j, mask)
                                  : load(sums + gate * W);
        };
        const V<T> inner = recurrent(2);
        const V<T> z = sigmoid(load(p, mask) + recurrent(0)), reset = sigmoid(load(p + n, mask) + recurrent(1));
        const V<T> g = tanh(fma(reset, inner, load(p + 2 * n, mask)));
        if (s.h_before) {
          store(p, z, mask);
          store(p + n, reset, mask);
          store(p + 2 * n, g, mask);
          store(p + 3 * n, inner, mask);
        }
        put(t, i, j, fma(z, load(h_plain(t, i) + j, mask), (set(T(1)) - z) * g), mask);
      });
  }
  void gru_reset_before() const {
    const int64_t n = units;
    for (int64_t t = 0; t < q.steps; ++t) {
      step<2>(t, memory.gates, h_scaled(t, 0), [&](int64_t i, int64_t j, auto mask, const T* sums) INLINE_LAMBDA {
        T* const p = gates_at(t, i, j);
        const V<T> z = sigmoid(load(p, mask) + load(sums)), reset = sigmoid(load(p + n, mask) + load(sums + lanes<T>));
        const V<T> h = reset * load(h_scaled(t, i) + j, mask);
        store(p, z, mask);
        store(memory.reset + share.row(i) * memory.line + j, h, mask);
        if (!s.h_before) return;
        store(p + n, reset, mask);
        store(p + 3 * n, h, mask);
      });
      step<1>(t, memory.candidate, memory.reset + share.first * memory.line,
              [&](int64_t i, int64_t j, auto mask, const T* sums) INLINE_LAMBDA {
                T* const p = gates_at(t, i, j);
                const V<T> z = load(p, mask), g = tanh(load(p + 2 * n, mask) + load(sums));
                if (s.h_before) store(p + 2 * n, g, mask);
                put(t, i, j, fma(z, load(h_plain(t, i) + j, mask), (set(T(1)) - z) * g), mask);
              });
    }
  }
  void run() const {
    begin();
    switch (s.kind) {
      case RecurrentKind::simple:
        return simple();
      case RecurrentKind::gru:
        return gru();
      case RecurrentKind::gru_reset_before:
        return gru_reset_before();
      case RecurrentKind::lstm:
        return lstm();
    }
  }
};

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <class Target, class T>
void recurrent_forward(int64_t layers, const Recurrent<T>* s, const RecurrentOutputs<T>* to) {
  const RecurrentKind kind = s->kind;
  const int64_t units = s->units, columns = gates_of(kind) * units;
  if (s->rows.count == 0 || units == 0) return;
  for (int64_t l = 0; l < layers; ++l)
    gemm<Target>(Gemm<T>{s[l].rows.slots, columns, s[l].inputs, s[l].x, s[l].inputs, false, s[l].w, columns, false,
                         s[l].gates, kept_of(kind) * units, s[l].bias});
  const ForwardMemory<T> size(*s, nullptr);
  const int64_t values = max_of(size.values, ForwardMemory<T>(s[layers - 1], nullptr).values);
  T* const memory = scratch_for<T>(Slot::caller2, layers * values);  // gemm takes Slot::caller
  for (int64_t l = 0; l < layers; ++l) {
    const ForwardMemory<T> m(s[l], memory + l * values);
    if (s[l].rows.steps == 0 || (s[l].rows.steps == 1 && !s[l].h0)) continue;  // no product reads U
    if (m.ready) {
      gemm<Target>(
          Gemm<T>{s[l].rows.count, columns, units, s[l].h0, units, false, s[l].u, columns, false, m.ready, columns});
      continue;
    }
    pack_columns(m.gates, s[l].u, columns);
    if (kind == RecurrentKind::gru_reset_before) pack_columns(m.candidate, s[l].u + 2 * units, columns);
  }
  share_out(layers, s->rows, size.gates.count(), step_work(*s), [&](int64_t l, const Share& share) INLINE_LAMBDA {
    const ForwardMemory<T> m(s[l], memory + l * values);
    ForwardSteps<T>{s[l], to[l], m, share}.run();
  });
}

template void recurrent_forward<Target>(int64_t, const Recurrent<float>*, const RecurrentOutputs<float>*);
DOUBLE template void recurrent_forward<Target>(int64_t, const Recurrent<double>*, const RecurrentOutputs<double>*);

}  // namespace lamina
