#include <cstring>

#include "cpu/runtime/isa.h"
#include "cpu/support/activation.h"
#include "cpu/support/recurrent.h"
#include "ops/bias_backward.h"

namespace lamina {
namespace LAMINA_ISA {

/// Gates whose gradients meet U's leading columns in one product: all but gru_reset_before's candidate.
constexpr int64_t leading_gates(RecurrentKind kind) {
  return kind == RecurrentKind::gru_reset_before ? 2 : gates_of(kind);
}

/// One layer's memory for its steps, all rows: packed panels of U's transpose, and compact rows.
template <class T>
struct BackwardMemory {
  Panels<T> gates, candidate;  // candidate: gru_reset_before's second product
  int64_t line, units_line;    // of compact rows
  T *d, *d_candidate;          // gradients of the gates, of two steps in turn, for the products; of the candidate
  T* carry;                    // the gradient that passes from step to step beside U: dc, or what z lets by
  int64_t values;

  BackwardMemory(const Recurrent<T>& s, T* at)
      : gates(leading_gates(s.kind) * s.units, s.units, 1, at),
        candidate(s.units, s.units, 1, nullptr),
        line(spread<T>(leading_gates(s.kind) * s.units)),
        units_line(spread<T>(s.units)) {
    const bool before = s.kind == RecurrentKind::gru_reset_before;
    const int64_t rows = s.rows.count;
    int64_t used = round_up(gates.count() * gates.size(), 64 / int64_t(sizeof(T)));
    const auto take = [&](int64_t n) { return at ? at + (used += n) - n : (used += n, at); };
    candidate.values = take(before ? round_up(candidate.count() * candidate.size(), 64 / int64_t(sizeof(T))) : 0);
    d = take(2 * rows * line);
    d_candidate = take(before ? rows * units_line : 0);
    carry = take(s.kind == RecurrentKind::simple ? 0 : rows * units_line);
    values = used;
  }
};

/// A layer's steps for one share of its rows and panels, from the last to -1. Step t first brings dh back through U
/// from step t + 1, for the rows active there; rows that end at t start from dh_last; step -1 only gives dh0 and dc0.
template <class T>
struct BackwardSteps {
  const Recurrent<T>& s;
  const RecurrentGradients<T>& to;
  const BackwardMemory<T>& memory;
  const Share& share;
  const RecurrentRows& q = s.rows;
  const int64_t units = s.units, kept = kept_of(s.kind) * units;

  INLINE int64_t at(int64_t t, int64_t i) const { return slot(q, t, share.row(i)); }
  INLINE T* d_compact(int64_t t, int64_t i) const {
    return memory.d + ((t & 1) * q.count + share.row(i)) * memory.line;
  }
  INLINE T* carried(int64_t i, int64_t j) const { return memory.carry + share.row(i) * memory.units_line + j; }
  /// The gradient of a state, where nothing came back from a later step.
  INLINE V<T> ended(const T* last, int64_t i, int64_t j, auto mask) const {
    return last ? load(last + batch_row(q, share.row(i)) * units + j, mask) : zero<T>();
  }
  /// What a product with U's transpose gives is the gradient of h times its scale.
  INLINE V<T> scaled(V<T> v, int64_t i, int64_t j, auto mask) const {
    return s.scale ? v * load(s.scale + batch_row(q, share.row(i)) * units + j, mask) : v;
  }
  /// dy of every row of y that has this h.
  INLINE V<T> with_dy(V<T> dh, int64_t t, int64_t i, int64_t j, auto mask) const {
    if (!to.dy) return dh;
    const int64_t r = share.row(i);
    const int64_t from = y_slot(q, t, r), rows = y_count(q, t, r);
    V<T> sum = load(to.dy + from * units + j, mask);
    for (int64_t n = 1; n < rows; ++n) sum = sum + load(to.dy + (from + n * q.y_time) * units + j, mask);
    return sum + dh;
  }
  INLINE void leave(T* first, V<T> value, int64_t i, int64_t j, auto mask) const {
    if (first) store(first + batch_row(q, share.row(i)) * units + j, value, mask);
  }
  /// The gradient of gate g's pre-activation, to be kept and for the next product.
  INLINE void give(int64_t t, int64_t i, int64_t j, int g, V<T> value, auto mask) const {
    store(s.gates + at(t, i) * kept + g * units + j, value, mask);
    store(d_compact(t, i) + g * units + j, value, mask);
  }

  /// cell(t, i, j, mask, sums or null at a row's end) for all units of all steps.
  template <class Cell, class Then>
  INLINE void each_step(bool has_cells, Cell&& cell, Then&& then) const {
    const int64_t line = memory.line * share.stride;
    const int64_t first = to.dh0 || to.dc0 ? -1 : 0;
    for (int64_t t = q.steps - 1; t >= first; --t) {
      const int64_t later = share.of(active(q, t + 1)), now = share.of(t < 0 ? q.count : active(q, t));
      const auto soon_wanted = [&](Soon& soon, int64_t i, int64_t j) INLINE_LAMBDA {
        if (t < 0) return;
        const int64_t row = at(t, i);
        for (int64_t g = 0; g < kept; g += units) soon.add(s.gates + row * kept + g + j);
        if (to.dy) soon.add(to.dy + y_slot(q, t, share.row(i)) * units + j);
        if (!has_cells) return soon.add(s.h_before + row * units + j);
        soon.add(s.c + row * units + j);
        if (t) soon.add(s.c + at(t - 1, i) * units + j);
      };
      const T* const a = d_compact(t + 1, 0);
      for (int ending = 0; ending < 2; ++ending)  // rows that go on, rows that end here
        each_tile<1>(share, memory.gates, ending ? later : 0, ending ? now : later, ending ? 0 : memory.gates.depth, a,
                     line, soon_wanted, [&](int64_t i, int64_t j, auto mask, const T* sums) INLINE_LAMBDA {
                       cell(t, i, j, mask, i < later ? sums : nullptr);
                     });
      share.meet();
      if (t >= 0) then(t, now);
    }
  }

  void simple() const {
    each_step(
        false,
        [&](int64_t t, int64_t i, int64_t j, auto mask, const T* sums) INLINE_LAMBDA {
          const V<T> back = sums ? scaled(load(sums), i, j, mask) : ended(to.dh_last, i, j, mask);
          if (t < 0) return leave(to.dh0, back, i, j, mask);
          V<T> d = with_dy(back, t, i, j, mask);
          const V<T> h = load(s.gates + at(t, i) * kept + j, mask);
          with_activation(s.activation, [&](auto f) INLINE_LAMBDA { d = activation_gradient<f.value, T>(h, d); });
          give(t, i, j, 0, d, mask);
        },
        [](int64_t, int64_t) {});
  }
  void lstm() const {
    each_step(
        true,
        [&](int64_t t, int64_t i, int64_t j, auto mask, const T* sums) INLINE_LAMBDA {
          const int64_t n = units, row = t < 0 ? 0 : at(t, i);
          const V<T> one = set(T(1));
          T* const carry = carried(i, j);
          const V<T> back = sums ? scaled(load(sums), i, j, mask) : ended(to.dh_last, i, j, mask);
          const V<T> dc_back = sums ? load(carry, mask) : ended(to.dc_last, i, j, mask);
          if (t < 0) {
            leave(to.dh0, back, i, j, mask);
            return leave(to.dc0, dc_back, i, j, mask);
          }
          const T* const p = s.gates + row * kept + j;
          const V<T> input = load(p, mask), forget = load(p + n, mask), g = load(p + 2 * n, mask);
          const V<T> output = load(p + 3 * n, mask), tanh_c = tanh(load(s.c + row * n + j, mask));
          const V<T> c_before = t ? load(s.c + at(t - 1, i) * n + j, mask) : ended(s.c0, i, j, mask);
          const V<T> dh = with_dy(back, t, i, j, mask);
          const V<T> dc = fma(dh * output, fnma(tanh_c, tanh_c, one), dc_back);
          store(carry, dc * forget, mask);
          give(t, i, j, 0, (dc * g) * (input * (one - input)), mask);
          give(t, i, j, 1, (dc * c_before) * (forget * (one - forget)), mask);
          give(t, i, j, 2, (dc * input) * fnma(g, g, one), mask);
          give(t, i, j, 3, (dh * tanh_c) * (output * (one - output)), mask);
        },
        [](int64_t, int64_t) {});
  }
  void gru() const {
    each_step(
        false,
        [&](int64_t t, int64_t i, int64_t j, auto mask, const T* sums) INLINE_LAMBDA {
          const int64_t n = units;
          const V<T> one = set(T(1));
          T* const carry = carried(i, j);
          const V<T> back = sums ? scaled(load(sums), i, j, mask) + load(carry, mask) : ended(to.dh_last, i, j, mask);
          if (t < 0) return leave(to.dh0, back, i, j, mask);
          const int64_t row = at(t, i);
          const T* const p = s.gates + row * kept + j;
          const V<T> z = load(p, mask), reset = load(p + n, mask), g = load(p + 2 * n, mask);
          const V<T> inner = load(p + 3 * n, mask), h = load(s.h_before + row * n + j, mask);
          const V<T> dh = with_dy(back, t, i, j, mask);
          const V<T> dg = (dh * (one - z)) * fnma(g, g, one);
          store(carry, dh * z, mask);
          give(t, i, j, 0, (dh * (h - g)) * (z * (one - z)), mask);
          give(t, i, j, 1, (dg * inner) * (reset * (one - reset)), mask);
          store(s.gates + row * kept + 2 * n + j, dg, mask);
          store(s.gates + row * kept + 3 * n + j, dg * reset, mask);
          store(d_compact(t, i) + 2 * n + j, dg * reset, mask);
        },
        [](int64_t, int64_t) {});
  }
  void gru_reset_before() const {
    const int64_t n = units;
    each_step(
        false,
        [&](int64_t t, int64_t i, int64_t j, auto mask, const T* sums) INLINE_LAMBDA {
          const V<T> one = set(T(1));
          T* const carry = carried(i, j);
          const V<T> back = sums ? scaled(load(sums), i, j, mask) + load(carry, mask) : ended(to.dh_last, i, j, mask);
          if (t < 0) return leave(to.dh0, back, i, j, mask);
          const int64_t row = at(t, i);
          const T* const p = s.gates + row * kept + j;
          const V<T> z = load(p, mask), g = load(p + 2 * n, mask), h = load(s.h_before + row * n + j, mask);
          const V<T> dh = with_dy(back, t, i, j, mask);
          const V<T> dg = (dh * (one - z)) * fnma(g, g, one);
          store(carry, dh * z, mask);
          give(t, i, j, 0, (dh * (h - g)) * (z * (one - z)), mask);
          store(s.gates + row * kept + 2 * n + j, dg, mask);
          store(memory.d_candidate + share.row(i) * memory.units_line + j, dg, mask);
        },
        [&](int64_t t, int64_t rows) INLINE_LAMBDA {
          const int64_t line = memory.units_line;
          each_tile<1>(
              share, memory.candidate, 0, rows, n, memory.d_candidate + share.first * line, line * share.stride,
              [](Soon&, int64_t, int64_t) INLINE_LAMBDA {},
              [&](int64_t i, int64_t j, auto mask, const T* sums) INLINE_LAMBDA {
                T* const carry = carried(i, j);
                const int64_t row = at(t, i);
                const V<T> reset = load(s.gates + row * kept + n + j, mask);
                const V<T> h = load(s.h_before + row * n + j, mask), back = scaled(load(sums), i, j, mask);
                store(carry, fma(back, reset, load(carry, mask)), mask);
                give(t, i, j, 1, (back * h) * (reset * (set(T(1)) - reset)), mask);
              });
          share.meet();
        });
  }
  void run() const {
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

/// h_before as it entered the products with U: times the scale.
template <class T>
const T* scaled_states(const Recurrent<T>& s) {
  if (!s.scale) return s.h_before;
  const int64_t n = s.units;
  T* const scaled = scratch_for<T>(Slot::caller2, max_of(s.rows.slots, 1) * n);
  for (int64_t t = 0; t < s.rows.steps; ++t)
    for (int64_t r = 0; r < active(s.rows, t); ++r) {
      const int64_t at = slot(s.rows, t, r) * n;
      const T* const scale = s.scale + batch_row(s.rows, r) * n;
      each_vector<T>(n, [&](int64_t j, auto mask) INLINE_LAMBDA {
        store(scaled + at + j, load(s.h_before + at + j, mask) * load(scale + j, mask), mask);
      });
    }
  if (const int64_t last = s.rows.steps - 1; s.rows.at && last >= 0) {  // slots of no step
    const int64_t used = s.rows.at[last] + active(s.rows, last);
    std::memset(scaled + used * n, 0, size_t((s.rows.slots - used) * n) * sizeof(T));
  }
  return scaled;
}

/// Products with the saved gradients of the gates: those of x, W, U and the biases.
template <class Target, class T>
void weight_gradients(const Recurrent<T>& s, const RecurrentGradients<T>& to) {
  const int64_t n = s.units, columns = gates_of(s.kind) * n, kept = kept_of(s.kind) * n, slots = s.rows.slots;
  const T* const d = s.gates;
  if (to.dw) gemm<Target>(Gemm<T>{s.inputs, columns, slots, s.x, s.inputs, true, d, kept, false, to.dw, columns});
  if (to.du) {
    const T* const h = scaled_states(s);
    const auto part = [&](const T* a, int64_t lda, int64_t from, int64_t column, int64_t width) {
      gemm<Target>(Gemm<T>{n, width, slots, a, lda, true, d + from, kept, false, to.du + column, columns});
    };
    if (s.kind == RecurrentKind::gru || s.kind == RecurrentKind::gru_reset_before) {
      const bool before = s.kind == RecurrentKind::gru_reset_before;
      part(h, n, 0, 0, 2 * n);
      before ? part(s.gates + 3 * n, kept, 2 * n, 2 * n, n) : part(h, n, 3 * n, 2 * n, n);
    } else {
      part(h, n, 0, 0, columns);
    }
  }
  if (to.db) {
    T* const sums = scratch_for<T>(Slot::caller3, kept);
    bias_backward<Target>(slots, kept, static_cast<const T*>(nullptr), d, Activation::linear, static_cast<T*>(nullptr),
                          sums);
    std::memcpy(to.db, sums, size_t(columns) * sizeof(T));
    if (to.d_recurrent_bias) {
      std::memcpy(to.d_recurrent_bias, sums, size_t(2 * n) * sizeof(T));
      std::memcpy(to.d_recurrent_bias + 2 * n, sums + 3 * n, size_t(n) * sizeof(T));
    }
  }
  if (to.dx) gemm<Target>(Gemm<T>{slots, s.inputs, columns, d, kept, false, s.w, columns, true, to.dx, s.inputs});
}

}  // namespace LAMINA_ISA

using namespace LAMINA_ISA;

template <class Target, class T>
void recurrent_backward(int64_t layers, const Recurrent<T>* s, const RecurrentGradients<T>* to) {
  const int64_t units = s->units, columns = gates_of(s->kind) * units;
  const BackwardMemory<T> size(*s, nullptr);
  T* const memory = scratch_for<T>(Slot::caller, layers * size.values);
  for (int64_t l = 0; l < layers; ++l) {
    const BackwardMemory<T> m(s[l], memory + l * size.values);
    pack_rows(m.gates, s[l].u, columns);
    if (s->kind == RecurrentKind::gru_reset_before) pack_rows(m.candidate, s[l].u + 2 * units, columns);
  }
  share_out(layers, s->rows, size.gates.count(), step_work(*s), [&](int64_t l, const Share& share) INLINE_LAMBDA {
    const BackwardMemory<T> m(s[l], memory + l * size.values);
    BackwardSteps<T>{s[l], to[l], m, share}.run();
  });
  for (int64_t l = 0; l < layers; ++l) weight_gradients<Target>(s[l], to[l]);
}

template void recurrent_backward<Target>(int64_t, const Recurrent<float>*, const RecurrentGradients<float>*);
DOUBLE template void recurrent_backward<Target>(int64_t, const Recurrent<double>*, const RecurrentGradients<double>*);

}  // namespace lamina
