#include "cuda/support/recurrent_16.cuh"
#include "support/activation.h"

namespace lamina::cuda {
namespace recurrent_forward_op {

/// U's columns of gates FROM to FROM + COUNT of ALL for a tile's units, the gates of a unit side by side.
template <class T, int ALL, int FROM, int COUNT>
struct GateWeights {
  const T *u, *own;  // own: where all gates are resident, or null
  int64_t units, unit0;
  int width;

  __device__ const T* source(int64_t k, int gate, int unit) const {
    return u + k * (ALL * units) + gate * units + unit0 + unit;
  }
  __device__ void stage(T* to, int64_t k0, int n) const {
    if (own) return;
    for (int i = int(threadIdx.x); i < n * COUNT * width; i += STEP_THREADS) {
      const int unit = i % width, gate = i / width % COUNT, k = i / width / COUNT;
      const bool valid = unit0 + unit < units;
      copy_async<int(sizeof(T))>(to + (k * width + unit) * COUNT + gate, valid ? source(k0 + k, FROM + gate, unit) : u,
                                 valid);
    }
  }
  template <int N>
  __device__ void read(const T* staged, int64_t k0, int k, int steps, T (&y)[N][COUNT]) const {
    const int unit = int(threadIdx.x) % width, stride = own ? ALL : COUNT;
    const T* from = own ? own + ((k0 + k) * width + unit) * ALL + FROM : staged + (k * width + unit) * COUNT;
#pragma unroll
    for (int e = 0; e < N; ++e, from += width * stride) {
      if (e >= steps) break;
      if constexpr (ALL == COUNT && COUNT % STEP_PACK<T> == 0) {
#pragma unroll
        for (int g = 0; g < COUNT; g += STEP_PACK<T>) {
          const auto pack = load_pack<STEP_PACK<T>>(from + g);
#pragma unroll
          for (int i = 0; i < STEP_PACK<T>; ++i) y[e][g + i] = pack[i];
        }
      } else {
#pragma unroll
        for (int g = 0; g < COUNT; ++g) y[e][g] = from[g];
      }
    }
  }
};

/// Rows of `line`. In 16 bits c, and where a cell wants it h, go from step to step in float.
template <class S>
struct Steps {
  using T = Computed<S>;
  StepPlan plan;
  Recurrent<S> s[2];
  RecurrentOutputs<S> to[2];
  int64_t y_rows[2];
  int64_t line;
  S* h;                   // times the scale, of two steps in turn
  T *plain, *c;           // h itself, likewise; c
  S* reset;               // r * h
  PackedUnits<S> packed;  // 16 bits: U
  unsigned* counters;
};

/// One layer as a thread sees it.
template <RecurrentKind KIND, class S>
struct Layer {
  using T = Computed<S>;
  static constexpr bool NARROW = sizeof(S) == 2;
  static constexpr bool GRU = KIND == RecurrentKind::gru || KIND == RecurrentKind::gru_reset_before;
  const Recurrent<S>& s;
  const RecurrentOutputs<S>& to;
  const RecurrentRows& q;
  int64_t y_rows, units, kept, line, whole;
  S* h;
  T *plain, *c;
  S* reset;

  __device__ Layer(const Steps<S>& p, int64_t layer)
      : s(layer ? p.s[1] : p.s[0]),
        to(layer ? p.to[1] : p.to[0]),
        q(s.rows),
        y_rows(layer ? p.y_rows[1] : p.y_rows[0]),
        units(s.units),
        kept(kept_of(KIND) * s.units),
        line(p.line),
        whole(s.rows.count * p.line),
        h(p.h + layer * 2 * whole),
        plain(p.plain + layer * 2 * whole),
        c(p.c + layer * whole),
        reset(p.reset + layer * whole) {}

  /// Of the step before t: what products read, and what cells do.
  __device__ S* h_scaled(int64_t t, int64_t r) const { return h + (t & 1) * whole + r * line; }
  __device__ T* h_plain(int64_t t, int64_t r) const { return plain + (t & 1) * whole + r * line; }
  __device__ bool has_h(int64_t t) const { return t || s.h0; }

  /// h of step t (-1: before the first), to wherever it is wanted.
  __device__ void put(int64_t t, int64_t r, int64_t row, int64_t slot, int64_t j, T value) const {
    if constexpr (NARROW) {
      h_scaled(t + 1, r)[j] = s.scale ? value * s.scale[row * units + j] : value;
      if (GRU) h_plain(t + 1, r)[j] = value;
    } else {
      h_plain(t + 1, r)[j] = value;
      if (s.scale) h_scaled(t + 1, r)[j] = value * s.scale[row * units + j];
    }
    if (t >= 0) each_y(q, t, r, slot, y_rows, [&](int64_t at) { to.y[at * units + j] = value; });
    if (r >= active_rows(q, t + 1)) {
      to.h_last[row * units + j] = value;
    } else if (s.h_before) {
      const int64_t next = slot_of(q, t + 1, r);
      if (next >= 0) s.h_before[next * units + j] = value;
    }
  }
  /// The state before the first step: h0 and c0, or zeros.
  __device__ void begin(int64_t r, int64_t j) const {
    const int64_t row = batch_row_of(q, r);
    if (row < 0) return;
    put(-1, r, row, 0, j, s.h0 ? s.h0[row * units + j] : T(0));
    if (KIND == RecurrentKind::lstm && r >= active_rows(q, 0))
      to.c_last[row * units + j] = s.c0 ? s.c0[row * units + j] : T(0);
  }

  /// x.W + b of a cell, of gates FROM on.
  template <int FROM, int GATES>
  __device__ void read(int64_t t, int64_t r, int64_t j, T (&given)[GATES]) const {
    const int64_t slot = slot_of(q, t, r);
    const S* const p = s.gates + slot * kept + FROM * units + j;
#pragma unroll
    for (int g = 0; g < GATES; ++g) given[g] = slot < 0 ? T(0) : T(p[g * units]);
  }
  template <int GATES>
  __device__ void cell(int64_t t, int64_t r, int64_t j, const T (&given)[GATES], const T (&sums)[GATES]) const {
    const int64_t row = batch_row_of(q, r), slot = slot_of(q, t, r), n = units;
    if (row < 0 || slot < 0) return;
    S* const p = s.gates + slot * kept + j;
    if constexpr (KIND == RecurrentKind::simple) {
      T value = given[0] + sums[0];
      with_activation(s.activation, [&](auto f) { value = activate<decltype(f)::value, T>(value); });
      if (s.h_before) p[0] = value;
      put(t, r, row, slot, j, value);
    } else if constexpr (KIND == RecurrentKind::lstm) {
      const T input = sigmoid(given[0] + sums[0]), forget = sigmoid(given[1] + sums[1]);
      const T g = tanh(given[2] + sums[2]), output = sigmoid(given[3] + sums[3]);
      const bool own_c = NARROW || !s.c;
      T state = input * g;
      if (t) {
        const int64_t before = own_c ? 0 : slot_of(q, t - 1, r);
        if (before < 0) return;
        state = fma(forget, own_c ? c[r * line + j] : T(s.c[before * n + j]), state);
      } else if (s.c0) {
        state = fma(forget, T(s.c0[row * n + j]), state);
      }
      if (own_c) c[r * line + j] = state;
      if (s.c) {
        s.c[slot * n + j] = state;
        p[0] = input;
        p[n] = forget;
        p[2 * n] = g;
        p[3 * n] = output;
      }
      if (r >= active_rows(q, t + 1)) to.c_last[row * n + j] = state;
      put(t, r, row, slot, j, output * tanh(state));
    } else if constexpr (KIND == RecurrentKind::gru) {
      const auto recurrent = [&](int gate) {
        return s.recurrent_bias ? sums[gate] + s.recurrent_bias[gate * n + j] : sums[gate];
      };
      const T inner = recurrent(2), z = sigmoid(given[0] + recurrent(0)), r_gate = sigmoid(given[1] + recurrent(1));
      const T g = tanh(fma(r_gate, inner, given[2]));
      if (s.h_before) {
        p[0] = z;
        p[n] = r_gate;
        p[2 * n] = g;
        p[3 * n] = inner;
      }
      put(t, r, row, slot, j, fma(z, h_plain(t, r)[j], (T(1) - z) * g));
    } else if constexpr (GATES == 2) {
      const T z = sigmoid(given[0] + sums[0]), r_gate = sigmoid(given[1] + sums[1]);
      const T used = r_gate * h_scaled(t, r)[j];
      p[0] = z;
      reset[r * line + j] = used;
      if (!s.h_before) return;
      p[n] = r_gate;
      p[3 * n] = used;
    } else {
      const T z = p[0], g = tanh(given[0] + sums[0]);
      if (s.h_before) p[2 * n] = g;
      put(t, r, row, slot, j, fma(z, h_plain(t, r)[j], (T(1) - z) * g));
    }
  }
};

/// h' . U, or (r * h') . U, for a tile's rows before `rows` and gates FROM to FROM + COUNT.
template <RecurrentKind KIND, int ROWS, int FROM, int COUNT, class S>
__device__ void multiply(const Steps<S>& p, const StepTile& at, const Layer<KIND, S>& layer, int64_t t, int64_t rows,
                         Computed<S> (&sums)[ROWS][COUNT]) {
  constexpr int ALL = int(gates_of(KIND));
  const StepPlan& plan = p.plan;
  const S* const a = FROM ? layer.reset : layer.h_scaled(t, 0);
  const int64_t n = layer.units;
  if constexpr (sizeof(S) == 2) {
    const auto weights = p.packed.of(plan, at, FROM * UNITS_16 * whole_packs<S>(n), n);
    step_product_16(plan, a, layer.line, at.row0, rows, layer.has_h(t), weights, sums);
  } else {
    const StepMemory<S> memory(plan, int64_t(DEPTH) * plan.width * ALL);
    const GateWeights<S, ALL, FROM, COUNT> weights{layer.s.u, plan.resident ? memory.weights[0] : nullptr, n, at.unit0,
                                                   plan.width};
    step_product(plan, memory, a, layer.line, at.row0, rows, layer.has_h(t) ? n : 0, weights, sums);
  }
}

/// The product and the cells of one step and tile, by gates FROM to FROM + COUNT. 16 bits: what cells read comes from
/// memory beside the product; in float32 there are no registers for it.
template <RecurrentKind KIND, int ROWS, int FROM, int COUNT, class S>
__device__ void run_tile(const Steps<S>& p, int64_t tile, int64_t t) {
  constexpr bool EARLY = sizeof(S) == 2;
  const StepTile at(p.plan, tile);
  const Layer<KIND, S> layer(p, at.layer);
  const int64_t rows = active_rows(layer.q, t);
  if (at.row0 >= rows) return;
  Computed<S> given[ROWS][COUNT], sums[ROWS][COUNT];
  const auto read = [&](int64_t r, int64_t j, int i) { layer.template read<FROM>(t, r, j, given[i]); };
  if (EARLY) each_own<ROWS>(p.plan, at, rows, layer.units, read);
  multiply<KIND, ROWS, FROM, COUNT>(p, at, layer, t, rows, sums);
  each_own<ROWS>(p.plan, at, rows, layer.units, [&](int64_t r, int64_t j, int i) {
    if (!EARLY) read(r, j, i);
    layer.cell(t, r, j, given[i], sums[i]);
  });
}

template <RecurrentKind KIND, int ROWS, class S>
__global__ void __launch_bounds__(STEP_THREADS, LEAST_BLOCKS<S>) forward_steps(Steps<S> p) {
  if (!has_products_of<S>()) return;
  constexpr int ALL = int(gates_of(KIND));
  constexpr bool BEFORE = KIND == RecurrentKind::gru_reset_before;
  const StepPlan& plan = p.plan;
  Meeting meeting(plan, p.counters, StepTile(plan, blockIdx.x).group);
  for (int64_t tile = blockIdx.x; tile < plan.tiles; tile += gridDim.x) {
    const StepTile at(plan, tile);
    const Layer<KIND, S> layer(p, at.layer);
    each_own<ROWS>(plan, at, layer.q.count, layer.units, [&](int64_t r, int64_t j, int) { layer.begin(r, j); });
    if (!plan.resident) continue;
    if constexpr (sizeof(S) == 2) {
      p.packed.load(plan, at);
    } else {
      const GateWeights<S, ALL, 0, ALL> weights{layer.s.u, nullptr, layer.units, at.unit0, plan.width};
      weights.stage(StepMemory<S>(plan, 0).weights[0], 0, int(layer.units));
    }
    commit_copies();
    wait_for_copies<0>();
  }
  meeting.meet();
  const int64_t steps = p.s[0].rows.steps;
  for (int64_t t = 0; t < steps; ++t) {
    for (int64_t tile = blockIdx.x; tile < plan.tiles; tile += gridDim.x)
      run_tile<KIND, ROWS, 0, BEFORE ? 2 : ALL>(p, tile, t);
    if constexpr (BEFORE) {
      meeting.meet();
      for (int64_t tile = blockIdx.x; tile < plan.tiles; tile += gridDim.x) run_tile<KIND, ROWS, 2, 1>(p, tile, t);
    }
    meeting.meet();
  }
}

/// The kernel, as the plan cuts it.
template <RecurrentKind KIND, class S>
void launch_steps(void (*kernel)(Steps<S>), int64_t layers, Steps<S>& p, Stream stream) {
  using T = Computed<S>;
  using L = Layer<KIND, S>;
  constexpr bool NARROW = L::NARROW, LSTM = KIND == RecurrentKind::lstm;
  const bool plainly = NARROW ? L::GRU : p.s[0].scale != nullptr;
  p.line = whole_packs<S>(p.s[0].units);
  const int64_t whole = layers * p.s[0].rows.count * p.line, groups = layers * p.plan.row_tiles;
  const Scratch<S> h(2 * whole, stream), reset(KIND == RecurrentKind::gru_reset_before ? whole : 0, stream);
  const Scratch<T> plain(plainly ? 2 * whole : 0, stream), c(LSTM && (NARROW || !p.s[0].c) ? whole : 0, stream);
  const Scratch<unsigned> counters(groups, stream);
  fill_bytes(counters.data(), 0, size_t(groups) * sizeof(unsigned), stream);
  if (NARROW && p.line > p.s[0].units) {  // mma takes what lies behind the units
    fill_bytes(h.data(), 0, size_t(2 * whole) * sizeof(S), stream);
    if (reset.data()) fill_bytes(reset.data(), 0, size_t(whole) * sizeof(S), stream);
  }
  p.h = h.data();
  if constexpr (NARROW)
    p.plain = plain.data();
  else
    p.plain = plainly ? plain.data() : h.data();
  p.c = c.data();
  p.reset = reset.data();
  p.counters = counters.data();
  launch_cooperative(kernel, p.plan.grid, STEP_THREADS, p.plan.shared_bytes, stream, p);
}

template <RecurrentKind KIND, int ROWS, class T>
void run(int64_t layers, Steps<T>& p, Stream stream) {
  const int64_t units = p.s[0].units;
  const auto kernel = forward_steps<KIND, ROWS, T>;
  p.plan = plan_steps<T>(kernel, layers, units, p.s[0].rows.count, ROWS, [&](int width, bool resident) {
    return (resident ? units : 2 * DEPTH) * width * gates_of(KIND);
  });
  launch_steps<KIND>(kernel, layers, p, stream);
}

template <RecurrentKind KIND, class S>
void run_16(int64_t layers, Steps<S>& p, Stream stream) {
  constexpr bool BEFORE = KIND == RecurrentKind::gru_reset_before;
  constexpr int64_t ALL = gates_of(KIND), LEADING = BEFORE ? 2 : ALL;
  const int64_t n = p.s[0].units, deep = whole_packs<S>(n), tile = ALL * UNITS_16 * deep;
  const int64_t of_layer = ceil_div(n, UNITS_16) * tile;
  const Scratch<S> packed(layers * of_layer, stream);
  for (int64_t l = 0; l < layers; ++l) {
    S* const to = packed.data() + l * of_layer;
    pack_units(PackUnits<S>{p.s[l].u, n, n, LEADING, ALL * n, n, 1, to, tile}, stream);
    if (BEFORE)
      pack_units(PackUnits<S>{p.s[l].u + 2 * n, n, n, 1, ALL * n, n, 1, to + 2 * UNITS_16 * deep, tile}, stream);
  }
  p.packed = {packed.data(), tile};
  void (*const kernels[])(Steps<S>) = {forward_steps<KIND, 1, S>, forward_steps<KIND, 2, S>, forward_steps<KIND, 4, S>};
  const auto chosen = choose_steps<S>(kernels, layers, n, p.s[0].rows.count, int(LEADING), tile);
  p.plan = chosen.plan;
  launch_steps<KIND>(chosen.kernel, layers, p, stream);
}

template <RecurrentKind KIND, class S>
void run_kind(int64_t layers, Steps<S>& p, Stream stream) {
  constexpr int MANY = sizeof(S) == 4 ? 4 : 1;  // rows a thread; float64 is for checks
  if constexpr (sizeof(S) == 2)
    run_16<KIND>(layers, p, stream);
  else
    p.s[0].rows.count <= STEP_THREADS / 16 ? run<KIND, 1>(layers, p, stream) : run<KIND, MANY>(layers, p, stream);
}

}  // namespace recurrent_forward_op
using namespace recurrent_forward_op;

template <class T>
void recurrent_forward(int64_t layers, const Recurrent<T>* s, const RecurrentOutputs<T>* to, const int64_t* y_rows,
                       Stream stream) {
  need_products_of<T>();
  const RecurrentKind kind = s->kind;
  const int64_t columns = gates_of(kind) * s->units;
  if (s->rows.count == 0 || s->units == 0) return;
  Steps<T> p{};
  for (int64_t l = 0; l < layers; ++l) {
    gemm(Gemm<T>{s[l].rows.slots, columns, s[l].inputs, s[l].x, s[l].inputs, false, s[l].w, columns, false, s[l].gates,
                 kept_of(kind) * s->units, s[l].bias},
         stream);
    p.s[l] = s[l];
    p.to[l] = to[l];
    p.y_rows[l] = y_rows[l];
  }
  switch (kind) {
    case RecurrentKind::simple:
      return run_kind<RecurrentKind::simple>(layers, p, stream);
    case RecurrentKind::gru:
      return run_kind<RecurrentKind::gru>(layers, p, stream);
    case RecurrentKind::gru_reset_before:
      return run_kind<RecurrentKind::gru_reset_before>(layers, p, stream);
    case RecurrentKind::lstm:
      return run_kind<RecurrentKind::lstm>(layers, p, stream);
  }
}

template void recurrent_forward(int64_t, const Recurrent<float>*, const RecurrentOutputs<float>*, const int64_t*,
                                Stream);
template void recurrent_forward(int64_t, const Recurrent<double>*, const RecurrentOutputs<double>*, const int64_t*,
                                Stream);
template void recurrent_forward(int64_t, const Recurrent<Float16>*, const RecurrentOutputs<Float16>*, const int64_t*,
                                Stream);
template void recurrent_forward(int64_t, const Recurrent<BFloat16>*, const RecurrentOutputs<BFloat16>*, const int64_t*,
                                Stream);

}  // namespace lamina::cuda
