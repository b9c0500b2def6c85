#include "ops/gemm.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::gemm_op {

/// The product of matrices in the last two axes, from `axis` on; the arrays are C-contiguous.
template <class T>
static Gemm<T> product_of(const py::array& a, const py::array& b, const py::array& c, bool transpose_a,
                          bool transpose_b, int axis) {
  Gemm<T> g{};
  g.m = a.shape(axis + transpose_a);
  g.k = a.shape(axis + !transpose_a);
  g.n = b.shape(axis + !transpose_b);
  if (b.shape(axis + transpose_b) != g.k || c.shape(axis) != g.m || c.shape(axis + 1) != g.n)
    throw py::value_error("gemm: shapes do not fit");
  g.a = in<T>(a, a.size());
  g.b = in<T>(b, b.size());
  g.c = out<T>(c, c.size());
  g.lda = a.shape(axis + 1);
  g.ldb = b.shape(axis + 1);
  g.ldc = g.n;
  g.transpose_a = transpose_a;
  g.transpose_b = transpose_b;
  return g;
}

static void check_rank(const py::array& a, const py::array& b, const py::array& c, int rank) {
  if (a.ndim() != rank || b.ndim() != rank || c.ndim() != rank)
    throw py::value_error("gemm: expected arrays of " + std::to_string(rank) + " dimensions");
}

static void run(const py::array& a, const py::array& b, const py::array& c, bool transpose_a, bool transpose_b,
                const py::object& bias, int activation, const py::object& addend) {
  check_rank(a, b, c, 2);
  launch(a, [&]<class Target, class T>(Target, T) {
    Gemm<T> g = product_of<T>(a, b, c, transpose_a, transpose_b, 0);
    g.bias = in<T>(bias, g.n);
    g.activation = activation_of(activation);
    g.addend = in<T>(addend, c.size());
    gemm<Target>(g);
  });
}

static void run_batched(const py::array& a, const py::array& b, const py::array& c, bool transpose_a,
                        bool transpose_b) {
  check_rank(a, b, c, 3);
  const int64_t count = c.shape(0);
  if (a.shape(0) != count || b.shape(0) != count) throw py::value_error("gemm_batched: batches differ in length");
  launch(a, [&]<class Target, class T>(Target, T) {
    const Gemm<T> g = product_of<T>(a, b, c, transpose_a, transpose_b, 1);
    gemm_batched<Target>(g, count, g.m * g.k, g.k * g.n, g.m * g.n);
  });
}

static const Registration registration([](py::module_& m) {
  m.def("gemm", &run, py::arg("a"), py::arg("b"), py::arg("c"), py::arg("transpose_a") = false,
        py::arg("transpose_b") = false, py::arg("bias") = py::none(), py::arg("activation") = 0,
        py::arg("addend") = py::none());
  m.def("gemm_batched", &run_batched, py::arg("a"), py::arg("b"), py::arg("c"), py::arg("transpose_a") = false,
        py::arg("transpose_b") = false);
});

}  // namespace lamina::bind::gemm_op
