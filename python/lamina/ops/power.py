"""power: a ** b. Whole exponents by multiplication, halves by square roots, others as exp(b log |a|) in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import compute, number_tensor, operands, scaled
from lamina.ops.broadcasting import reduce_to
from lamina.ops.selection import narrowed

MOST_EXPONENT = 64  # the largest whole exponent that is computed by multiplication


def simple(exponent: float) -> bool:
    """Whether a power is exact but for a few roundings: n or n + 1/2 for a small whole n."""
    return -MOST_EXPONENT <= exponent <= MOST_EXPONENT and 2 * exponent == int(2 * exponent)


def simple_power(x: Any, exponent: float) -> Any:
    """x ** exponent for a simple one: squares and products in one order, then the root, then the reciprocal."""
    if exponent < 0:
        return compute("divide", np.ones((), x.dtype), simple_power(x, -exponent))
    y = None
    if exponent != int(exponent):
        x = backend.contiguous(x)
        y = backend.empty_like(x)
        backend.kernels(x).sqrt_forward(x, y)
    whole = int(exponent)
    while whole:
        if whole & 1:
            y = x if y is None else compute("multiply", y, x)
        whole >>= 1
        if whole:
            x = compute("multiply", x, x)
    return backend.full(x.shape, 1, x.dtype, like=x) if y is None else y


class SimplePowerFunction(Function):
    """x ** exponent for a simple exponent."""

    def forward(self, x: Any, exponent: float) -> Any:
        self.saved = x, exponent
        return simple_power(x, exponent)

    def backward(self, dy: Any) -> Any:
        x, exponent = self.saved
        if exponent == 0:
            return backend.zeros(dy.shape, dy.dtype, like=dy)
        return compute("multiply", scaled(dy, exponent), simple_power(x, exponent - 1))


def general_power(a: Any, b: Any) -> Any:
    """a ** b for float64 arrays."""
    if b.ndim == 0 and 0 < abs(b) < np.inf and a.size and a.min() > 0:
        return _kernel("exp_forward", compute("multiply", b, _kernel("log_forward", a)))
    with np.errstate(invalid="ignore"):
        y = _kernel("exp_forward", compute("multiply", b, _kernel("log_forward", np.asarray(np.abs(a)))))
        whole, odd = np.floor(b) == b, np.fmod(b, 2) != 0
    negative = a < 0
    np.negative(y, out=y, where=negative & whole & odd)
    y[np.broadcast_to(negative & ~whole & np.isfinite(a), y.shape)] = np.nan
    y[np.broadcast_to((b == 0) | (a == 1), y.shape)] = 1  # whatever the other one is, as IEEE 754's pow
    return y


def _kernel(name: str, x: Any) -> Any:
    x = backend.contiguous(x)
    y = backend.empty_like(x)
    getattr(backend.kernels(x), name)(x, y)
    return y


class PowerFunction(Function):
    """a ** b for any exponents; all in float64, rounded once at the end."""

    def forward(self, a: Any, b: Any) -> Any:
        dtype = a.dtype
        a, b = a.astype(np.float64, copy=False), b.astype(np.float64, copy=False)
        y = general_power(a, b)
        self.saved = a, b, y
        return narrowed(y, dtype)

    def backward(self, dy: Any) -> Any:
        a, b, y = self.saved
        dtype = dy.dtype
        dy = dy.astype(np.float64, copy=False)
        da = db = None
        if self.needs[0]:
            slope = compute("multiply", b, general_power(a, np.asarray(b - 1)))
            slope[np.broadcast_to(b == 0, slope.shape)] = 0
            da = narrowed(reduce_to(compute("multiply", dy, slope), a.shape), dtype)
        if self.needs[1]:
            slope = compute("multiply", y, _kernel("log_forward", a))
            slope[np.broadcast_to((a == 0) & (b >= 0), slope.shape)] = 0
            db = narrowed(reduce_to(compute("multiply", dy, slope), b.shape), dtype)
        return da, db


def power(a: Any, b: Any) -> Tensor:
    """a ** b, element by element, with broadcasting.

    Exponents that are Python numbers n or n + 1/2, up to 64, are computed by multiplication, square root and
    reciprocal; others as exp(b log |a|) in float64.

    Args:
        a: tensor (or array, or number).
        b: the same; dtypes and shapes as for `add`. Integers to the power of integers stay integers.

    Returns:
        Tensor of the common shape.

    Raises:
        ValueError: if the shapes do not broadcast, or integers get a negative exponent.
        TypeError: for float16, or float32 with float64.

    Example:
        >>> import lamina as lm
        >>> lm.ops.power(lm.tensor([1.0, 4.0]), -0.5).numpy().tolist()
        [1.0, 0.5]
    """
    number = isinstance(b, int | float) and not isinstance(b, bool)
    if number and isinstance(a, Tensor) and a.array.dtype.kind == "f" and simple(b):
        return SimplePowerFunction.apply((number_tensor(a, "power"),), b)
    a, b = operands("power", a, b)
    if a.dtype.kind != "f":
        if b.dtype.kind == "i" and (b.array < 0).any():
            raise ValueError("power: integers cannot have a negative exponent; cast them to float32")
        return Tensor(np.asarray(np.power(a.array, b.array)))
    return PowerFunction.apply((a, b))
