// Prints a hash of what kernels compute, one line a kernel and dtype: for machines that pytest does not run on. Two
// builds that print the same lines give the same bits. See tools/check_aarch64.sh.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "cpu/runtime/isa.h"
#include "ops/activation_function.h"
#include "ops/attention.h"
#include "ops/conv2d.h"
#include "ops/conv2d_pool.h"
#include "ops/ctc_loss.h"
#include "ops/elementary.h"
#include "ops/embedding.h"
#include "ops/gemm.h"
#include "ops/recurrent.h"
#include "ops/softmax.h"
#include "ops/transcendental.h"

namespace {

using namespace lamina;

/// The same numbers everywhere: integers, scaled by a power of two.
template <class T>
std::vector<T> numbers(int64_t count, uint64_t seed) {
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    value = T(int64_t(seed >> 41) - (1 << 22)) / T(1 << 21);
  }
  return values;
}

template <class T>
void print(const std::string& what, const std::vector<T>& values) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
  for (size_t i = 0; i < values.size() * sizeof(T); ++i) hash = (hash ^ bytes[i]) * 1099511628211u;
  std::printf("%-32s %s %016llx\n", what.c_str(), sizeof(T) == 4 ? "float32" : "float64",
              static_cast<unsigned long long>(hash));
}

template <class Target, class T>
void products() {
  constexpr int64_t m = 37, n = 83, k = 1100;
  const auto a = numbers<T>(m * k, 1), b = numbers<T>(k * n, 2), bias = numbers<T>(n, 3);
  std::vector<T> c(m * n);
  for (Activation activation : {Activation::linear, Activation::relu, Activation::tanh}) {
    gemm<Target>(Gemm<T>{m, n, k, a.data(), k, false, b.data(), n, false, c.data(), n, bias.data(), activation});
    print("gemm, activation " + std::to_string(int(activation)), c);
  }
  gemm<Target>(Gemm<T>{m, n, k, a.data(), m, true, b.data(), k, true, c.data(), n});
  print("gemm, both transposed", c);
}

template <class Target, class T>
void attentions() {
  constexpr int64_t batch = 2, queries = 37, keys = 1100, heads = 4, key_heads = 2, size = 20, value_size = 12;
  constexpr int64_t rows = batch * queries * heads, all_keys = batch * keys * key_heads;
  const auto q = numbers<T>(rows * size, 1), k = numbers<T>(all_keys * size, 2),
             v = numbers<T>(all_keys * value_size, 3);
  const auto dy = numbers<T>(rows * value_size, 4), added = numbers<T>(queries * keys, 5);
  const std::vector<int64_t> lengths{keys, 700};
  Attention<T> s{batch,     queries,  keys,           heads,
                 key_heads, size,     value_size,     q.data(),
                 k.data(),  v.data(), lengths.data(), {added.data(), 0, 0, keys},
                 {},        false,    0.25,           6554,
                 7,         9};
  std::vector<T> y(rows * value_size), lse(rows), dq(q.size()), dk(k.size()), dv(v.size());
  for (bool causal : {false, true}) {
    s.causal = causal;
    attention_forward<Target>(s, y.data(), lse.data());
    attention_backward<Target>(s, y.data(), lse.data(), dy.data(), dq.data(), dk.data(), dv.data());
    for (const auto* values : {&y, &lse, &dq, &dk, &dv}) print(causal ? "attention, causal" : "attention", *values);
  }
}

template <class Target, class T>
void convolutions() {
  const auto run = [](const std::string& name, const Conv2D& s, ConvolutionMode mode) {
    const int64_t x_size = s.batch * s.h.input * s.w.input * s.channels;
    const int64_t w_size = s.h.kernel * s.w.kernel * s.channels / s.groups * s.filters;
    const int64_t y_size = s.batch * s.h.output() * s.w.output() * s.filters;
    const auto x = numbers<T>(x_size, 4), w = numbers<T>(w_size, 5), dy = numbers<T>(y_size, 6);
    std::vector<T> y(static_cast<size_t>(y_size)), dx(static_cast<size_t>(x_size)), dw(static_cast<size_t>(w_size));
    const T* const none = nullptr;
    conv2d_forward<Target>(s, mode, x.data(), w.data(), none, Activation::relu, y.data());
    conv2d_backward_input<Target>(s, mode, dy.data(), w.data(), none, Activation::linear, dx.data());
    conv2d_backward_kernel<Target>(s, mode, x.data(), dy.data(), dw.data());
    print(name + ", forward", y);
    print(name + ", dx", dx);
    print(name + ", dw", dw);
  };
  const Axis same{13, 3, 1, 1, 1, 1}, narrow{3, 3, 1, 1, 1, 1}, strided{14, 3, 2, 1, 0, 1}, wide{17, 5, 1, 2, 4, 4};
  run("F(4x4)", {2, 33, 40, same, same}, ConvolutionMode::fast);
  run("F(2x2)", {2, 33, 40, same, same}, ConvolutionMode::accurate);
  run("direct", {2, 33, 40, same, same}, ConvolutionMode::direct);
  run("two rows a tile", {2, 17, 19, same, narrow}, ConvolutionMode::direct);
  run("strided", {2, 17, 19, strided, strided}, ConvolutionMode::fast);
  run("dilated, grouped", {2, 12, 18, wide, wide, 3}, ConvolutionMode::fast);
  run("depthwise", {2, 21, 21, strided, wide, 21}, ConvolutionMode::fast);
  const Conv2D pooled{3, 3, 21, strided, same};  // windows of 2 x 2: 3 x 6 of them an image
  const auto x = numbers<T>(3 * 14 * 13 * 3, 8), y = numbers<T>(3 * 3 * 6 * 21, 9), dy = numbers<T>(3 * 3 * 6 * 21, 10);
  std::vector<uint8_t> offsets(y.size());
  for (size_t i = 0; i < offsets.size(); ++i) offsets[i] = uint8_t(i * 7 % 11 % 4);
  std::vector<T> dw(3 * 3 * 3 * 21), db(21);
  conv2d_pool_backward_kernel<Target>(pooled, x.data(), y.data(), dy.data(), offsets.data(), Activation::relu,
                                      dw.data(), db.data());
  print("pooled, dw", dw);
  print("pooled, db", db);
}

template <class Target, class T>
void functions() {
  constexpr int64_t n = 10007;
  const auto x = numbers<T>(n, 7);
  std::vector<T> positive(x), y(n);
  for (T& value : positive) value = value < 0 ? -value : value;
  elementary_forward<Target>(ElementaryFunction::exp, n, x.data(), y.data());
  print("exp", y);
  elementary_forward<Target>(ElementaryFunction::log, n, positive.data(), y.data());
  print("log", y);
  elementary_forward<Target>(ElementaryFunction::erf, n, x.data(), y.data());
  print("erf", y);
  elementary_forward<Target>(ElementaryFunction::sigmoid, n, x.data(), y.data());
  print("sigmoid", y);
  elementary_forward<Target>(ElementaryFunction::tanh, n, x.data(), y.data());
  print("tanh", y);
  for (int f = 0; f < ACTIVATION_FUNCTIONS; ++f) {
    activation_function_forward<Target>(ActivationFunction(f), n, x.data(), y.data(), {T(0.5), T(2), T(0.25)});
    print("activation " + std::to_string(f), y);
    activation_function_backward<Target>(ActivationFunction(f), n, x.data(), positive.data(), y.data(),
                                         {T(0.5), T(2), T(0.25)});
    print("activation " + std::to_string(f) + ", dx", y);
  }
  std::vector<T> small(x), large(positive);
  for (T& value : small) value *= T(0.45);
  for (T& value : large) value += 1;
  for (int f = 0; f <= int(TranscendentalFunction::log10); ++f) {
    const bool above = f >= int(TranscendentalFunction::arccosh) && f != int(TranscendentalFunction::arctanh);
    transcendental_forward<Target>(TranscendentalFunction(f), n, above ? large.data() : small.data(), y.data());
    print("transcendental " + std::to_string(f), y);
  }
  const Broadcast same("power", 1, &n, 1, &n);
  transcendental_pair<Target>(TranscendentalPair::power, same, positive.data(), x.data(), y.data());
  print("power", y);
  softmax_forward<Target>(Softmax::plain, 7, n / 7, 1, x.data(), y.data());
  print("softmax", y);
}

template <class Target, class T>
void labels_and_rows() {
  constexpr int64_t batch = 3, time = 40, classes = 19, labels = 7;
  const auto x = numbers<T>(batch * time * classes, 11);
  std::vector<int64_t> targets, target_lengths{7, 3, 0}, input_lengths{40, 31, 5};
  for (int64_t i = 0; i < batch * labels; ++i) targets.push_back(1 + i * 5 % (classes - 1));
  std::vector<T> losses(batch), dx(x.size());
  ctc_loss<Target>(
      {batch, time, classes, labels, 0, false, targets.data(), target_lengths.data(), input_lengths.data()}, x.data(),
      losses.data(), dx.data());
  print("ctc_loss", losses);
  print("ctc_loss, dx", dx);

  constexpr int64_t positions = 60, width = 38;
  std::vector<int64_t> order, first{0, 1, 50, 60};
  for (int64_t i = 0; i < positions; ++i) order.push_back(i * 7 % positions);
  std::vector<T> sums(3 * width);
  embedding_backward<Target>({3, first.data(), order.data(), nullptr, positions}, width, x.data(), sums.data());
  print("embedding_backward", sums);
}

template <class Target, class T>
void sequences() {
  constexpr int64_t steps = 5, count = 7, inputs = 9, n = 37, slots = steps * count;
  const RecurrentRows rows{steps, count, slots, 0, 1, steps, 0, 1, steps};
  for (RecurrentKind kind :
       {RecurrentKind::simple, RecurrentKind::gru, RecurrentKind::gru_reset_before, RecurrentKind::lstm}) {
    const int64_t columns = gates_of(kind) * n;
    const auto x = numbers<T>(slots * inputs, 8), w = numbers<T>(inputs * columns, 9), b = numbers<T>(columns, 10);
    auto u = numbers<T>(n * columns, 11);
    for (T& value : u) value /= 8;
    const auto state = numbers<T>(count * n, 12), dy = numbers<T>(slots * n, 13);
    const auto vector = [](int64_t size) { return std::vector<T>(static_cast<size_t>(size)); };
    auto gates = vector(slots * kept_of(kind) * n), c = vector(slots * n), h = c, y = c;
    auto last = vector(count * n), last_c = last, dh = last, dx = vector(slots * inputs);
    auto dw = vector(inputs * columns), du = vector(n * columns), db = vector(columns);
    const T* const none = nullptr;
    const bool cells = kind == RecurrentKind::lstm;
    const Recurrent<T> s{kind,
                         Activation::tanh,
                         rows,
                         inputs,
                         n,
                         x.data(),
                         w.data(),
                         u.data(),
                         b.data(),
                         none,
                         state.data(),
                         cells ? state.data() : none,
                         none,
                         gates.data(),
                         c.data(),
                         h.data()};
    const RecurrentOutputs<T> to{y.data(), last.data(), cells ? last_c.data() : nullptr};
    recurrent_forward<Target>(1, &s, &to);
    const RecurrentGradients<T> d{dy.data(), none,      none,    dx.data(), dw.data(),
                                  du.data(), db.data(), nullptr, dh.data(), nullptr};
    recurrent_backward<Target>(1, &s, &d);
    const std::string name = "recurrent " + std::to_string(int(kind));
    print(name + ", y", y);
    print(name + ", dx", dx);
    print(name + ", dw", dw);
    print(name + ", du", du);
    print(name + ", db", db);
    print(name + ", dh", dh);
  }
}

template <class Target, class T>
void all() {
  sequences<Target, T>();
  products<Target, T>();
  attentions<Target, T>();
  convolutions<Target, T>();
  functions<Target, T>();
  labels_and_rows<Target, T>();
}

}  // namespace

int main() {
  dispatch<float>([](auto target) { all<decltype(target), float>(); });
  dispatch<double>([](auto target) { all<decltype(target), double>(); });
}
