#include "ops/attention.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::attention_op {

template <class T, class M>
static AttentionMask<M> mask_of(const py::object& array, const Attention<T>& s) {
  if (!is_array(array)) return {};
  const auto* a = py::detail::array_proxy(array.ptr());
  if (a->nd != 4) throw py::value_error("attention: a mask has 4 dimensions");
  const int64_t *n = reinterpret_cast<const int64_t*>(a->dimensions), most[3] = {s.batch, s.heads, s.queries};
  for (int i = 0; i < 3; ++i)
    if (n[i] != most[i] && n[i] != 1) throw py::value_error("attention: a mask's shape does not fit");
  if (n[3] != s.keys) throw py::value_error("attention: a mask has another number of keys");
  const M* const values = in<M>(array, product(product(n[0], n[1]), product(n[2], n[3])));
  const auto step = [&](int axis, int64_t size) { return n[axis] == 1 ? int64_t(0) : size; };
  return {values, step(0, n[1] * n[2] * n[3]), step(1, n[2] * n[3]), step(2, n[3])};
}

/// causal, scale, dropped, seed, stream: what is no array.
using Settings = std::tuple<bool, double, int, uint64_t, uint64_t>;

template <class T>
static Attention<T> attention_of(const py::array& q, const py::array& k, const py::array& v, const py::object& lengths,
                                 const py::object& added, const py::object& seen, const Settings& settings) {
  const auto size = [](const py::array& a, int axis) { return size_of(a, axis, "attention"); };
  Attention<T> s{};
  s.batch = size(q, 0), s.queries = size(q, 1), s.heads = size(q, 2), s.size = size(q, 3);
  s.keys = size(k, 1), s.key_heads = size(k, 2), s.value_size = size(v, 3);
  if (s.key_heads < 1 || s.heads < 1 || s.heads % s.key_heads != 0 || s.size < 1 || s.value_size < 1)
    throw py::value_error("attention: heads do not fit");
  const int64_t all_keys = product(product(s.batch, s.keys), s.key_heads);
  s.q = in<T>(q, product(product(s.batch, s.queries), product(s.heads, s.size)));
  s.k = in<T>(k, product(all_keys, s.size));
  s.v = in<T>(v, product(all_keys, s.value_size));
  s.lengths = in<int64_t>(lengths, s.batch);
  s.added = mask_of<T, T>(added, s);
  s.seen = mask_of<T, uint8_t>(seen, s);
  std::tie(s.causal, s.scale, s.dropped, s.seed, s.stream) = settings;
  if (s.dropped < 0 || s.dropped > 65536) throw py::value_error("attention: dropped must be from 0 to 65536");
  return s;
}

static void forward(const py::array& q, const py::array& k, const py::array& v, const py::object& lengths,
                    const py::object& added, const py::object& seen, const py::array& y, const py::object& lse,
                    const Settings& settings) {
  launch(q, [&]<class Target, class T>(Target, T) {
    const auto s = attention_of<T>(q, k, v, lengths, added, seen, settings);
    const int64_t rows = product(product(s.batch, s.queries), s.heads);
    attention_forward<Target>(s, out<T>(y, product(rows, s.value_size)), out<T>(lse, rows));
  });
}

static void backward(const py::array& q, const py::array& k, const py::array& v, const py::object& lengths,
                     const py::object& added, const py::object& seen, const py::array& y, const py::array& lse,
                     const py::array& dy, const py::array& dq, const py::array& dk, const py::array& dv,
                     const Settings& settings) {
  launch(q, [&]<class Target, class T>(Target, T) {
    const auto s = attention_of<T>(q, k, v, lengths, added, seen, settings);
    const int64_t rows = product(product(s.batch, s.queries), s.heads), outputs = product(rows, s.value_size);
    attention_backward<Target>(s, in<T>(y, outputs), in<T>(lse, rows), in<T>(dy, outputs), out<T>(dq, q.size()),
                               out<T>(dk, k.size()), out<T>(dv, v.size()));
  });
}

static const Registration registration([](py::module_& m) {
  m.def("attention_forward", &forward, py::arg("q"), py::arg("k"), py::arg("v"), py::arg("lengths"), py::arg("added"),
        py::arg("seen"), py::arg("y"), py::arg("lse"), py::arg("settings"));
  m.def("attention_backward", &backward, py::arg("q"), py::arg("k"), py::arg("v"), py::arg("lengths"), py::arg("added"),
        py::arg("seen"), py::arg("y"), py::arg("lse"), py::arg("dy"), py::arg("dq"), py::arg("dk"), py::arg("dv"),
        py::arg("settings"));
});

}  // namespace lamina::bind::attention_op
