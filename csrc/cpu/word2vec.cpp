#include "ops/word2vec.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/fold.h"
#include "cpu/support/parallel.h"
#include "cpu/support/row_ahead.h"
#include "support/math.h"
#include "support/philox.h"

namespace lamina {
using namespace LAMINA_ISA;

namespace LAMINA_ISA {
namespace {

constexpr int OUTPUTS = 6;  // of a tile; two inputs: twelve sums fit AVX2's registers
constexpr int64_t UNIT = Word2Vec::UNIT, BLOCK = Word2Vec::BLOCK;
constexpr uint8_t NOTHING = 2;  // the label of an output that does not count

/// A centre's rows, as numbers; as many outputs as the tiles have places.
struct Window {
  int64_t inputs, outputs;
  int32_t* input;
  int32_t* output;
  uint8_t* label;
};

/// What the threads share, and where it lies.
struct Plan {
  const Word2Vec& s;
  int64_t slices, units;              // of columns
  int64_t most_inputs, most_outputs;  // of a window; even, and a multiple of OUTPUTS
  int64_t rows, scores;               // of a window: rows that outputs are multiplied with, and products in all
  Window* windows[3];                 // of a block each
  float* products[2];                 // [slice][window][scores]
  float* errors;                      // [thread][scores]
  float* hidden;                      // [window][width], CBOW
  float* lanes;                       // [thread][scores][16]

  explicit Plan(const Word2Vec& word2vec) : s(word2vec) {
    units = s.width / UNIT;
    slices = max_of(int64_t(1), min_of(int64_t(8), units / 3));
    most_inputs = 2 * s.window;
    most_outputs = round_up(s.negative ? 1 + s.negative : s.longest, OUTPUTS);
    rows = s.skip_gram ? most_inputs : 2;
    scores = round_up(rows * most_outputs, 16);
  }
  int64_t column(int64_t slice) const { return (slice * units + slices - 1) / slices * UNIT; }
};

/// Memory one after the other out of one piece.
struct Piece {
  char* at;
  template <class T>
  T* take(int64_t count) {
    T* const p = reinterpret_cast<T*>(at);
    at += round_up(count * int64_t(sizeof(T)), 64);
    return p;
  }
};

void lay_out(Plan& p, int threads) {
  const int64_t window =
      round_up(p.most_inputs * 4, 64) + round_up(p.most_outputs * 4, 64) + round_up(p.most_outputs, 64);
  const int64_t bytes = 3 * (round_up(BLOCK * int64_t(sizeof(Window)), 64) + BLOCK * window) +
                        (2 * p.slices * BLOCK * p.scores + threads * p.scores * 17) * 4 + BLOCK * p.s.width * 4;
  Piece piece{static_cast<char*>(scratch(Slot::caller, size_t(bytes)))};
  for (Window*& windows : p.windows) {
    windows = piece.take<Window>(BLOCK);
    for (int64_t i = 0; i < BLOCK; ++i)
      windows[i] = {0, 0, piece.take<int32_t>(p.most_inputs), piece.take<int32_t>(p.most_outputs),
                    piece.take<uint8_t>(p.most_outputs)};
  }
  for (float*& products : p.products) products = piece.take<float>(p.slices * BLOCK * p.scores);
  p.errors = piece.take<float>(threads * p.scores);
  p.lanes = piece.take<float>(threads * p.scores * 16);
  p.hidden = piece.take<float>(BLOCK * p.s.width);
}

/// The rows of the window around a place.
void gather(const Plan& p, int64_t place, Window& w) {
  const Word2Vec& s = p.s;
  w.inputs = w.outputs = 0;
  const int32_t centre = s.tokens[place];
  if (centre < 0) return;
  Philox<uint64_t> random = philox<uint64_t>(uint64_t(place) << 8, uint64_t(place) >> 24, s.stream, s.seed);
  const int64_t reach = 1 + int64_t((random.word[0] & 0xffffffffu) * uint64_t(s.window) >> 32);
  int64_t left = place, right = place;
  while (left > 0 && place - left < reach && s.tokens[left - 1] >= 0) --left;
  while (right + 1 < s.count && right - place < reach && s.tokens[right + 1] >= 0) ++right;
  for (int64_t i = left; i <= right; ++i)
    if (i != place) w.input[w.inputs++] = s.tokens[i];
  if (w.inputs == 0) return;
  if (s.negative) {
    w.output[0] = centre;
    w.label[0] = 1;
    for (int64_t k = 1; k <= s.negative; ++k) {
      if (k % 4 == 0) {
        const uint64_t number = (uint64_t(place) << 8) + uint64_t(k / 4);
        random = philox<uint64_t>(number, uint64_t(place) >> 24, s.stream, s.seed);
      }
      const uint64_t draw = (random.word[k % 4] & 0xffffffffu) * uint64_t(s.words);
      const int64_t word = int64_t(draw >> 32);
      w.output[k] = uint32_t(draw) < s.share[word] ? int32_t(word) : s.other[word];
      w.label[k] = w.output[k] == centre ? NOTHING : 0;
    }
    w.outputs = 1 + s.negative;
  } else {
    for (int64_t i = s.first[centre]; i < s.first[centre + 1]; ++i, ++w.outputs) {
      w.output[w.outputs] = s.path[i];
      w.label[w.outputs] = s.label[i];
    }
  }
  for (int64_t i = w.outputs; i < round_up(w.outputs, OUTPUTS); ++i) {  // the tile's empty places
    w.output[i] = w.output[0];
    w.label[i] = NOTHING;
  }
}

/// The products of a window's rows over columns [begin, end): those of a tile of outputs and one row lie together.
void multiply(const Plan& p, const Window& w, const float* hidden, int64_t begin, int64_t end, float* lanes_,
              float* products) {
  const Word2Vec& s = p.s;
  const int64_t rows = s.skip_gram ? w.inputs : 1;
  const auto row = [&](int64_t i) INLINE_LAMBDA { return hidden ? hidden : s.input + w.input[i] * s.width; };
  float* to = lanes_;
  for (int64_t j = 0; j < w.outputs; j += OUTPUTS) {
    const float* y[OUTPUTS];
    for (int k = 0; k < OUTPUTS; ++k) y[k] = s.output + w.output[j + k] * s.width;
    for (int64_t i = 0; i < rows; i += 2, to += 2 * OUTPUTS * 16) {
      const float *const a = row(i), *const b = row(min_of(i + 1, rows - 1));
      for (int part = 0; part < 16; part += lanes<float>) {
        V<float> sum[2][OUTPUTS];
        unroll<OUTPUTS>([&](auto k) INLINE_LAMBDA { sum[0][k] = sum[1][k] = zero<float>(); });
        for (int64_t c = begin + part; c < end; c += UNIT) {
          const V<float> x = load(a + c), z = load(b + c);
          unroll<OUTPUTS>([&](auto k) INLINE_LAMBDA {
            const V<float> v = load(y[k] + c);
            sum[0][k] = fma(x, v, sum[0][k]);
            sum[1][k] = fma(z, v, sum[1][k]);
          });
        }
        unroll<2 * OUTPUTS>([&](auto k) INLINE_LAMBDA { store(to + 16 * k + part, sum[k / OUTPUTS][k % OUTPUTS]); });
      }
    }
  }
  for (int64_t i = 0; i < (to - lanes_) / 16; i += 8) {
    const Eight sums = fold(lanes_ + 16 * i);
    __builtin_memcpy(products + i, &sums, 32);
  }
}

/// e of a window, from the slices' products: 0 where an output does not count.
void find_errors(const Plan& p, const Window& w, const float* products, float rate, float* errors) {
  const int64_t rows = round_up(p.s.skip_gram ? w.inputs : 1, 2), slice = BLOCK * p.scores;
  for (int64_t i = 0; i < rows * round_up(w.outputs, OUTPUTS); i += lanes<float>) {
    V<float> product = load(products + i);
    for (int64_t k = 1; k < p.slices; ++k) product = product + load(products + k * slice + i);
    store(errors + i, set(-rate) * sigmoid(product));
  }
  for (int64_t j = 0; j < round_up(w.outputs, OUTPUTS); ++j) {
    if (w.label[j] == 0) continue;
    float* const e = errors + j / OUTPUTS * OUTPUTS * rows + j % OUTPUTS;
    for (int64_t i = 0; i < rows; ++i) e[i * OUTPUTS] = w.label[j] == NOTHING ? 0 : e[i * OUTPUTS] + rate;
  }
}

/// Changes a window's rows in columns [begin, end).
void update(const Plan& p, const Window& w, const float* hidden, const float* errors, int64_t begin, int64_t end) {
  const Word2Vec& s = p.s;
  const int64_t rows = s.skip_gram ? w.inputs : 1;
  for (int64_t j = 0; j < w.outputs; j += OUTPUTS, errors += round_up(rows, 2) * OUTPUTS) {
    float* y[OUTPUTS];
    for (int k = 0; k < OUTPUTS; ++k) y[k] = s.output + w.output[j + k] * s.width;
    for (int64_t c = begin; c < end; c += lanes<float>) {
      V<float> out[OUTPUTS], change[OUTPUTS];
      unroll<OUTPUTS>([&](auto k) INLINE_LAMBDA {
        out[k] = load(y[k] + c);
        change[k] = zero<float>();
      });
      for (int64_t i = 0; i < rows; ++i) {
        float* const row = s.input + w.input[i] * s.width + c;
        const V<float> x = load(hidden ? hidden + c : row);
        V<float> sum = hidden ? zero<float>() : x;
        unroll<OUTPUTS>([&](auto k) INLINE_LAMBDA {
          const V<float> e = set(errors[i * OUTPUTS + k]);
          change[k] = fma(e, x, change[k]);
          sum = fma(e, out[k], sum);
        });
        if (!hidden) {
          store(row, sum);
          continue;
        }
        for (int64_t k = 0; k < w.inputs; ++k) {
          float* const input = s.input + w.input[k] * s.width + c;
          store(input, load(input) + sum);
        }
      }
      unroll<OUTPUTS>([&](auto k) INLINE_LAMBDA { store(y[k] + c, load(y[k] + c) + change[k]); });  // rows may repeat
    }
  }
}

/// The mean of a window's inputs over columns [begin, end).
void average(const Word2Vec& s, const Window& w, int64_t begin, int64_t end, float* hidden) {
  const V<float> count = set(float(w.inputs));
  for (int64_t c = begin; c < end; c += lanes<float>) {
    V<float> sum = zero<float>();
    for (int64_t i = 0; i < w.inputs; ++i) sum = sum + load(s.input + w.input[i] * s.width + c);
    store(hidden + c, sum / count);
  }
}

/// What one thread does: its share of the windows, its slices of all.
void run(const Plan& p, int part, int parts, Barrier& barrier) {
  const Word2Vec& s = p.s;
  const int64_t first = p.slices * part / parts, last = p.slices * (part + 1) / parts;
  const int64_t left = p.column(first), right = p.column(last);
  float *const lanes_ = p.lanes + part * p.scores * 16, *const errors = p.errors + part * p.scores;
  const int64_t blocks = ceil_div(s.end - s.begin, BLOCK);
  const auto size = [&](int64_t b) INLINE_LAMBDA { return min_of(BLOCK, s.end - s.begin - b * BLOCK); };
  const auto draw = [&](int64_t b) INLINE_LAMBDA {
    if (b >= blocks) return;
    const int64_t count = size(b);
    for (int64_t i = count * part / parts; i < count * (part + 1) / parts; ++i)
      gather(p, s.begin + b * BLOCK + i, p.windows[b % 3][i]);
  };
  draw(0);
  barrier.wait(parts);
  for (int64_t b = 0; b < blocks; ++b) {
    const Window* const windows = p.windows[b % 3];
    float* const products = p.products[b % 2];
    draw(b + 1);  // into the third place: another thread may still read the one before
    for (int64_t i = 0; i < size(b); ++i) {
      const Window& w = windows[i];
      if (w.inputs == 0) continue;
      if (i + 1 < size(b) && windows[i + 1].inputs) {
        for (int64_t k = 0; k < windows[i + 1].outputs; ++k)
          prefetch_row(s.output + windows[i + 1].output[k] * s.width + left, right - left);
      }
      float* const hidden = s.skip_gram ? nullptr : p.hidden + i * s.width;
      if (hidden) average(s, w, left, right, hidden);
      for (int64_t k = first; k < last; ++k)
        multiply(p, w, hidden, p.column(k), p.column(k + 1), lanes_, products + (k * BLOCK + i) * p.scores);
    }
    barrier.wait(parts);
    const double now = s.rate + s.rate_step * double(s.begin + b * BLOCK);
    const float rate = float(now > s.least_rate ? now : s.least_rate);
    for (int64_t i = 0; i < size(b); ++i) {
      const Window& w = windows[i];
      if (w.inputs == 0) continue;
      find_errors(p, w, products + i * p.scores, rate, errors);
      update(p, w, s.skip_gram ? nullptr : p.hidden + i * s.width, errors, left, right);
    }
  }
}

}  // namespace
}  // namespace LAMINA_ISA

template <class Target>
void word2vec(const Word2Vec& s) {
  if (s.begin >= s.end) return;
  Plan plan(s);
  lay_out(plan, int(plan.slices));
  struct Context {
    Plan* plan;
    Barrier barrier;
  } context{&plan, {}};
  run_together(
      int(plan.slices),
      [](void* p, int part, int parts) {
        auto& c = *static_cast<Context*>(p);
        run(*c.plan, part, parts, c.barrier);
      },
      &context);
}

template void word2vec<Target>(const Word2Vec&);

}  // namespace lamina
