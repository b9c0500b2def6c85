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
  launch(x, [&]<class T>(T) {
    cuda::activation_function_forward(f, int64_t(n), in<T>(x, n), out<T>(y, n),
                                      ActivationParameters<T>{T(a), T(b), T(c)}, stream_of(stream));
  });
}

static void backward(int function, const In& x, const In& dy, const Out& dx, double a, double b, double c,
                     uintptr_t stream) {
  const ActivationFunction f = function_of(function);
  const size_t n = x.size();
  launch(x, [&]<class T>(T) {
    cuda::activation_function_backward(f, int64_t(n), in<T>(x, n), in<T>(dy, n), out<T>(dx, n),
                                       ActivationParameters<T>{T(a), T(b), T(c)}, stream_of(stream));
  });
}

static const Registration registration([](nb::module_& m) {
  m.def("activation_function_forward", &forward, nb::arg("function"), array("x"), array("y"), nb::arg("a"),
        nb::arg("b"), nb::arg("c"), nb::arg("stream"));
  m.def("activation_function_backward", &backward, nb::arg("function"), array("x"), array("dy"), array("dx"),
        nb::arg("a"), nb::arg("b"), nb::arg("c"), nb::arg("stream"));
});

}  // namespace lamina::bind::activation_function_op
