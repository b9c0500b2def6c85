#include "cuda/support/recurrent_16.cuh"
#include "cuda/support/recurrent_gradients.cuh"
#include "support/activation.h"

namespace lamina::cuda {
namespace recurrent_backward_op {

/// Gates whose gradients meet U's leading columns in one product: all but gru_reset_before's candidate.
constexpr int64_t leading_gates(RecurrentKind kind) {
  return kind == RecurrentKind::gru_reset_before ? 2 : gates_of(kind);
}

/// The columns of U's rows, for a tile's units: `depth` of them, from `column` on. Resident rows lie `pitch` apart.
template <class T>
struct UnitWeights {
  const T *u, *own;  // own: the columns' place in resident rows, or null
  int64_t columns, units, unit0, pitch;
  int width;

  __device__ void load(T* to, int64_t step, int64_t k0, int64_t n) const {
    for (int64_t i = threadIdx.x; i < n * width; i += STEP_THREADS) {
      const int64_t k = i % n, unit = i / n;
      const bool valid = unit0 + unit < units;
      copy_async<int(sizeof(T))>(to + unit * step + k, valid ? u + (unit0 + unit) * columns + k0 + k : u, valid);
    }
  }
  __device__ void stage(T* to, int64_t k0, int n) const {
    if (!own) load(to, ROW_PITCH<T>, k0, n);
  }
  template <int N>
  __device__ void read(const T* staged, int64_t k0, int k, int, T (&y)[N][1]) const {
    const int unit = int(threadIdx.x) % width;
    const auto pack = load_pack<N>(own ? own + unit * pitch + k0 + k : staged + unit * ROW_PITCH<T> + k);
#pragma unroll
    for (int e = 0; e < N; ++e) y[e][0] = pack[e];
  }
};

/// As on the CPU: the gradients of the gates, of two steps in turn, for the products; of the candidate; what passes
/// from step to step beside U.
template <class S>
struct Steps {
  StepPlan plan;
  Recurrent<S> s[2];
  RecurrentGradients<S> to[2];
  int64_t y_rows[2];
  int64_t line, units_line, pitch;
  S *d, *d_candidate;
  Computed<S>* carry;
  PackedUnits<S> packed;  // 16 bits: U's rows
  unsigned* counters;
};

template <RecurrentKind KIND, class S>
struct Layer {
  using T = Computed<S>;
  static constexpr bool GRU = KIND == RecurrentKind::gru || KIND == RecurrentKind::gru_reset_before;
  const Recurrent<S>& s;
  const RecurrentGradients<S>& to;
  const RecurrentRows& q;
  int64_t y_rows, units, kept, line, units_line;
  S *d, *d_candidate;
  T* carry;

  __device__ Layer(const Steps<S>& p, int64_t layer)
      : s(layer ? p.s[1] : p.s[0]),
        to(layer ? p.to[1] : p.to[0]),
        q(s.rows),
        y_rows(layer ? p.y_rows[1] : p.y_rows[0]),
        units(s.units),
        kept(kept_of(KIND) * s.units),
        line(p.line),
        units_line(p.units_line),
        d(p.d + layer * 2 * q.count * line),
        d_candidate(p.d_candidate + layer * q.count * units_line),
        carry(p.carry + layer * q.count * units_line) {}

  __device__ S* d_of(int64_t t) const { return d + (t & 1) * q.count * line; }
  __device__ T scaled(T v, int64_t row, int64_t j) const { return s.scale ? v * s.scale[row * units + j] : v; }
  /// The gradient of a state, where nothing came back from a later step.
  __device__ T ended(const S* last, int64_t row, int64_t j) const { return last ? T(last[row * units + j]) : T(0); }
  /// The sum of dy over the rows of y that have this h.
  __device__ T sum_of_dy(int64_t t, int64_t r, int64_t slot, int64_t j) const {
    T sum = 0;
    bool begun = false;
    each_y(q, t, r, slot, y_rows, [&](int64_t at) {
      const T v = to.dy[at * units + j];
      sum = begun ? sum + v : v;
      begun = true;
    });
    return sum;
  }

  /// What the cell of unit j of row r at step t reads that forward has left, and dy.
  struct Saved {
    T gates[kept_of(KIND)], c, c_before, h, dy;
  };
  __device__ void read(int64_t t, int64_t r, int64_t j, Saved& from) const {
    const int64_t n = units, row = batch_row_of(q, r), slot = t < 0 ? -1 : slot_of(q, t, r);
    if (row < 0 || slot < 0) return;
#pragma unroll
    for (int g = 0; g < kept_of(KIND); ++g) from.gates[g] = s.gates[slot * kept + g * n + j];
    if constexpr (KIND == RecurrentKind::lstm) {
      const int64_t before = t ? slot_of(q, t - 1, r) : 0;
      from.c = s.c[slot * n + j];
      from.c_before = t ? (before < 0 ? T(0) : T(s.c[before * n + j])) : ended(s.c0, row, j);
    }
    if (GRU) from.h = s.h_before[slot * n + j];
    if (to.dy) from.dy = sum_of_dy(t, r, slot, j);
  }

  /// Unit j of row r at step t. goes_on: the product with U's transpose has brought `sum` from step t + 1.
  __device__ void cell(int64_t t, int64_t r, int64_t j, const Saved& from, T sum, bool goes_on) const {
    const int64_t n = units, row = batch_row_of(q, r), slot = t < 0 ? 0 : slot_of(q, t, r);
    if (row < 0 || slot < 0) return;
    T* const carried = carry + r * units_line + j;
    T back = goes_on ? scaled(sum, row, j) : ended(to.dh_last, row, j);
    if (GRU && goes_on) back = back + *carried;
    T dc_back = 0;
    if (KIND == RecurrentKind::lstm) dc_back = goes_on ? *carried : ended(to.dc_last, row, j);
    if (t < 0) {
      if (to.dh0) to.dh0[row * n + j] = back;
      if (KIND == RecurrentKind::lstm && to.dc0) to.dc0[row * n + j] = dc_back;
      return;
    }
    const T one = 1;
    S* const p = s.gates + slot * kept + j;
    S* const product = d_of(t) + r * line + j;
    const auto give = [&](int g, T value) {
      p[g * n] = value;
      product[g * n] = value;
    };
    const T dh = to.dy ? from.dy + back : back;
    if constexpr (KIND == RecurrentKind::simple) {
      T value = dh;
      with_activation(s.activation,
                      [&](auto f) { value = activation_gradient<decltype(f)::value, T>(from.gates[0], value); });
      give(0, value);
    } else if constexpr (KIND == RecurrentKind::lstm) {
      const T input = from.gates[0], forget = from.gates[1], g = from.gates[2], output = from.gates[3];
      const T tanh_c = tanh(from.c);
      const T dc = fma(dh * output, fnma(tanh_c, tanh_c, one), dc_back);
      *carried = dc * forget;
      give(0, (dc * g) * (input * (one - input)));
      give(1, (dc * from.c_before) * (forget * (one - forget)));
      give(2, (dc * input) * fnma(g, g, one));
      give(3, (dh * tanh_c) * (output * (one - output)));
    } else {
      const T z = from.gates[0], g = from.gates[2], h = from.h;
      const T dg = (dh * (one - z)) * fnma(g, g, one);
      *carried = dh * z;
      if constexpr (KIND == RecurrentKind::gru) {
        const T reset = from.gates[1], inner = from.gates[3];
        give(0, (dh * (h - g)) * (z * (one - z)));
        give(1, (dg * inner) * (reset * (one - reset)));
        p[3 * n] = dg * reset;
        product[2 * n] = dg * reset;
      } else {
        give(0, (dh * (h - g)) * (z * (one - z)));
        d_candidate[r * units_line + j] = dg;
      }
      p[2 * n] = dg;
    }
  }
  /// gru_reset_before: `sum` is the gradient of reset * h.
  __device__ void candidate_cell(int64_t t, int64_t r, int64_t j, T sum) const {
    const int64_t n = units, row = batch_row_of(q, r), slot = slot_of(q, t, r);
    if (row < 0 || slot < 0) return;
    T* const carried = carry + r * units_line + j;
    S* const p = s.gates + slot * kept + j;
    const T reset = p[n], h = s.h_before[slot * n + j], back = scaled(sum, row, j);
    *carried = fma(back, reset, *carried);
    const T value = (back * h) * (reset * (T(1) - reset));
    p[n] = value;
    d_of(t)[r * line + n + j] = value;
  }
};

/// d . U' for a tile's rows before `rows`: of the leading gates, or of gru_reset_before's candidate.
template <bool CANDIDATE, RecurrentKind KIND, int ROWS, class S>
__device__ void multiply(const Steps<S>& p, const StepTile& at, const Layer<KIND, S>& layer, const S* d, int64_t rows,
                         bool wanted, Computed<S> (&sums)[ROWS][1]) {
  const StepPlan& plan = p.plan;
  const int64_t n = layer.units, leading = leading_gates(KIND) * n, depth = CANDIDATE ? n : leading;
  const int64_t line = CANDIDATE ? layer.units_line : layer.line;
  if constexpr (sizeof(S) == 2) {
    const auto weights = p.packed.of(plan, at, CANDIDATE ? UNITS_16 * layer.line : 0, depth);
    step_product_16(plan, d, line, at.row0, rows, wanted, weights, sums);
  } else {
    const StepMemory<S> memory(plan, int64_t(ROW_PITCH<S>) * plan.width);
    const S* const own = plan.resident ? memory.weights[0] + (CANDIDATE ? whole_packs<S>(leading) : 0) : nullptr;
    const UnitWeights<S> weights{
        layer.s.u + (CANDIDATE ? leading : 0), own, gates_of(KIND) * n, n, at.unit0, p.pitch, plan.width};
    step_product(plan, memory, d, line, at.row0, rows, wanted ? depth : 0, weights, sums);
  }
}

/// 16 bits: as forward, what cells read comes from memory beside the product.
template <RecurrentKind KIND, int ROWS, class S>
__device__ void run_tile(const Steps<S>& p, int64_t tile, int64_t t) {
  constexpr bool EARLY = sizeof(S) == 2;
  const StepTile at(p.plan, tile);
  const Layer<KIND, S> layer(p, at.layer);
  if (t < 0 && !layer.to.dh0 && !layer.to.dc0) return;
  const int64_t later = active_rows(layer.q, t + 1), now = t < 0 ? layer.q.count : active_rows(layer.q, t);
  if (at.row0 >= now) return;
  typename Layer<KIND, S>::Saved saved[ROWS];
  Computed<S> sums[ROWS][1];
  const auto read = [&](int64_t r, int64_t j, int i) { layer.read(t, r, j, saved[i]); };
  if (EARLY) each_own<ROWS>(p.plan, at, now, layer.units, read);
  multiply<false>(p, at, layer, layer.d_of(t + 1), later, at.row0 < later, sums);
  each_own<ROWS>(p.plan, at, now, layer.units, [&](int64_t r, int64_t j, int i) {
    if (!EARLY) read(r, j, i);
    layer.cell(t, r, j, saved[i], sums[i][0], r < later);
  });
}
template <int ROWS, class S>
__device__ void run_candidate(const Steps<S>& p, int64_t tile, int64_t t) {
  const StepTile at(p.plan, tile);
  const Layer<RecurrentKind::gru_reset_before, S> layer(p, at.layer);
  const int64_t rows = active_rows(layer.q, t);
  if (at.row0 >= rows) return;
  Computed<S> sums[ROWS][1];
  multiply<true>(p, at, layer, layer.d_candidate, rows, true, sums);
  each_own<ROWS>(p.plan, at, rows, layer.units,
                 [&](int64_t r, int64_t j, int i) { layer.candidate_cell(t, r, j, sums[i][0]); });
}

/// What stays in shared memory, for a block that has one tile.
template <RecurrentKind KIND, class S>
__device__ void load_resident(const Steps<S>& p, const StepTile& at) {
  if constexpr (sizeof(S) == 2) {
    p.packed.load(p.plan, at);
  } else {
    const Recurrent<S>& s = at.layer ? p.s[1] : p.s[0];
    const int64_t n = s.units, depth = leading_gates(KIND) * n;
    const UnitWeights<S> weights{s.u, nullptr, gates_of(KIND) * n, n, at.unit0, p.pitch, p.plan.width};
    S* const to = StepMemory<S>(p.plan, 0).weights[0];
    weights.load(to, p.pitch, 0, depth);
    if (KIND == RecurrentKind::gru_reset_before) weights.load(to + whole_packs<S>(depth), p.pitch, depth, n);
  }
  commit_copies();
  wait_for_copies<0>();
  __syncthreads();
}

/// In float32 two blocks are worth a few bytes of spills.
template <RecurrentKind KIND, int ROWS, class S>
__global__ void __launch_bounds__(STEP_THREADS, sizeof(S) == 2 ? LEAST_BLOCKS<S> : 2) backward_steps(Steps<S> p) {
  if (!has_products_of<S>()) return;
  constexpr bool BEFORE = KIND == RecurrentKind::gru_reset_before;
  const StepPlan& plan = p.plan;
  const StepTile first(plan, blockIdx.x);
  Meeting meeting(plan, p.counters, first.group);
  if (plan.resident) load_resident<KIND>(p, first);
  const bool to_start = p.to[0].dh0 || p.to[0].dc0 || p.to[1].dh0 || p.to[1].dc0;
  for (int64_t t = p.s[0].rows.steps - 1; t >= (to_start ? -1 : 0); --t) {
    for (int64_t tile = blockIdx.x; tile < plan.tiles; tile += gridDim.x) run_tile<KIND, ROWS>(p, tile, t);
    meeting.meet();
    if constexpr (BEFORE) {
      if (t < 0) break;
      for (int64_t tile = blockIdx.x; tile < plan.tiles; tile += gridDim.x) run_candidate<ROWS>(p, tile, t);
      meeting.meet();
    }
  }
}

/// The kernel, as the plan cuts it.
template <RecurrentKind KIND, class S>
void launch_steps(void (*kernel)(Steps<S>), int64_t layers, Steps<S>& p, Stream stream) {
  constexpr bool BEFORE = KIND == RecurrentKind::gru_reset_before;
  const int64_t n = p.s[0].units, rows = layers * p.s[0].rows.count, groups = layers * p.plan.row_tiles;
  const Scratch<S> d(2 * rows * p.line, stream), d_candidate(BEFORE ? rows * p.units_line : 0, stream);
  const Scratch<Computed<S>> carry(KIND == RecurrentKind::simple ? 0 : rows * p.units_line, stream);
  const Scratch<unsigned> counters(groups, stream);
  fill_bytes(counters.data(), 0, size_t(groups) * sizeof(unsigned), stream);
  if (sizeof(S) == 2) {  // mma takes what lies behind the gates
    if (p.line > leading_gates(KIND) * n) fill_bytes(d.data(), 0, size_t(2 * rows * p.line) * sizeof(S), stream);
    if (BEFORE && p.units_line > n) fill_bytes(d_candidate.data(), 0, size_t(rows * p.units_line) * sizeof(S), stream);
  }
  p.d = d.data();
  p.d_candidate = d_candidate.data();
  p.carry = carry.data();
  p.counters = counters.data();
  launch_cooperative(kernel, p.plan.grid, STEP_THREADS, p.plan.shared_bytes, stream, p);
}

template <RecurrentKind KIND, int ROWS, class T>
void run(int64_t layers, Steps<T>& p, Stream stream) {
  const auto kernel = backward_steps<KIND, ROWS, T>;
  p.plan = plan_steps<T>(kernel, layers, p.s[0].units, p.s[0].rows.count, ROWS, [&](int width, bool resident) {
    return width * (resident ? p.pitch : 2 * int64_t(ROW_PITCH<T>));
  });
  launch_steps<KIND>(kernel, layers, p, stream);
}

template <RecurrentKind KIND, class S>
void run_16(int64_t layers, Steps<S>& p, Stream stream) {
  constexpr bool BEFORE = KIND == RecurrentKind::gru_reset_before;
  const int64_t n = p.s[0].units, columns = gates_of(KIND) * n, leading = leading_gates(KIND) * n;
  const int64_t tile = UNITS_16 * (p.line + (BEFORE ? p.units_line : 0)), of_layer = ceil_div(n, UNITS_16) * tile;
  const Scratch<S> packed(layers * of_layer, stream);
  for (int64_t l = 0; l < layers; ++l) {
    S* const to = packed.data() + l * of_layer;
    pack_units(PackUnits<S>{p.s[l].u, n, leading, 1, 1, 0, columns, to, tile}, stream);
    if (BEFORE)
      pack_units(PackUnits<S>{p.s[l].u + leading, n, n, 1, 1, 0, columns, to + UNITS_16 * p.line, tile}, stream);
  }
  p.packed = {packed.data(), tile};
  void (*const kernels[])(Steps<S>) = {backward_steps<KIND, 1, S>, backward_steps<KIND, 2, S>,
                                       backward_steps<KIND, 4, S>};
  const auto chosen = choose_steps<S>(kernels, layers, n, p.s[0].rows.count, 1, tile);
  p.plan = chosen.plan;
  launch_steps<KIND>(chosen.kernel, layers, p, stream);
}

template <RecurrentKind KIND, class S>
void run_kind(int64_t layers, Steps<S>& p, Stream stream) {
  constexpr int MANY = sizeof(S) == 4 ? 4 : 1;  // rows a thread; float64 is for checks
  const int64_t n = p.s[0].units;
  p.line = whole_packs<S>(leading_gates(KIND) * n);
  p.units_line = whole_packs<S>(n);
  p.pitch = p.line + (KIND == RecurrentKind::gru_reset_before ? p.units_line : 0) + STEP_PACK<S>;
  if constexpr (sizeof(S) == 2)
    run_16<KIND>(layers, p, stream);
  else
    p.s[0].rows.count <= STEP_THREADS / 16 ? run<KIND, 1>(layers, p, stream) : run<KIND, MANY>(layers, p, stream);
}

}  // namespace recurrent_backward_op
using namespace recurrent_backward_op;

template <class T>
void recurrent_backward(int64_t layers, const Recurrent<T>* s, const RecurrentGradients<T>* to, const int64_t* y_rows,
                        Stream stream) {
  need_products_of<T>();
  Steps<T> p{};
  for (int64_t l = 0; l < layers; ++l) {
    p.s[l] = s[l];
    p.to[l] = to[l];
    p.y_rows[l] = y_rows[l];
  }
  if (s->rows.count > 0 && s->units > 0) switch (s->kind) {
      case RecurrentKind::simple:
        run_kind<RecurrentKind::simple>(layers, p, stream);
        break;
      case RecurrentKind::gru:
        run_kind<RecurrentKind::gru>(layers, p, stream);
        break;
      case RecurrentKind::gru_reset_before:
        run_kind<RecurrentKind::gru_reset_before>(layers, p, stream);
        break;
      case RecurrentKind::lstm:
        run_kind<RecurrentKind::lstm>(layers, p, stream);
        break;
    }
  for (int64_t l = 0; l < layers; ++l) weight_gradients(s[l], to[l], stream);
}

template void recurrent_backward(int64_t, const Recurrent<float>*, const RecurrentGradients<float>*, const int64_t*,
                                 Stream);
template void recurrent_backward(int64_t, const Recurrent<double>*, const RecurrentGradients<double>*, const int64_t*,
                                 Stream);
template void recurrent_backward(int64_t, const Recurrent<Float16>*, const RecurrentGradients<Float16>*, const int64_t*,
                                 Stream);
template void recurrent_backward(int64_t, const Recurrent<BFloat16>*, const RecurrentGradients<BFloat16>*,
                                 const int64_t*, Stream);

}  // namespace lamina::cuda
