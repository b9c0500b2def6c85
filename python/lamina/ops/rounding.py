"""sign, floor, ceil, round, trunc, mod, floor_divide, reciprocal: element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import compute, divide, number_tensor, operands, scaled
from lamina.ops.broadcasting import broadcast_shape, reduce_to
from lamina.ops.checks import float_tensor, integer

ROUNDINGS = {"round": "rint"}  # NumPy's names, where they differ


class StepFunction(Function):
    """A function of steps: its gradient is 0 everywhere."""

    def forward(self, x: Any, name: str) -> Any:
        y = backend.empty(x.shape, x.dtype, like=x)
        getattr(backend.array_module(x), ROUNDINGS.get(name, name))(x, out=y)
        return y

    def backward(self, dy: Any) -> Any:
        return backend.zeros(dy.shape, dy.dtype, like=dy)


class RoundFunction(Function):
    """Rounding to decimals; its gradient is 0 everywhere."""

    def forward(self, x: Any, decimals: int) -> Any:
        y = backend.empty(x.shape, x.dtype, like=x)
        backend.array_module(x).round(x, decimals, out=y)
        return y

    def backward(self, dy: Any) -> Any:
        return backend.zeros(dy.shape, dy.dtype, like=dy)


class ModFunction(Function):
    """The remainder of the quotient rounded down: d/da = 1, d/db = -floor(a / b)."""

    def forward(self, a: Any, b: Any) -> Any:
        self.saved = a, b
        return _without_warnings("mod", a, b)

    def backward(self, dy: Any) -> Any:
        a, b = self.saved
        da = reduce_to(dy, a.shape) if self.needs[0] else None
        if not self.needs[1]:
            return da, None
        quotient = _without_warnings("floor_divide", a, b)
        return da, scaled(reduce_to(compute("multiply", dy, quotient), b.shape), -1)


class FloorDivideFunction(Function):
    """Its gradients are 0 everywhere."""

    def forward(self, a: Any, b: Any) -> Any:
        self.saved = a.shape, b.shape
        return _without_warnings("floor_divide", a, b)

    def backward(self, dy: Any) -> Any:
        return tuple([backend.zeros(shape, dy.dtype, like=dy) for shape in self.saved])


def _without_warnings(op: str, a: Any, b: Any) -> Any:
    shape = broadcast_shape(op, a.shape, b.shape)
    y = backend.empty(shape, a.dtype, like=a)
    with np.errstate(all="ignore"):
        getattr(backend.array_module(a), op)(a, b, out=y)
    return y


def _step(name: str, x: Any) -> Tensor:
    x = number_tensor(x, name)
    if x.array.dtype.kind != "f" and name != "sign":
        return x
    return StepFunction.apply((x,), name)


def sign(x: Any) -> Tensor:
    """The sign of x, element by element: -1, 0 or 1; NaN stays NaN. Its gradient is 0.

    Args:
        x: tensor of any shape; float32, float64 or integers.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.sign(lm.tensor([-2.0, 0.0, 3.0])).numpy().tolist()
        [-1.0, 0.0, 1.0]
    """
    return _step("sign", x)


def floor(x: Any) -> Tensor:
    """The largest whole number that is at most x, element by element. Its gradient is 0.

    Args:
        x: tensor of any shape; float32, float64 or integers.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.floor(lm.tensor([-1.5, 1.5])).numpy().tolist()
        [-2.0, 1.0]
    """
    return _step("floor", x)


def ceil(x: Any) -> Tensor:
    """The smallest whole number that is at least x, element by element. Its gradient is 0.

    Args:
        x: tensor of any shape; float32, float64 or integers.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.ceil(lm.tensor([-1.5, 1.5])).numpy().tolist()
        [-1.0, 2.0]
    """
    return _step("ceil", x)


def trunc(x: Any) -> Tensor:
    """x without its fraction, element by element: towards 0. Its gradient is 0.

    Args:
        x: tensor of any shape; float32, float64 or integers.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.trunc(lm.tensor([-1.5, 1.5])).numpy().tolist()
        [-1.0, 1.0]
    """
    return _step("trunc", x)


def round(x: Any, decimals: int = 0) -> Tensor:
    """The nearest whole number, or number of so many decimals, halves to even, element by element. Its gradient is 0.

    Args:
        x: tensor of any shape; float32, float64 or integers.
        decimals: digits after the point; negative ones before it.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        TypeError: if decimals is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.round(lm.tensor([0.5, 1.5, 2.4])).numpy().tolist()
        [0.0, 2.0, 2.0]
    """
    decimals = integer(decimals, "round", "decimals")
    if decimals == 0:
        return _step("round", x)
    x = number_tensor(x, "round")
    if x.dtype.kind != "f":
        xp = backend.array_module(x.array)
        return Tensor(xp.asarray(xp.round(x.array, decimals)))
    return RoundFunction.apply((x,), decimals)


def mod(a: Any, b: Any) -> Tensor:
    """The remainder a - b floor(a / b), with the sign of b, element by element; see `add` for shapes and errors.

    NaN where b is 0 (integers: an error, or 0 where b is on a GPU already). Its gradient is 1 for a and -floor(a / b)
    for b.

    Raises:
        ValueError: also for a division of integers by 0.

    Example:
        >>> import lamina as lm
        >>> lm.ops.mod(lm.tensor([-7.0, 7.0]), 3).numpy().tolist()
        [2.0, 1.0]
    """
    return ModFunction.apply(_divisible("mod", a, b))


def floor_divide(a: Any, b: Any) -> Tensor:
    """floor(a / b), element by element; see `mod`. Its gradient is 0.

    Example:
        >>> import lamina as lm
        >>> lm.ops.floor_divide(lm.tensor([-7.0, 7.0]), 3).numpy().tolist()
        [-3.0, 2.0]
    """
    return FloorDivideFunction.apply(_divisible("floor_divide", a, b))


def reciprocal(x: Any) -> Tensor:
    """1 / x, element by element. Integers become float32.

    Example:
        >>> import lamina as lm
        >>> lm.ops.reciprocal(lm.tensor([2.0, -0.5])).numpy().tolist()
        [0.5, -2.0]
    """
    return divide(1, float_tensor(x, "reciprocal"))


def _divisible(op: str, a: Any, b: Any) -> tuple[Tensor, Tensor]:
    divisor = b.array if isinstance(b, Tensor) else backend.as_array(b)
    a, b = operands(op, a, b)
    a, b = number_tensor(a, op), number_tensor(b, op)
    if a.dtype.kind != "f":
        if backend.on_host(divisor) and not divisor.all():
            raise ValueError(f"{op}: integers cannot be divided by 0")
        dtype = np.result_type(a.dtype, b.dtype)
        if dtype.kind == "f":  # unsigned with signed numbers of 64 bits
            raise TypeError(f"{op}: no integer holds both {a.dtype} and {b.dtype}")
        a, b = Tensor(a.array.astype(dtype, copy=False)), Tensor(b.array.astype(dtype, copy=False))
    return a, b
