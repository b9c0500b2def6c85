#include "cuda/support/packs.cuh"
#include "cuda/support/row.cuh"
#include "ops/ctc_loss.h"
#include "support/ctc_loss.h"

namespace lamina::cuda {
namespace ctc_loss_op {

/// What is known of all samples: rows are steps of them, [sample][time].
template <class T>
struct Lattice {
  CtcLoss s;
  const T* x;
  int64_t pitch;               // of a row of states
  T *emission, *alpha, *beta;  // [row][state]
  T *largest, *sum;            // [row]: max x, sum e^(x - max)
  double* path;                // [sample]: the logarithm of the sum over all paths
  int32_t* valid;              // [sample]

  __device__ int64_t states(int64_t sample) const { return 2 * s.target_lengths[sample] + 1; }
  __device__ int64_t label(int64_t sample, int64_t k) const {
    return k % 2 ? s.targets[sample * s.labels + k / 2] : s.blank;
  }
  /// 0 where state k may be reached from k - 2.
  __device__ T skip(int64_t sample, int64_t k, int64_t states) const {
    const bool may = k % 2 && k > 1 && k < states && label(sample, k) != label(sample, k - 2);
    return may ? T(0) : NONE<T>;
  }
};

template <class T>
__device__ T at(const T* row, int64_t k, int64_t states) {
  return k >= 0 && k < states ? row[k] : NONE<T>;
}

template <class T>
struct Validate {
  Lattice<T> l;
  __device__ void operator()(int64_t sample) const {
    const CtcLoss& s = l.s;
    const int64_t length = s.target_lengths[sample], steps = s.input_lengths[sample];
    bool fine = length >= 0 && length <= s.labels && steps >= 0 && steps <= s.time;
    for (int64_t k = 0; fine && k < length; ++k) {
      const int64_t label = s.targets[sample * s.labels + k];
      fine = label >= 0 && label < s.classes;
    }
    l.valid[sample] = fine;
  }
};

/// log p of each state at each step.
template <class T>
struct Emissions {
  Lattice<T> l;
  __device__ void operator()(int64_t r, RowLane lane) const {
    const Split of = split(r, l.s.time);
    if (!l.valid[of.rest] || of.at >= l.s.input_lengths[of.rest]) return;
    const T* const row = l.x + r * l.s.classes;
    const T most = finite_or_zero(largest(l.s.classes, lane, row));
    const T sum = sum_row<T>(l.s.classes, lane, [&](int64_t i, T& total) { total = total + exp(row[i] - most); });
    const T shift = log(sum);
    each_of_row(l.states(of.rest), lane,
                [&](int64_t k) { l.emission[r * l.pitch + k] = row[l.label(of.rest, k)] - most - shift; });
    if (lane.lane > 0) return;
    l.largest[r] = most;
    l.sum[r] = sum;
  }
};

/// The largest of f(k), found by every 16 threads for themselves; 0 where there is none.
template <class T, class F>
__device__ T largest_of(int64_t states, RowLane lane, F&& f) {
  T most = NONE<T>;
  each_of_row(states, lane, [&](int64_t k) { most = max(most, f(k)); });
  return finite_or_zero(fold(lane, most, [](T a, T b) { return a > b ? a : b; }));
}

/// alpha: for each step and state the logarithm of the sum over all ways there, but for a number of the step's.
template <class T>
__device__ void walk_forwards(const Lattice<T>& l, int64_t sample, RowLane lane, T* loss) {
  const int64_t states = l.states(sample), steps = l.s.input_lengths[sample], row0 = sample * l.s.time;
  T* const alpha = l.alpha + row0 * l.pitch;
  const T* const emission = l.emission + row0 * l.pitch;
  double offset = 0;
  for (int64_t t = 0; t < steps; ++t) {
    T* const now = alpha + t * l.pitch;
    const T* const before = now - l.pitch;  // not read at step 0
    T shift = 0;
    if (t > 0) shift = largest_of<T>(states, lane, [&](int64_t k) { return before[k]; });
    offset += double(shift);
    for (int64_t k = threadIdx.x; k < states; k += blockDim.x) {
      const T here = emission[t * l.pitch + k];
      if (t == 0) {
        now[k] = k < 2 ? here : NONE<T>;
        continue;
      }
      const T skipped = at(before, k - 2, states) + l.skip(sample, k, states);
      now[k] = log_of_sum<T>(before[k], at(before, k - 1, states), skipped) - shift + here;
    }
    __syncthreads();
  }
  if (threadIdx.x > 0) return;
  double path = states == 1 ? 0 : -double(Elementary<double>::INFINITE);
  if (steps > 0) {
    const T* const last = alpha + (steps - 1) * l.pitch;
    path = offset + double(log_of_sum<T>(last[states - 1], at(last, states - 2, states), NONE<T>));
  }
  l.path[sample] = path;
  loss[sample] = path == -Elementary<double>::INFINITE && l.s.zero_infinity ? T(0) : T(0 - path);
}

/// beta: the logarithm of the sum over all ways from a state to the end, what comes after it alone.
template <class T>
__device__ void walk_backwards(const Lattice<T>& l, int64_t sample, RowLane lane) {
  const int64_t states = l.states(sample), steps = l.s.input_lengths[sample], row0 = sample * l.s.time;
  for (int64_t t = steps - 1; t >= 0; --t) {
    T* const now = l.beta + (row0 + t) * l.pitch;
    const T *const after = now + l.pitch, *const emission = l.emission + (row0 + t + 1) * l.pitch;
    const auto ahead = [&](int64_t k) { return k < states ? after[k] + emission[k] : NONE<T>; };
    const bool last = t == steps - 1;
    T shift = 0;
    if (!last) shift = largest_of<T>(states, lane, ahead);
    for (int64_t k = threadIdx.x; k < states; k += blockDim.x) {
      if (last)
        now[k] = k >= states - 2 ? T(0) : NONE<T>;
      else
        now[k] = log_of_sum<T>(ahead(k), ahead(k + 1), ahead(k + 2) + l.skip(sample, k + 2, states)) - shift;
    }
    __syncthreads();
  }
}

/// A block has a sample, and one direction.
template <class T>
__global__ void walk(Lattice<T> l, T* losses) {
  const int64_t sample = blockIdx.x;
  const RowLane lane{int(threadIdx.x) % ROW_LANES, 0xffffu << (threadIdx.x & 16)};
  if (!l.valid[sample]) {
    if (threadIdx.x == 0 && blockIdx.y == 0) losses[sample] = T(NAN);
    return;
  }
  blockIdx.y == 0 ? walk_forwards(l, sample, lane, losses) : walk_backwards(l, sample, lane);
}

/// dx of a step from the states' shares of all paths. A lane has every sixteenth class, and takes the shares of its
/// own classes in the order of states.
template <class T>
struct Gradient {
  Lattice<T> l;
  T* dx;
  __device__ void operator()(int64_t r, RowLane lane) const {
    const int64_t sample = split(r, l.s.time).rest, t = split(r, l.s.time).at, classes = l.s.classes;
    T* const to = dx + r * classes;
    const bool valid = l.valid[sample], lost = valid && l.path[sample] == -Elementary<double>::INFINITE;
    const bool used = valid && t < l.s.input_lengths[sample];
    if (!used || lost) {
      const T value = !valid || (used && !l.s.zero_infinity) ? T(NAN) : T(0);
      return each_of_row(classes, lane, [&](int64_t c) { to[c] = value; });
    }
    const int64_t states = l.states(sample);
    const T *const row = l.x + r * classes, *const alpha = l.alpha + r * l.pitch, *const beta = l.beta + r * l.pitch;
    const auto both = [&](int64_t k) { return alpha[k] + beta[k]; };
    const T most = largest_of<T>(states, lane, both);
    const T total = sum_row<T>(states, lane, [&](int64_t k, T& sum) { sum = sum + exp(both(k) - most); });
    const T shift = l.largest[r], scale = T(1) / l.sum[r], part = T(1) / total;
    each_of_row(classes, lane, [&](int64_t c) { to[c] = exp(row[c] - shift) * scale; });
    for (int64_t k = 0; k < states; ++k) {
      const int64_t c = l.label(sample, k);
      if (c % ROW_LANES == lane.lane) to[c] = to[c] - exp(both(k) - most) * part;
    }
  }
};

}  // namespace ctc_loss_op
using namespace ctc_loss_op;

template <class T>
void ctc_loss(const CtcLoss& s, const T* x, T* losses, T* dx, Stream stream) {
  if (s.batch == 0) return;
  const int64_t rows = s.batch * s.time, pitch = 2 * s.labels + 1;
  const Scratch<T> emission(rows * pitch, stream), alpha(rows * pitch, stream), beta(dx ? rows * pitch : 0, stream);
  const Scratch<T> largest(rows, stream), sum(rows, stream);
  const Scratch<double> path(s.batch, stream);
  const Scratch<int32_t> valid(s.batch, stream);
  const Lattice<T> l{s,          x,           pitch,       emission.data(), alpha.data(), beta.data(), largest.data(),
                     sum.data(), path.data(), valid.data()};
  each(s.batch, stream, Validate<T>{l});
  each_row(rows, stream, Emissions<T>{l});
  const unsigned threads = unsigned(min_of(BLOCK, round_up(pitch, 32)));
  launch(walk<T>, dim3(unsigned(s.batch), dx ? 2 : 1), threads, 0, stream, l, losses);
  if (dx) each_row(rows, stream, Gradient<T>{l, dx});
}

template void ctc_loss(const CtcLoss&, const float*, float*, float*, Stream);
template void ctc_loss(const CtcLoss&, const double*, double*, double*, Stream);

}  // namespace lamina::cuda
