"""arctan2, hypot, logaddexp: functions of two numbers, element by element with broadcasting.

Computed in double precision whatever the dtype: float32 results are within 0.51 ULP, float64 ones within 4.
"""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import compute, operands, scaled
from lamina.ops.broadcasting import broadcast_shape, reduce_to
from lamina.ops.checks import float_tensor


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


def _float_operands(op: str, a: Any, b: Any) -> tuple[Tensor, Tensor]:
    a, b = operands(op, a, b)
    return float_tensor(a, op, "a"), float_tensor(b, op, "b")


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
