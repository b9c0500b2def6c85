"""Elementary functions, element by element: exp, log, expm1, log1p, sqrt, rsqrt, erf, sigmoid, tanh, binary_step.

At most 4 ULP from the exact value (sqrt: exactly rounded) and the same bits on every processor.
"""

from __future__ import annotations

from typing import Any, ClassVar

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import divide, multiply, square, subtract
from lamina.ops.checks import float_tensor


class ElementaryFunction(Function):
    """y = f(x); dx from dy and either x or y, whichever the rule wants. The kernels are <name>_forward, _backward."""

    __slots__ = ()
    name: ClassVar[str]
    keeps: ClassVar[str]

    def forward(self, x: Any) -> Any:
        x = backend.contiguous(x)
        y = backend.empty_like(x)
        getattr(backend.kernels(x), self.name + "_forward")(x, y)
        self.saved = x if self.keeps == "x" else y
        return y

    def backward(self, dy: Any) -> Any:
        saved = self.saved
        dx = backend.empty_like(saved)
        getattr(backend.kernels(saved), self.name + "_backward")(saved, backend.contiguous(dy), dx)
        return dx


class ExpFunction(ElementaryFunction):
    name, keeps = "exp", "y"

    def graph_backward(self, dy: Any) -> Any:
        return multiply(dy, self.output(self.saved))


class LogFunction(ElementaryFunction):
    name, keeps = "log", "x"

    def graph_backward(self, dy: Any) -> Any:
        return divide(dy, self.inputs[0])


class Expm1Function(ElementaryFunction):
    name, keeps = "expm1", "y"


class Log1pFunction(ElementaryFunction):
    name, keeps = "log1p", "x"


class SqrtFunction(ElementaryFunction):
    name, keeps = "sqrt", "y"

    def graph_backward(self, dy: Any) -> Any:
        return divide(multiply(dy, 0.5), self.output(self.saved))


class RsqrtFunction(ElementaryFunction):
    name, keeps = "rsqrt", "y"

    def graph_backward(self, dy: Any) -> Any:
        y = self.output(self.saved)
        return multiply(multiply(dy, -0.5), multiply(square(y), y))


class ErfFunction(ElementaryFunction):
    name, keeps = "erf", "x"


class SigmoidFunction(ElementaryFunction):
    name, keeps = "sigmoid", "y"

    def graph_backward(self, dy: Any) -> Any:
        y = self.output(self.saved)
        return multiply(dy, multiply(y, subtract(1, y)))


class TanhFunction(ElementaryFunction):
    name, keeps = "tanh", "y"

    def graph_backward(self, dy: Any) -> Any:
        return multiply(dy, subtract(1, square(self.output(self.saved))))


class BinaryStepFunction(ElementaryFunction):
    name, keeps = "binary_step", "y"

    def backward(self, dy: Any) -> Any:
        return backend.zeros(dy.shape, dy.dtype, like=dy)


def exp(x: Any) -> Tensor:
    """Exponential function, y = e^x, element by element.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.exp(lm.tensor([0.0, 1.0])).numpy().tolist()
        [1.0, 2.7182817459106445]
    """
    return ExpFunction.apply((float_tensor(x, "exp"),))


def log(x: Any) -> Tensor:
    """Natural logarithm, element by element: -infinity at 0, NaN below.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.log(lm.tensor([1.0, 0.0])).numpy().tolist()
        [0.0, -inf]
    """
    return LogFunction.apply((float_tensor(x, "log"),))


def expm1(x: Any) -> Tensor:
    """y = e^x - 1, element by element, exact near 0 too.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.expm1(lm.tensor([0.0, 1e-10])).numpy().tolist()
        [0.0, 1.000000013351432e-10]
    """
    return Expm1Function.apply((float_tensor(x, "expm1"),))


def log1p(x: Any) -> Tensor:
    """y = log(1 + x), element by element, exact near 0 too: -infinity at -1, NaN below.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.log1p(lm.tensor([0.0, 1e-10])).numpy().tolist()
        [0.0, 1.000000013351432e-10]
    """
    return Log1pFunction.apply((float_tensor(x, "log1p"),))


def sqrt(x: Any) -> Tensor:
    """Square root, element by element, exactly rounded; NaN below 0. The gradient at 0 is infinite.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.sqrt(lm.tensor([4.0, 9.0])).numpy().tolist()
        [2.0, 3.0]
    """
    return SqrtFunction.apply((float_tensor(x, "sqrt"),))


def rsqrt(x: Any) -> Tensor:
    """The reciprocal of the square root, 1 / sqrt(x), element by element: infinite at 0, NaN below.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.rsqrt(lm.tensor([4.0, 0.25])).numpy().tolist()
        [0.5, 2.0]
    """
    return RsqrtFunction.apply((float_tensor(x, "rsqrt"),))


def erf(x: Any) -> Tensor:
    """Error function, y = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x, element by element.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.erf(lm.tensor([0.0, 1.0])).numpy().tolist()
        [0.0, 0.8427008390426636]
    """
    return ErfFunction.apply((float_tensor(x, "erf"),))


def sigmoid(x: Any) -> Tensor:
    """Logistic function, y = 1 / (1 + e^-x), element by element. Never overflows.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.sigmoid(lm.tensor([0.0, 100.0])).numpy().tolist()
        [0.5, 1.0]
    """
    return SigmoidFunction.apply((float_tensor(x, "sigmoid"),))


def tanh(x: Any) -> Tensor:
    """Hyperbolic tangent, y = (e^x - e^-x) / (e^x + e^-x), element by element.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.tanh(lm.tensor([0.0, 20.0])).numpy().tolist()
        [0.0, 1.0]
    """
    return TanhFunction.apply((float_tensor(x, "tanh"),))


def binary_step(x: Any) -> Tensor:
    """The unit step, y = 1 where x >= 0, else 0, element by element: the perceptron's activation.

    Its gradient is zero everywhere, so a perceptron learns by its own rule and not by descent. NaN stays NaN.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.binary_step(lm.tensor([-1.0, 0.0, 2.0])).numpy().tolist()
        [0.0, 1.0, 1.0]

    Reference:
        Rosenblatt 1958, "The Perceptron: A Probabilistic Model for Information Storage and Organization in the Brain".
    """
    return BinaryStepFunction.apply((float_tensor(x, "binary_step"),))
