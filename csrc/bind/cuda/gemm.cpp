#include "ops/gemm.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::gemm_op {

/// The product of matrices in the last two axes, from `axis` on.
template <class T>
static Gemm<T> product_of(const In& a, const In& b, const Out& c, bool transpose_a, bool transpose_b, int axis) {
  const auto size = [axis](const auto& array, int i) { return int64_t(array.shape(size_t(axis + i))); };
  Gemm<T> g{};
  g.m = size(a, transpose_a);
  g.k = size(a, !transpose_a);
  g.n = size(b, !transpose_b);
  if (size(b, transpose_b) != g.k || size(c, 0) != g.m || size(c, 1) != g.n)
    throw nb::value_error("gemm: shapes do not fit");
  g.a = in<T>(a, a.size());
  g.b = in<T>(b, b.size());
  g.c = out<T>(c, c.size());
  g.lda = size(a, 1);
  g.ldb = size(b, 1);
  g.ldc = g.n;
  g.transpose_a = transpose_a;
  g.transpose_b = transpose_b;
  return g;
}

static void check_rank(const In& a, const In& b, const Out& c, size_t rank) {
  if (a.ndim() != rank || b.ndim() != rank || c.ndim() != rank)
    throw nb::value_error(("gemm: expected arrays of " + std::to_string(rank) + " dimensions").c_str());
}

static void run(const In& a, const In& b, const Out& c, bool transpose_a, bool transpose_b, const OptionalIn& bias,
                int activation, const OptionalIn& addend, uintptr_t stream) {
  check_rank(a, b, c, 2);
  launch_any(a, [&]<class T>(T) {
    Gemm<T> g = product_of<T>(a, b, c, transpose_a, transpose_b, 0);
    g.bias = in<T>(bias, size_t(g.n));
    g.activation = activation_of(activation);
    g.addend = in<T>(addend, c.size());
    cuda::gemm(g, stream_of(stream));
  });
}

static void run_batched(const In& a, const In& b, const Out& c, bool transpose_a, bool transpose_b, uintptr_t stream) {
  check_rank(a, b, c, 3);
  const int64_t count = int64_t(c.shape(0));
  if (int64_t(a.shape(0)) != count || int64_t(b.shape(0)) != count)
    throw nb::value_error("gemm_batched: batches differ in length");
  launch_any(a, [&]<class T>(T) {
    const Gemm<T> g = product_of<T>(a, b, c, transpose_a, transpose_b, 1);
    cuda::gemm_batched(g, count, g.m * g.k, g.k * g.n, g.m * g.n, stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("gemm", &run, array("a"), array("b"), array("c"), nb::arg("transpose_a") = false,
        nb::arg("transpose_b") = false, array("bias") = nb::none(), nb::arg("activation") = 0,
        array("addend") = nb::none(), nb::arg("stream") = 0);
  m.def("gemm_batched", &run_batched, array("a"), array("b"), array("c"), nb::arg("transpose_a") = false,
        nb::arg("transpose_b") = false, nb::arg("stream") = 0);
  takes_sixteen_bits({"gemm", "gemm_batched"});
});

}  // namespace lamina::bind::gemm_op
