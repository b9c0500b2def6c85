"""power: a ** b. Whole exponents by multiplication, halves by square roots, others by a kernel."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.arithmetic import compute, multiply, number_tensor, operands, scaled
from lamina.ops.broadcasting import reduce_to
from lamina.ops.two_numbers import pair_of

MOST_EXPONENT = 64  # the largest whole exponent that is computed by multiplication


def simple(exponent: float) -> bool:
    """Whether a power is exact but for a few roundings: n or n + 1/2 for a small whole n."""
    return -MOST_EXPONENT <= exponent <= MOST_EXPONENT and 2 * exponent == int(2 * exponent)


def simple_power(x: Any, exponent: float) -> Any:
    """x ** exponent for a simple one: squares and products in one order, then the root, then the reciprocal."""
    if exponent < 0:
        return compute("divide", backend.scalar(1, x), simple_power(x, -exponent))
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

    def graph_backward(self, dy: Any) -> Any:
        exponent = self.saved[1]
        return multiply(multiply(dy, exponent), power(self.inputs[0], exponent - 1))


class PowerFunction(Function):
    """a ** b for any exponents."""

    def forward(self, a: Any, b: Any) -> Any:
        y = pair_of("power", a, b)
        self.saved = a, b, y
        return y

    def backward(self, dy: Any) -> Any:
        a, b, y = self.saved
        da = db = None
        if self.needs[0]:
            below = compute("subtract", b, backend.scalar(1, b))
            slope = compute("multiply", b, pair_of("power", a, below))
            _clear(slope, b == 0)
            da = reduce_to(compute("multiply", dy, slope), a.shape)
        if self.needs[1]:
            a = backend.contiguous(a)
            logarithm = backend.empty_like(a)
            backend.kernels(a).log_forward(a, logarithm)
            slope = compute("multiply", y, logarithm)
            _clear(slope, (a == 0) & (b >= 0))
            db = reduce_to(compute("multiply", dy, slope), b.shape)
        return da, db


def _clear(slope: Any, where: Any) -> None:
    """Zeros where the derivative is 0 whatever the formula gives: rarely anywhere."""
    if not backend.on_host(slope) or where.any():  # no program waits for a GPU to answer
        backend.array_module(slope).copyto(slope, slope.dtype.type(0), where=where)


def power(a: Any, b: Any) -> Tensor:
    """a ** b, element by element, with broadcasting.

    Exponents that are Python numbers n or n + 1/2, up to 64, are computed by multiplication, square root and
    reciprocal; others as exp(b log |a|) with a logarithm of twice the digits: at most 2 ULP in float64, 0.51 ULP in
    float32. Special values are those of IEEE 754's pow: a ** 0 and 1 ** b are 1 whatever the other is, negative numbers
    to no whole power NaN.

    Args:
        a: tensor (or array, or number).
        b: the same; dtypes and shapes as for `add`. Integers to the power of integers stay integers.

    Returns:
        Tensor of the common shape.

    Raises:
        ValueError: if the shapes do not broadcast, or integers get a negative exponent.
        TypeError: for float32 with float64.

    Example:
        >>> import lamina as lm
        >>> lm.ops.power(lm.tensor([1.0, 4.0]), -0.5).numpy().tolist()
        [1.0, 0.5]
    """
    if isinstance(b, int | float) and not isinstance(b, bool):
        a = as_tensor(a)
        if a.array.dtype.kind == "f" and simple(b):
            return SimplePowerFunction.apply((number_tensor(a, "power"),), b)
    a, b = operands("power", a, b)
    if a.dtype.kind != "f":
        if b.dtype.kind == "i" and (b.array < 0).any():
            raise ValueError("power: integers cannot have a negative exponent; cast them to float32")
        backend.refuse_mixed("power", a=a.array, b=b.array)
        xp = backend.array_module(a.array)
        return Tensor(xp.asarray(xp.power(a.array, b.array)))
    return PowerFunction.apply((a, b))
