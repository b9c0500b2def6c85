"""Circular and hyperbolic functions, their inverses, logarithms to other bases; arctan2, hypot, logaddexp.

Results are within 4 ULP, with the same bits on every processor. The inverses and the functions of two numbers are
computed in double precision whatever the dtype: float32 results are within 0.51 ULP.
"""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import compute, operands, scaled
from lamina.ops.broadcasting import broadcast_shape, reduce_to
from lamina.ops.checks import float_tensor


class TranscendentalFunction(Function):
    """y = f(x); the kernels are <name>_forward and <name>_backward."""

    def forward(self, x: Any, name: str) -> Any:
        x = backend.contiguous(x)
        y = backend.empty_like(x)
        getattr(backend.kernels(x), name + "_forward")(x, y)
        self.saved = x, name
        return y

    def backward(self, dy: Any) -> Any:
        x, name = self.saved
        dx = backend.empty_like(x)
        getattr(backend.kernels(x), name + "_backward")(x, backend.contiguous(dy), dx)
        return dx


def pair_of(name: str, a: Any, b: Any) -> Any:
    """f(a, b) for float arrays of one dtype, by the kernel of that name."""
    y = backend.empty(broadcast_shape(name, a.shape, b.shape), a.dtype, like=a)
    getattr(backend.kernels(a), name)(backend.contiguous(a), backend.contiguous(b), y)
    return y


def one_minus(x: Any) -> Any:
    return compute("subtract", backend.full((), 1, x.dtype, like=x), x)


class Arctan2Function(Function):
    def forward(self, a: Any, b: Any) -> Any:
        self.saved = a, b
        return pair_of("arctan2", a, b)

    def backward(self, dy: Any) -> Any:
        a, b = self.saved
        radius = pair_of("hypot", a, b)
        share = compute("divide", dy, radius)  # in two steps: the square of the radius might overflow
        da = db = None
        if self.needs[0]:
            da = reduce_to(compute("multiply", share, compute("divide", b, radius)), a.shape)
        if self.needs[1]:
            db = scaled(reduce_to(compute("multiply", share, compute("divide", a, radius)), b.shape), -1)
        return da, db


class HypotFunction(Function):
    def forward(self, a: Any, b: Any) -> Any:
        y = pair_of("hypot", a, b)
        self.saved = a, b, y
        return y

    def backward(self, dy: Any) -> Any:
        a, b, y = self.saved
        da = db = None
        if self.needs[0]:
            da = reduce_to(compute("multiply", dy, compute("divide", a, y)), a.shape)
        if self.needs[1]:
            db = reduce_to(compute("multiply", dy, compute("divide", b, y)), b.shape)
        return da, db


class LogAddExpFunction(Function):
    def forward(self, a: Any, b: Any) -> Any:
        self.saved = a, b
        return pair_of("logaddexp", a, b)

    def backward(self, dy: Any) -> Any:
        a, b = self.saved
        difference = compute("subtract", a, b)
        share = backend.empty_like(difference)
        backend.kernels(share).sigmoid_forward(difference, share)
        da = reduce_to(compute("multiply", dy, share), a.shape) if self.needs[0] else None
        return da, reduce_to(compute("multiply", dy, one_minus(share)), b.shape) if self.needs[1] else None


def _apply(name: str, x: Any) -> Tensor:
    return TranscendentalFunction.apply((float_tensor(x, name),), name)


def _float_operands(op: str, a: Any, b: Any) -> tuple[Tensor, Tensor]:
    a, b = operands(op, a, b)
    return float_tensor(a, op, "a"), float_tensor(b, op, "b")


def sin(x: Any) -> Tensor:
    """Sine of angles in radians, element by element; exact for angles of any size. NaN at infinities.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.sin(lm.tensor([0.0, 1.5707963705062866])).numpy().tolist()
        [0.0, 1.0]
    """
    return _apply("sin", x)


def cos(x: Any) -> Tensor:
    """Cosine of angles in radians, element by element; exact for angles of any size. NaN at infinities.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.cos(lm.tensor([0.0, 3.1415927410125732])).numpy().tolist()
        [1.0, -1.0]
    """
    return _apply("cos", x)


def tan(x: Any) -> Tensor:
    """Tangent of angles in radians, element by element; exact for angles of any size. NaN at infinities.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.tan(lm.tensor([0.0, 0.7853981633974483])).numpy().tolist()
        [0.0, 1.0]
    """
    return _apply("tan", x)


def arcsin(x: Any) -> Tensor:
    """The angle in [-pi/2, pi/2] whose sine is x, element by element; NaN beyond -1 and 1.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.arcsin(lm.tensor([0.0, 1.0])).numpy().tolist()
        [0.0, 1.5707963705062866]
    """
    return _apply("arcsin", x)


def arccos(x: Any) -> Tensor:
    """The angle in [0, pi] whose cosine is x, element by element; NaN beyond -1 and 1.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.arccos(lm.tensor([1.0, -1.0])).numpy().tolist()
        [0.0, 3.1415927410125732]
    """
    return _apply("arccos", x)


def arctan(x: Any) -> Tensor:
    """The angle in [-pi/2, pi/2] whose tangent is x, element by element.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.arctan(lm.tensor([0.0, 1.0])).numpy().tolist()
        [0.0, 0.7853981852531433]
    """
    return _apply("arctan", x)


def sinh(x: Any) -> Tensor:
    """Hyperbolic sine, (e^x - e^-x) / 2, element by element.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.sinh(lm.tensor([0.0, 1.0])).numpy().tolist()
        [0.0, 1.175201177597046]
    """
    return _apply("sinh", x)


def cosh(x: Any) -> Tensor:
    """Hyperbolic cosine, (e^x + e^-x) / 2, element by element.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.cosh(lm.tensor([0.0, 1.0])).numpy().tolist()
        [1.0, 1.5430805683135986]
    """
    return _apply("cosh", x)


def arcsinh(x: Any) -> Tensor:
    """The number whose hyperbolic sine is x, log(x + sqrt(x^2 + 1)), element by element.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.arcsinh(lm.tensor([0.0, 1.0])).numpy().tolist()
        [0.0, 0.8813735842704773]
    """
    return _apply("arcsinh", x)


def arccosh(x: Any) -> Tensor:
    """The number from 0 on whose hyperbolic cosine is x, element by element; NaN below 1.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.arccosh(lm.tensor([1.0, 2.0])).numpy().tolist()
        [0.0, 1.316957950592041]
    """
    return _apply("arccosh", x)


def arctanh(x: Any) -> Tensor:
    """The number whose hyperbolic tangent is x, log((1 + x) / (1 - x)) / 2, element by element.

    Infinite at -1 and 1, NaN beyond.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.arctanh(lm.tensor([0.0, 0.5])).numpy().tolist()
        [0.0, 0.5493061542510986]
    """
    return _apply("arctanh", x)


def log2(x: Any) -> Tensor:
    """Logarithm to base 2, element by element: exact for powers of 2, -infinity at 0, NaN below.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.log2(lm.tensor([8.0, 0.5])).numpy().tolist()
        [3.0, -1.0]
    """
    return _apply("log2", x)


def log10(x: Any) -> Tensor:
    """Logarithm to base 10, element by element: -infinity at 0, NaN below.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.log10(lm.tensor([100.0, 0.1])).numpy().tolist()
        [2.0, -1.0]
    """
    return _apply("log10", x)


def arctan2(a: Any, b: Any) -> Tensor:
    """The angle of the point (b, a), in [-pi, pi], element by element; see `add` for shapes and errors.

    Also a tensor of integers becomes float32. At (0, 0) there is no gradient: it is NaN.

    Example:
        >>> import lamina as lm
        >>> lm.ops.arctan2(lm.tensor([1.0, -1.0]), lm.tensor([0.0, -1.0])).numpy().tolist()
        [1.5707963705062866, -2.356194496154785]
    """
    return Arctan2Function.apply(_float_operands("arctan2", a, b))


def hypot(a: Any, b: Any) -> Tensor:
    """sqrt(a^2 + b^2), element by element, which does not overflow before its time; see `add` for shapes and errors.

    At (0, 0) there is no gradient: it is NaN.

    Example:
        >>> import lamina as lm
        >>> lm.ops.hypot(lm.tensor([3.0, 1e30]), lm.tensor([4.0, 0.0])).numpy().tolist()
        [5.0, 1.0000000150474662e+30]
    """
    return HypotFunction.apply(_float_operands("hypot", a, b))


def logaddexp(a: Any, b: Any) -> Tensor:
    """log(e^a + e^b), element by element, without overflow; see `add` for shapes and errors.

    Computed as max(a, b) + log(1 + e^-|a - b|) in double precision. Where these two cancel (the result is near 0), the
    error is some 1e-16, which may be hundreds of ULP of so small a float64.

    Example:
        >>> import lamina as lm
        >>> lm.ops.logaddexp(lm.tensor([0.0, 1000.0]), lm.tensor([0.0, 0.0])).numpy().tolist()
        [0.6931471824645996, 1000.0]
    """
    return LogAddExpFunction.apply(_float_operands("logaddexp", a, b))
