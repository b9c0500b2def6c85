#include "ops/ctc_loss.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/row.h"
#include "support/ctc_loss.h"

namespace lamina {
using namespace LAMINA_ISA;

namespace LAMINA_ISA {

constexpr int64_t BORDER = 2;  // values of "no path" before the states and behind them

template <class T>
INLINE T exp_sum(int64_t n, const T* x, T largest) {
  const V<T> most = set(largest);
  return sum_row<T>(n,
                    [&](int64_t i, auto mask, V<T>& sum) INLINE_LAMBDA { sum = sum + exp(load(x + i, mask) - most); });
}

/// The buffers of one sample: a row of `pitch` values for each step, its states from BORDER on.
template <class T>
struct Lattice {
  int64_t steps, states, pitch;
  T *emission, *alpha, *beta, *skip, *share;  // share: of the states at one step; beta has two rows
  T *largest, *sum;                           // of each step's logits: max x, sum e^(x - max)
  int64_t* label;

  static int64_t pitch_of(int64_t labels) { return round_up(2 * labels + 1 + 2 * BORDER, 16); }
  static int64_t size_of(int64_t steps, int64_t labels) {
    return (2 * steps + 4) * pitch_of(labels) + 2 * round_up(steps, 16);
  }
  Lattice(T* memory, int64_t* labels_memory, int64_t all_steps, int64_t labels) : pitch(pitch_of(labels)) {
    const auto take = [&](int64_t count) {
      T* const from = memory;
      memory += count;
      return from;
    };
    emission = take(all_steps * pitch);
    alpha = take(all_steps * pitch);
    beta = take(2 * pitch);
    skip = take(pitch);
    share = take(pitch);
    largest = take(round_up(all_steps, 16));
    sum = take(round_up(all_steps, 16));
    label = labels_memory;
  }
};

template <class T>
void fill_none(T* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = NONE<T>;
}

/// The states' labels, from where one may be skipped to, and log p of each at each step.
template <class T>
void prepare(const CtcLoss& s, int64_t sample, const T* x, Lattice<T>& l) {
  const int64_t* const targets = s.targets + sample * s.labels;
  l.steps = s.input_lengths[sample];
  l.states = 2 * s.target_lengths[sample] + 1;
  fill_none(l.skip, l.pitch);
  for (int64_t k = 0; k < l.states; ++k) {
    l.label[k] = k % 2 ? targets[k / 2] : s.blank;
    if (k % 2 && k > 1 && targets[k / 2] != targets[k / 2 - 1]) l.skip[BORDER + k] = 0;
  }
  for (int64_t t = 0; t < l.steps; ++t) {
    const T* const row = x + t * s.classes;
    l.largest[t] = finite_or_zero(largest(s.classes, row));
    l.sum[t] = exp_sum(s.classes, row, l.largest[t]);
    T* const to = l.emission + t * l.pitch;
    const T shift = T(log(set(l.sum[t]))[0]);
    fill_none(to, l.pitch);
    for (int64_t k = 0; k < l.states; ++k) to[BORDER + k] = row[l.label[k]] - l.largest[t] - shift;
  }
}

/// alpha: for each step and state the logarithm of the sum over all ways there, but for a number of the step's; returns
/// the logarithm of the sum over all paths.
template <class T>
double forward(Lattice<T>& l) {
  if (l.steps == 0) return l.states == 1 ? 0 : -__builtin_inf();
  double offset = 0;
  fill_none(l.alpha, l.pitch);
  for (int64_t k = 0; k < min_of(2, l.states); ++k) l.alpha[BORDER + k] = l.emission[BORDER + k];
  for (int64_t t = 1; t < l.steps; ++t) {
    const T *const before = l.alpha + (t - 1) * l.pitch + BORDER, *const emission = l.emission + t * l.pitch + BORDER;
    T* const now = l.alpha + t * l.pitch + BORDER;
    const T most = finite_or_zero(largest(l.states, before));
    const V<T> shift = set(most);
    offset += double(most);
    fill_none(now - BORDER, BORDER);
    fill_none(now + l.states, BORDER);
    each_vector<T>(l.states, [&](int64_t k, auto mask) INLINE_LAMBDA {
      const V<T> stay = load(before + k, mask), next = load(before + k - 1, mask);
      const V<T> skipped = load(before + k - 2, mask) + load(l.skip + BORDER + k, mask);
      store(now + k, log_of_sum<T>(stay, next, skipped) - shift + load(emission + k, mask), mask);
    });
  }
  const T* const last = l.alpha + (l.steps - 1) * l.pitch + BORDER + l.states;
  return offset + double(T(log_of_sum<T>(set(last[-1]), set(last[-2]), set(NONE<T>))[0]));
}

/// One step back of beta: the logarithm of the sum over all ways from a state to the end, what comes after it alone.
template <class T>
INLINE void backward(const Lattice<T>& l, int64_t t, const T* after, T* now) {
  T* const ahead = l.share;  // beta and emission of step t + 1
  const T* const emission = l.emission + (t + 1) * l.pitch;
  each_vector<T>(l.states + 2 * BORDER, [&](int64_t k, auto mask) INLINE_LAMBDA {
    store(ahead + k, load(after + k, mask) + load(emission + k, mask), mask);
  });
  fill_none(now, BORDER);
  fill_none(now + BORDER + l.states, BORDER);
  const T most = finite_or_zero(largest(l.states, ahead + BORDER));
  const V<T> shift = set(most);
  each_vector<T>(l.states, [&](int64_t k, auto mask) INLINE_LAMBDA {
    const T *const from = ahead + BORDER + k, *const skip = l.skip + BORDER + k;
    const V<T> skipped = load(from + 2, mask) + load(skip + 2, mask);
    store(now + BORDER + k, log_of_sum<T>(load(from, mask), load(from + 1, mask), skipped) - shift, mask);
  });
}

/// dx of step t from the states' shares of all paths.
template <class T>
INLINE void gradient(const CtcLoss& s, const Lattice<T>& l, int64_t t, const T* beta, const T* x, T* dx) {
  const T* const alpha = l.alpha + t * l.pitch;
  each_vector<T>(l.states, [&](int64_t k, auto mask) INLINE_LAMBDA {
    store(l.share + k, load(alpha + BORDER + k, mask) + load(beta + BORDER + k, mask), mask);
  });
  const V<T> most = set(finite_or_zero(largest(l.states, l.share)));
  const T total = sum_row<T>(l.states, [&](int64_t k, auto mask, V<T>& sum) INLINE_LAMBDA {
    const V<T> share = exp(load(l.share + k, mask) - most);
    store(l.share + k, share, mask);
    sum = sum + share;
  });
  const V<T> shift = set(l.largest[t]), scale = set(T(1) / l.sum[t]);
  each_vector<T>(s.classes, [&](int64_t c, auto mask)
                                INLINE_LAMBDA { store(dx + c, exp(load(x + c, mask) - shift) * scale, mask); });
  const T part = T(1) / total;
  for (int64_t k = 0; k < l.states; ++k) dx[l.label[k]] -= l.share[k] * part;
}

template <class T>
void one_sample(const CtcLoss& s, int64_t sample, Lattice<T>& l, const T* x, T* loss, T* dx) {
  const int64_t size = s.time * s.classes, used = s.input_lengths[sample] * s.classes;
  prepare(s, sample, x, l);
  const double path = forward(l);
  const bool lost = path == -__builtin_inf();
  *loss = lost && s.zero_infinity ? T(0) : T(0 - path);
  if (!dx) return;
  std::memset(dx + used, 0, size_t(size - used) * sizeof(T));
  if (lost) {
    const V<T> value = set(s.zero_infinity ? T(0) : T(__builtin_nan("")));
    each_vector<T>(used, [&](int64_t i, auto mask) INLINE_LAMBDA { store(dx + i, value, mask); });
    return;
  }
  T *after = l.beta, *now = l.beta + l.pitch;
  fill_none(now, l.pitch);
  for (int64_t k = max_of(0, l.states - 2); k < l.states && used; ++k) now[BORDER + k] = 0;
  for (int64_t t = l.steps - 1; t >= 0 && used; --t) {
    if (t < l.steps - 1) backward(l, t, after, now);
    gradient(s, l, t, now, x + t * s.classes, dx + t * s.classes);
    T* const swapped = after;
    after = now;
    now = swapped;
  }
}

}  // namespace LAMINA_ISA

template <class Target, class T>
void ctc_loss(const CtcLoss& s, const T* x, T* losses, T* dx) {
  const double work = double(s.time) * (double(s.classes) + double(2 * s.labels + 1) * (dx ? 4 : 2)) * 2;
  parallel_for(s.batch, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    Lattice<T> l(scratch_for<T>(Slot::worker, Lattice<T>::size_of(s.time, s.labels)),
                 scratch_for<int64_t>(Slot::worker2, 2 * s.labels + 1), s.time, s.labels);
    const int64_t size = s.time * s.classes;
    for (int64_t i = begin; i < end; ++i) one_sample(s, i, l, x + i * size, losses + i, dx ? dx + i * size : nullptr);
  });
}

template void ctc_loss<Target>(const CtcLoss&, const float*, float*, float*);
DOUBLE template void ctc_loss<Target>(const CtcLoss&, const double*, double*, double*);

}  // namespace lamina
