#include "ops/activation_function.h"

#include "bind/cuda/bind.h"

namespace lamina::bind::activation_function_op {

static ActivationFunction function_of(int number) {
  if (number < 0 || number >= ACTIVATION_FUNCTIONS) throw nb::value_error("unknown number of an activation function");
  return ActivationFunction(number);
}

static void forward(int function, const In& x, const Out& y, double a, double b, double c, uintptr_t stream) {
  const ActivationFunction f = function_of(function);
  const size_t n = x.size();
  launch_any(x, [&]<class S>(S) {
    using T = Computed<S>;
    cuda::activation_function_forward(f, int64_t(n), in<S>(x, n), out<S>(y, n),
                                      ActivationParameters<T>{T(a), T(b), T(c)}, stream_of(stream));
  });
}

static void backward(int function, const In& x, const In& dy, const Out& dx, double a, double b, double c,
                     uintptr_t stream) {
  const ActivationFunction f = function_of(function);
  const size_t n = x.size();
  launch_any(x, [&]<class S>(S) {
    using T = Computed<S>;
    cuda::activation_function_backward(f, int64_t(n), in<S>(x, n), in<S>(dy, n), out<S>(dx, n),
                                       ActivationParameters<T>{T(a), T(b), T(c)}, stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("activation_function_forward", &forward, nb::arg("function"), array("x"), array("y"), nb::arg("a"),
        nb::arg("b"), nb::arg("c"), nb::arg("stream"));
  m.def("activation_function_backward", &backward, nb::arg("function"), array("x"), array("dy"), array("dx"),
        nb::arg("a"), nb::arg("b"), nb::arg("c"), nb::arg("stream"));
  takes_sixteen_bits({"activation_function_forward", "activation_function_backward"});
});

}  // namespace lamina::bind::activation_function_op
