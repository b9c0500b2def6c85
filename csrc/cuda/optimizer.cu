#include "cuda/support/batch.cuh"
#include "cuda/support/sums.cuh"
#include "ops/optimizer.h"
#include "support/optimizer_rule.h"

namespace lamina::cuda {
namespace optimizer_op {

constexpr int64_t CHUNK = 2048;  // elements of a block

/// What happens to gradient and weight before the rule.
template <class T>
struct Preparation {
  bool prepares;
  T most;
  explicit Preparation(const OptimizerSettings& s)
      : prepares(s.prepares), most(s.clip > 0 ? T(s.clip) : T(__builtin_inf())) {}
  __device__ T gradient(T g, T scale) const { return prepares ? max(-most, min(most, g * scale)) : g; }
  __device__ T weight(T w, T decay) const { return prepares ? fnma(w, decay, w) : w; }
};

template <class T>
struct Dense {
  T* weights;
  const T* gradients;
  T* slots[OPTIMIZER_SLOTS];
  int64_t n;
  T scale, decay;
  int number;  // in the lists of scales and decays on the device
  uint8_t kept;
  bool packed;
};

template <class T>
Dense<T> dense_of(const Parameter<T>& p) {
  constexpr int N = 16 / int(sizeof(T));
  Dense<T> d{p.weights, p.gradients, {}, p.n, T(p.scale), T(p.decay), int(p.number), 0, is_packed<N>(p.weights)};
  d.packed = d.packed && is_packed<N>(p.gradients);
  for (int k = 0; k < OPTIMIZER_SLOTS; ++k) {
    d.slots[k] = p.slots[k];
    d.kept = uint8_t(d.kept | unsigned(p.slots[k] != nullptr) << k);
    d.packed = d.packed && is_packed<N>(p.slots[k]);
  }
  return d;
}

/// A rule that a kernel made of settings on the device. Where the step is below 1, nothing is done.
template <class Rule>
struct Made {
  Rule rule;
  bool skips;
};

/// What kernels know of the step: the host's numbers, unless there are others on the device.
template <class Rule, class T>
struct Plan {
  Rule rule;
  Preparation<T> before;
  const Made<Rule>* made;
  const double *scales, *decays;

  __device__ bool skips() const { return made && made->skips; }
  __device__ Rule rule_now() const { return made ? made->rule : rule; }
  __device__ Dense<T> prepared(Dense<T> p) const {
    if (scales) p.scale = T(scales[p.number]);
    if (decays) p.decay = T(decays[p.number]);
    return p;
  }
};

template <class Rule>
__global__ void rule_kernel(const double* settings, Made<Rule>* made) {
  OptimizerSettings s;
  for (int k = 0; k < OPTIMIZER_SETTINGS; ++k) s.values[k] = settings[k];
  s.step = int64_t(settings[OPTIMIZER_SETTINGS]);
  made->skips = s.step < 1;
  if (!made->skips) made->rule = Rule(s);
}

/// run(plan), with a rule made on the device where the settings are there.
template <class Rule, class T, class Run>
void with_plan(const OptimizerSettings& s, const DeviceSettings& there, Stream stream, Run&& run) {
  const Scratch<Made<Rule>> made(there.values ? 1 : 0, stream);
  if (there.values) launch(rule_kernel<Rule>, 1, 1, 0, stream, there.values, made.data());
  run(Plan<Rule, T>{Rule(s), Preparation<T>(s), made.data(), there.scales, there.decays});
}

/// N elements: gradients from g on, weights and slots at i.
template <int N, class Rule, class T>
__device__ __forceinline__ void update(const Dense<T>& p, const Rule& rule, const Preparation<T>& before,
                                       Pack<T, N> gradient, int64_t i) {
  Pack<T, N> w = load_pack<N>(p.weights + i), slot[OPTIMIZER_SLOTS] = {};
#pragma unroll
  for (int k = 0; k < OPTIMIZER_SLOTS; ++k)
    if (p.kept >> k & 1) slot[k] = load_pack<N>(p.slots[k] + i);
#pragma unroll
  for (int e = 0; e < N; ++e) {
    T values[OPTIMIZER_SLOTS] = {slot[0][e], slot[1][e], slot[2][e]};
    w[e] = rule.step(before.gradient(gradient[e], p.scale), before.weight(w[e], p.decay), values, p.kept);
    for (int k = 0; k < OPTIMIZER_SLOTS; ++k) slot[k][e] = values[k];
  }
  store_pack(p.weights + i, w);
#pragma unroll
  for (int k = 0; k < OPTIMIZER_SLOTS; ++k)
    if (p.kept >> k & 1) store_pack(p.slots[k] + i, slot[k]);
}

template <class Rule, class T>
__global__ void step_kernel(Batch<Dense<T>> batch, Plan<Rule, T> plan) {
  constexpr int N = 16 / int(sizeof(T));
  if (plan.skips()) return;
  const Rule rule = plan.rule_now();
  const Preparation<T> before = plan.before;
  const int which = entry_of(batch, blockIdx.x);
  const Dense<T> p = plan.prepared(batch.entry[which]);
  const int64_t begin = int64_t(blockIdx.x - batch.first[which]) * CHUNK, end = min_of(begin + CHUNK, p.n);
  int64_t i = begin + threadIdx.x;
  if (p.packed) {
    const int64_t whole = begin + (end - begin) / N * N;
    for (int64_t j = begin + int64_t(threadIdx.x) * N; j < whole; j += BLOCK * N)
      update<N>(p, rule, before, load_pack<N>(p.gradients + j), j);
    i = whole + threadIdx.x;
  }
  for (; i < end; i += BLOCK) update<1>(p, rule, before, load_pack<1>(p.gradients + i), i);
}

/// A table with gradients of some rows: see Parameter. Numbers of rows are not to be trusted here.
template <class Rule, class T>
struct StepRows {
  Dense<T> p;
  const int64_t* rows;
  int64_t row_count, width, table;
  bool whole;
  Plan<Rule, T> plan;

  /// Where the row stands in `rows`, or -1.
  __device__ int64_t place_of(int64_t row) const {
    int64_t low = 0, high = row_count;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (rows[middle] < row)
        low = middle + 1;
      else
        high = middle;
    }
    return low < row_count && rows[low] == row ? low : -1;
  }
  __device__ void operator()(int64_t i) const {
    if (plan.skips()) return;
    const int64_t line = i / width, column = i - line * width;
    const int64_t place = whole ? place_of(line) : line, row = whole ? line : rows[line];
    if (row < 0 || row >= table) return;
    const Pack<T, 1> g{{place < 0 ? T(0) : p.gradients[place * width + column]}};
    update<1>(plan.prepared(p), plan.rule_now(), plan.before, g, row * width + column);
  }
};

template <class Rule, class T>
void step(int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s, const DeviceSettings& there,
          Stream stream) {
  with_plan<Rule, T>(s, there, stream, [&](const Plan<Rule, T>& plan) {
    in_batches<Dense<T>>(
        count, [&](int64_t i) { return parameters[i].rows ? 0 : ceil_div(parameters[i].n, CHUNK); },
        [&](int64_t i) { return dense_of(parameters[i]); },
        [&](const Batch<Dense<T>>& batch) {
          launch(step_kernel<Rule, T>, batch.blocks, BLOCK, 0, stream, batch, plan);
        });
    for (int64_t i = 0; i < count; ++i) {
      const Parameter<T>& p = parameters[i];
      if (!p.rows || p.width == 0) continue;
      each(p.n, stream, StepRows<Rule, T>{dense_of(p), p.rows, p.row_count, p.width, p.table, p.whole, plan});
    }
  });
}

// Sums of squares: pieces of PIECE elements, in the order of sum_row, then the pieces in order in double precision.

template <class T>
constexpr int64_t PIECE = Parameter<T>::PIECE;

template <class T>
struct Gradients {
  const T* gradients;
  int64_t n, start;  // the number of the first piece
};

template <class T>
struct AddSquare {
  __device__ T operator()(T sum, T v) const { return fma(v, v, sum); }
};

template <class T>
__global__ void squares_kernel(Batch<Gradients<T>> batch, double* sums) {
  const int which = entry_of(batch, blockIdx.x);
  const Gradients<T> p = batch.entry[which];
  const int64_t piece = blockIdx.x - batch.first[which], begin = piece * PIECE<T>;
  const T sum = sum_by_block<1, T>(
      min_of(PIECE<T>, p.n - begin), [&](int64_t i, T(&v)[1]) { v[0] = p.gradients[begin + i]; }, AddSquare<T>{});
  if (threadIdx.x == 0) sums[p.start + piece] = double(sum);
}

struct Pieces {
  int64_t start, count;
};
__global__ void join_squares_kernel(Batch<Pieces> batch, int64_t first, const double* sums, double* squares) {
  const Pieces p = batch.entry[blockIdx.x];
  const double sum = sum_in_order(p.count, 0.0, [&](int64_t k) { return sums[p.start + k]; });
  if (threadIdx.x == 0) squares[first + blockIdx.x] = sum;
}

// lamb: moments and the norms' pieces, the step of each parameter, then the weights, whose change is computed again.

template <class T>
struct LambEntry {
  Dense<T> p;
  int64_t start, number;  // of the first piece, of the parameter
};

template <class T>
__global__ void lamb_norms_kernel(Batch<LambEntry<T>> batch, Plan<Lamb<T>, T> plan, double* sums) {
  if (plan.skips()) return;
  const Lamb<T> rule = plan.rule_now();
  const Preparation<T> before = plan.before;
  const int which = entry_of(batch, blockIdx.x);
  LambEntry<T> e = batch.entry[which];
  e.p = plan.prepared(e.p);
  const int64_t piece = blockIdx.x - batch.first[which], begin = piece * PIECE<T>;
  const T sum = sum_by_block<2, T>(
      min_of(PIECE<T>, e.p.n - begin),
      [&](int64_t k, T(&v)[2]) {
        const int64_t i = begin + k;
        v[0] = before.weight(e.p.weights[i], e.p.decay);
        if (before.prepares) e.p.weights[i] = v[0];
        T first = e.p.slots[0][i], second = e.p.slots[1][i];
        rule.averages.step(before.gradient(e.p.gradients[i], e.p.scale), first, second);
        e.p.slots[0][i] = first;
        e.p.slots[1][i] = second;
        v[1] = rule.change(first, second);
      },
      AddSquare<T>{});
  if (threadIdx.x % ROW_LANES == 0 && threadIdx.x < 2 * ROW_LANES)
    sums[2 * (e.start + piece) + threadIdx.x / ROW_LANES] = double(sum);
}

template <class T>
__global__ void lamb_rates_kernel(Batch<LambEntry<T>> batch, Setting<double> rate, const double* sums, T* minus_rates) {
  const LambEntry<T> e = batch.entry[blockIdx.x];
  const int64_t pieces = ceil_div(e.p.n, PIECE<T>);
  const double of_weights = sum_in_order(pieces, 0.0, [&](int64_t k) { return sums[2 * (e.start + k)]; });
  const double of_change = sum_in_order(pieces, 0.0, [&](int64_t k) { return sums[2 * (e.start + k) + 1]; });
  const double trust = of_weights > 0 && of_change > 0 ? sqrt(of_weights) / sqrt(of_change) : 1;
  if (threadIdx.x == 0) minus_rates[e.number] = T(-rate * trust);
}

template <class T>
__global__ void lamb_weights_kernel(Batch<LambEntry<T>> batch, Plan<Lamb<T>, T> plan, const T* minus_rates) {
  if (plan.skips()) return;
  const Lamb<T> rule = plan.rule_now();
  const int which = entry_of(batch, blockIdx.x);
  const LambEntry<T> e = batch.entry[which];
  const T minus_rate = minus_rates[e.number];
  const int64_t begin = int64_t(blockIdx.x - batch.first[which]) * PIECE<T>, end = min_of(begin + PIECE<T>, e.p.n);
  for (int64_t i = begin + threadIdx.x; i < end; i += BLOCK)
    e.p.weights[i] = fma(minus_rate, rule.change(e.p.slots[0][i], e.p.slots[1][i]), e.p.weights[i]);
}

template <class T>
int64_t pieces_of(int64_t count, const Parameter<T>* parameters) {
  return count ? parameters[count - 1].start + ceil_div(parameters[count - 1].n, PIECE<T>) : 0;
}

template <class T>
void lamb(int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s, const DeviceSettings& there,
          Stream stream) {
  const Scratch<double> sums(2 * pieces_of(count, parameters), stream);
  const Scratch<T> minus_rates(count, stream);
  const Setting<double> rate{s.values[0], there.values};
  with_plan<Lamb<T>, T>(s, there, stream, [&](const Plan<Lamb<T>, T>& plan) {
    in_batches<LambEntry<T>>(
        count, [&](int64_t i) { return ceil_div(parameters[i].n, PIECE<T>); },
        [&](int64_t i) { return LambEntry<T>{dense_of(parameters[i]), parameters[i].start, i}; },
        [&](const Batch<LambEntry<T>>& batch) {
          launch(lamb_norms_kernel<T>, batch.blocks, BLOCK, 0, stream, batch, plan, sums.data());
          launch(lamb_rates_kernel<T>, unsigned(batch.count), BLOCK, 0, stream, batch, rate, sums.data(),
                 minus_rates.data());
          launch(lamb_weights_kernel<T>, batch.blocks, BLOCK, 0, stream, batch, plan, minus_rates.data());
        });
  });
}

}  // namespace optimizer_op
using namespace optimizer_op;

template <class T>
void optimizer_step(OptimizerRule rule, int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s,
                    const DeviceSettings& there, Stream stream) {
  switch (rule) {
    case OptimizerRule::sgd:
      return step<Sgd<T>>(count, parameters, s, there, stream);
    case OptimizerRule::rmsprop:
      return step<RmsProp<T>>(count, parameters, s, there, stream);
    case OptimizerRule::adam:
      return step<Adam<T>>(count, parameters, s, there, stream);
    case OptimizerRule::adagrad:
      return step<Adagrad<T>>(count, parameters, s, there, stream);
    case OptimizerRule::adadelta:
      return step<Adadelta<T>>(count, parameters, s, there, stream);
    case OptimizerRule::adamax:
      return step<Adamax<T>>(count, parameters, s, there, stream);
    case OptimizerRule::nadam:
      return step<Nadam<T>>(count, parameters, s, there, stream);
    case OptimizerRule::ftrl:
      return step<Ftrl<T>>(count, parameters, s, there, stream);
    case OptimizerRule::lion:
      return step<Lion<T>>(count, parameters, s, there, stream);
    case OptimizerRule::lamb:
      return lamb(count, parameters, s, there, stream);
  }
}

template <class T>
void gradient_squares(int64_t count, const Parameter<T>* parameters, double* squares, Stream stream) {
  const Scratch<double> sums(pieces_of(count, parameters), stream);
  in_batches<Gradients<T>>(
      count, [&](int64_t i) { return ceil_div(parameters[i].n, PIECE<T>); },
      [&](int64_t i) { return Gradients<T>{parameters[i].gradients, parameters[i].n, parameters[i].start}; },
      [&](const Batch<Gradients<T>>& batch) {
        launch(squares_kernel<T>, batch.blocks, BLOCK, 0, stream, batch, sums.data());
      });
  int64_t first = 0;
  in_batches<Pieces>(
      count, [&](int64_t) { return 1; },
      [&](int64_t i) { return Pieces{parameters[i].start, ceil_div(parameters[i].n, PIECE<T>)}; },
      [&](const Batch<Pieces>& batch) {
        launch(join_squares_kernel, unsigned(batch.count), BLOCK, 0, stream, batch, first, sums.data(), squares);
        first += batch.count;
      });
}

template void optimizer_step(OptimizerRule, int64_t, const Parameter<float>*, const OptimizerSettings&,
                             const DeviceSettings&, Stream);
template void optimizer_step(OptimizerRule, int64_t, const Parameter<double>*, const OptimizerSettings&,
                             const DeviceSettings&, Stream);
template void gradient_squares(int64_t, const Parameter<float>*, double*, Stream);
template void gradient_squares(int64_t, const Parameter<double>*, double*, Stream);

}  // namespace lamina::cuda
