#include "ops/attention.h"

#include <nanobind/stl/tuple.h>

#include <tuple>

#include "bind/cuda/bind.h"

namespace lamina::bind::attention_op {

template <class T, class M>
static AttentionMask<M> mask_of(const OptionalIn& a, const Attention<T>& s) {
  if (!a) return {};
  if (a->ndim() != 4) throw nb::value_error("attention: a mask has 4 dimensions");
  const int64_t n[4] = {int64_t(a->shape(0)), int64_t(a->shape(1)), int64_t(a->shape(2)), int64_t(a->shape(3))};
  const int64_t most[3] = {s.batch, s.heads, s.queries};
  for (int i = 0; i < 3; ++i)
    if (n[i] != most[i] && n[i] != 1) throw nb::value_error("attention: a mask's shape does not fit");
  if (n[3] != s.keys) throw nb::value_error("attention: a mask has another number of keys");
  const M* const values = in<M>(*a, size_t(n[0] * n[1] * n[2] * n[3]));
  const auto step = [&](int axis, int64_t size) { return n[axis] == 1 ? int64_t(0) : size; };
  return {values, step(0, n[1] * n[2] * n[3]), step(1, n[2] * n[3]), step(2, n[3])};
}

/// causal, scale, dropped, seed, stream: what is no array.
using Settings = std::tuple<bool, double, int, uint64_t, uint64_t>;

template <class T>
static Attention<T> attention_of(const In& q, const In& k, const In& v, const OptionalIn& lengths,
                                 const OptionalIn& added, const OptionalIn& seen, const Settings& settings) {
  const auto size = [](const In& a, int axis) { return size_of(a, axis, "attention"); };
  Attention<T> s{};
  s.batch = size(q, 0), s.queries = size(q, 1), s.heads = size(q, 2), s.size = size(q, 3);
  s.keys = size(k, 1), s.key_heads = size(k, 2), s.value_size = size(v, 3);
  if (s.key_heads < 1 || s.heads < 1 || s.heads % s.key_heads != 0 || s.size < 1 || s.value_size < 1)
    throw nb::value_error("attention: heads do not fit");
  const int64_t all_keys = s.batch * s.keys * s.key_heads;
  s.q = in<T>(q, size_t(s.batch * s.queries * s.heads * s.size));
  s.k = in<T>(k, size_t(all_keys * s.size));
  s.v = in<T>(v, size_t(all_keys * s.value_size));
  s.lengths = in<int64_t>(lengths, size_t(s.batch));
  s.added = mask_of<T, T>(added, s);
  s.seen = mask_of<T, uint8_t>(seen, s);
  std::tie(s.causal, s.scale, s.dropped, s.seed, s.stream) = settings;
  if (s.dropped < 0 || s.dropped > 65536) throw nb::value_error("attention: dropped must be from 0 to 65536");
  return s;
}

static void forward(const In& q, const In& k, const In& v, const OptionalIn& lengths, const OptionalIn& added,
                    const OptionalIn& seen, const Out& y, const OptionalOut& lse, const Settings& settings,
                    uintptr_t stream) {
  launch_any(q, [&]<class T>(T) {
    const auto s = attention_of<T>(q, k, v, lengths, added, seen, settings);
    const size_t rows = size_t(s.batch * s.queries * s.heads), outputs = rows * size_t(s.value_size);
    if constexpr (sizeof(T) == 2)
      cuda::attention_forward_16(s, out<T>(y, outputs), out<float>(lse, rows), stream_of(stream));
    else
      cuda::attention_forward(s, out<T>(y, outputs), out<T>(lse, rows), stream_of(stream));
  });
}

static void backward(const In& q, const In& k, const In& v, const OptionalIn& lengths, const OptionalIn& added,
                     const OptionalIn& seen, const In& y, const In& lse, const In& dy, const Out& dq, const Out& dk,
                     const Out& dv, const Settings& settings, uintptr_t stream) {
  launch_any(q, [&]<class T>(T) {
    const auto s = attention_of<T>(q, k, v, lengths, added, seen, settings);
    const size_t rows = size_t(s.batch * s.queries * s.heads), outputs = rows * size_t(s.value_size);
    const T *const of_y = in<T>(y, outputs), *const of_dy = in<T>(dy, outputs);
    T *const of_q = out<T>(dq, q.size()), *const of_k = out<T>(dk, k.size()), *const of_v = out<T>(dv, v.size());
    if constexpr (sizeof(T) == 2)
      cuda::attention_backward_16(s, of_y, in<float>(lse, rows), of_dy, of_q, of_k, of_v, stream_of(stream));
    else
      cuda::attention_backward(s, of_y, in<T>(lse, rows), of_dy, of_q, of_k, of_v, stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  takes_sixteen_bits({"attention_forward", "attention_backward"}, {"lse"});
  m.def("attention_forward", &forward, array("q"), array("k"), array("v"), array("lengths").none(),
        array("added").none(), array("seen").none(), array("y"), array("lse").none(), nb::arg("settings"),
        nb::arg("stream"));
  m.def("attention_backward", &backward, array("q"), array("k"), array("v"), array("lengths").none(),
        array("added").none(), array("seen").none(), array("y"), array("lse"), array("dy"), array("dq"), array("dk"),
        array("dv"), nb::arg("settings"), nb::arg("stream"));
});

}  // namespace lamina::bind::attention_op
