#include "ops/activation_function.h"

#include "bind/cpu/bind.h"

namespace lamina::bind::activation_function_op {

static ActivationFunction function_of(int number) {
  if (number < 0 || number >= ACTIVATION_FUNCTIONS) throw py::value_error("unknown number of an activation function");
  return ActivationFunction(number);
}

static void forward(int function, const py::array& x, const py::array& y, double a, double b, double c) {
  const ActivationFunction f = function_of(function);
  const int64_t n = x.size();
  launch(x, [&]<class Target, class T>(Target, T) {
    activation_function_forward<Target>(f, n, in<T>(x, n), out<T>(y, n), {T(a), T(b), T(c)});
  });
}

static void backward(int function, const py::array& x, const py::array& dy, const py::array& dx, double a, double b,
                     double c) {
  const ActivationFunction f = function_of(function);
  const int64_t n = x.size();
  launch(x, [&]<class Target, class T>(Target, T) {
    activation_function_backward<Target>(f, n, in<T>(x, n), in<T>(dy, n), out<T>(dx, n), {T(a), T(b), T(c)});
  });
}

static const Registration registration([](py::module_& m) {
  m.def("activation_function_forward", &forward, py::arg("function"), py::arg("x"), py::arg("y"), py::arg("a"),
        py::arg("b"), py::arg("c"));
  m.def("activation_function_backward", &backward, py::arg("function"), py::arg("x"), py::arg("dy"), py::arg("dx"),
        py::arg("a"), py::arg("b"), py::arg("c"));
});

}  // namespace lamina::bind::activation_function_op
