#include "cuda/support/recurrent.cuh"
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

template <class T>
struct Steps {
  StepPlan plan;
  Recurrent<T> s[2];
  RecurrentOutputs<T> to[2];
  int64_t y_rows[2];
  int64_t line;
  T *h, *plain, *c, *reset;  // rows of `line`: h times the scale, of two steps in turn; h itself; c; r * h
  unsigned* counters;
};

/// One layer as a thread sees it.
template <RecurrentKind KIND, class T>
struct Layer {
  const Recurrent<T>& s;
  const RecurrentOutputs<T>& to;
  const RecurrentRows& q;
  int64_t y_rows, units, kept, line, whole;
  T *h, *plain, *c, *reset;

  __device__ Layer(const Steps<T>& p, int64_t layer)
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
  __device__ T* h_scaled(int64_t t, int64_t r) const { return h + (t & 1) * whole + r * line; }
  __device__ T* h_plain(int64_t t, int64_t r) const { return plain + (t & 1) * whole + r * line; }
  __device__ int64_t depth(int64_t t) const { return t || s.h0 ? units : 0; }

  /// h of step t (-1: before the first), to wherever it is wanted.
  __device__ void put(int64_t t, int64_t r, int64_t row, int64_t slot, int64_t j, T value) const {
    h_plain(t + 1, r)[j] = value;
    if (s.scale) h_scaled(t + 1, r)[j] = value * s.scale[row * units + j];
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

  template <int GATES>
  __device__ void cell(int64_t t, int64_t r, int64_t j, const T (&sums)[GATES]) const {
    const int64_t row = batch_row_of(q, r), slot = slot_of(q, t, r), n = units;
    if (row < 0 || slot < 0) return;
    T* const p = s.gates + slot * kept + j;
    if constexpr (KIND == RecurrentKind::simple) {
      T value = p[0] + sums[0];
      with_activation(s.activation, [&](auto f) { value = activate<decltype(f)::value, T>(value); });
      if (s.h_before) p[0] = value;
      put(t, r, row, slot, j, value);
    } else if constexpr (KIND == RecurrentKind::lstm) {
      const T input = sigmoid(p[0] + sums[0]), forget = sigmoid(p[n] + sums[1]), g = tanh(p[2 * n] + sums[2]);
      const T output = sigmoid(p[3 * n] + sums[3]);
      T state = input * g;
      if (t) {
        const int64_t before = s.c ? slot_of(q, t - 1, r) : 0;
        if (before < 0) return;
        state = fma(forget, s.c ? s.c[before * n + j] : c[r * line + j], state);
      } else if (s.c0) {
        state = fma(forget, s.c0[row * n + j], state);
      }
      if (s.c) {
        s.c[slot * n + j] = state;
        p[0] = input;
        p[n] = forget;
        p[2 * n] = g;
        p[3 * n] = output;
      } else {
        c[r * line + j] = state;
      }
      if (r >= active_rows(q, t + 1)) to.c_last[row * n + j] = state;
      put(t, r, row, slot, j, output * tanh(state));
    } else if constexpr (KIND == RecurrentKind::gru) {
      const auto recurrent = [&](int gate) {
        return s.recurrent_bias ? sums[gate] + s.recurrent_bias[gate * n + j] : sums[gate];
      };
      const T inner = recurrent(2), z = sigmoid(p[0] + recurrent(0)), r_gate = sigmoid(p[n] + recurrent(1));
      const T g = tanh(fma(r_gate, inner, p[2 * n]));
      if (s.h_before) {
        p[0] = z;
        p[n] = r_gate;
        p[2 * n] = g;
        p[3 * n] = inner;
      }
      put(t, r, row, slot, j, fma(z, h_plain(t, r)[j], (T(1) - z) * g));
    } else if constexpr (GATES == 2) {
      const T z = sigmoid(p[0] + sums[0]), r_gate = sigmoid(p[n] + sums[1]), used = r_gate * h_scaled(t, r)[j];
      p[0] = z;
      reset[r * line + j] = used;
      if (!s.h_before) return;
      p[n] = r_gate;
      p[3 * n] = used;
    } else {
      const T z = p[0], g = tanh(p[2 * n] + sums[0]);
      if (s.h_before) p[2 * n] = g;
      put(t, r, row, slot, j, fma(z, h_plain(t, r)[j], (T(1) - z) * g));
    }
  }
};

/// The product and the cells of one step and tile, by gates FROM to FROM + COUNT.
template <RecurrentKind KIND, int ROWS, int FROM, int COUNT, class T>
__device__ void run_tile(const Steps<T>& p, const StepMemory<T>& memory, int64_t tile, int64_t t) {
  constexpr int ALL = int(gates_of(KIND));
  const StepTile at(p.plan, tile);
  const Layer<KIND, T> layer(p, at.layer);
  const int64_t rows = active_rows(layer.q, t);
  if (at.row0 >= rows) return;
  const GateWeights<T, ALL, FROM, COUNT> weights{layer.s.u, p.plan.resident ? memory.weights[0] : nullptr, layer.units,
                                                 at.unit0, p.plan.width};
  T sums[ROWS][COUNT];
  step_product(p.plan, memory, FROM ? layer.reset : layer.h_scaled(t, 0), layer.line, at.row0, rows, layer.depth(t),
               weights, sums);
  const int64_t j = at.unit0 + int(threadIdx.x) % p.plan.width;
  const int slot = int(threadIdx.x) / p.plan.width;
#pragma unroll
  for (int i = 0; i < ROWS; ++i) {
    const int64_t r = at.row0 + slot + i * p.plan.slots;
    if (r < rows && j < layer.units) layer.cell(t, r, j, sums[i]);
  }
}

template <RecurrentKind KIND, int ROWS, class T>
__global__ void __launch_bounds__(STEP_THREADS) forward_steps(Steps<T> p) {
  constexpr int ALL = int(gates_of(KIND));
  constexpr bool BEFORE = KIND == RecurrentKind::gru_reset_before;
  const StepPlan& plan = p.plan;
  const StepMemory<T> memory(plan, int64_t(DEPTH) * plan.width * ALL);
  Meeting meeting(plan, p.counters, StepTile(plan, blockIdx.x).group);
  for (int64_t tile = blockIdx.x; tile < plan.tiles; tile += gridDim.x) {
    const StepTile at(plan, tile);
    const Layer<KIND, T> layer(p, at.layer);
    const int unit = int(threadIdx.x) % plan.width, slot = int(threadIdx.x) / plan.width;
    for (int i = 0; i < ROWS; ++i) {
      const int64_t r = at.row0 + slot + i * plan.slots;
      if (r < layer.q.count && at.unit0 + unit < layer.units) layer.begin(r, at.unit0 + unit);
    }
    if (!plan.resident) continue;
    const GateWeights<T, ALL, 0, ALL> weights{layer.s.u, nullptr, layer.units, at.unit0, plan.width};
    weights.stage(memory.weights[0], 0, int(layer.units));
    commit_copies();
    wait_for_copies<0>();
  }
  meeting.meet();
  const int64_t steps = p.s[0].rows.steps;
  for (int64_t t = 0; t < steps; ++t) {
    for (int64_t tile = blockIdx.x; tile < plan.tiles; tile += gridDim.x)
      run_tile<KIND, ROWS, 0, BEFORE ? 2 : ALL>(p, memory, tile, t);
    if constexpr (BEFORE) {
      meeting.meet();
      for (int64_t tile = blockIdx.x; tile < plan.tiles; tile += gridDim.x)
        run_tile<KIND, ROWS, 2, 1>(p, memory, tile, t);
    }
    meeting.meet();
  }
}

template <RecurrentKind KIND, int ROWS, class T>
void run(int64_t layers, Steps<T>& p, Stream stream) {
  const int64_t units = p.s[0].units, count = p.s[0].rows.count;
  p.plan = plan_steps<T>(forward_steps<KIND, ROWS, T>, layers, units, count, ROWS, [&](int width, bool resident) {
    return (resident ? units : 2 * DEPTH) * width * gates_of(KIND);
  });
  p.line = whole_packs<T>(units);
  const int64_t whole = layers * count * p.line, groups = layers * p.plan.row_tiles;
  const Scratch<T> h(2 * whole, stream), plain(p.s[0].scale ? 2 * whole : 0, stream);
  const Scratch<T> c(KIND == RecurrentKind::lstm && !p.s[0].c ? whole : 0, stream);
  const Scratch<T> reset(KIND == RecurrentKind::gru_reset_before ? whole : 0, stream);
  const Scratch<unsigned> counters(groups, stream);
  fill_bytes(counters.data(), 0, size_t(groups) * sizeof(unsigned), stream);
  p.h = h.data();
  p.plain = p.s[0].scale ? plain.data() : h.data();
  p.c = c.data();
  p.reset = reset.data();
  p.counters = counters.data();
  launch_cooperative(forward_steps<KIND, ROWS, T>, p.plan.grid, STEP_THREADS, p.plan.shared_bytes, stream, p);
}

template <RecurrentKind KIND, class T>
void run_kind(int64_t layers, Steps<T>& p, Stream stream) {
  constexpr int MANY = sizeof(T) == 4 ? 4 : 2;  // rows a thread
  p.s[0].rows.count <= STEP_THREADS / 16 ? run<KIND, 1>(layers, p, stream) : run<KIND, MANY>(layers, p, stream);
}

}  // namespace recurrent_forward_op
using namespace recurrent_forward_op;

template <class T>
void recurrent_forward(int64_t layers, const Recurrent<T>* s, const RecurrentOutputs<T>* to, const int64_t* y_rows,
                       Stream stream) {
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

}  // namespace lamina::cuda
