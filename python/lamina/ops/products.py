"""prod, cumsum, cumprod: products and running sums, in an order that depends on the shape alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import compute, number_tensor
from lamina.ops.broadcasting import inverse, three_axes
from lamina.ops.comparison import compare
from lamina.ops.reductions import reduced_axes, shaped
from lamina.ops.selection import choose
from lamina.ops.shapes import one_axis, reshape


def product_over(x: Any) -> Any:
    """The products over the middle axis of three: halves are multiplied with each other until one is left."""
    while x.shape[1] > 1:
        half = x.shape[1] // 2
        y = compute("multiply", x[:, :half], x[:, half : 2 * half])
        x = y if x.shape[1] % 2 == 0 else backend.array_module(x).concatenate([y, x[:, -1:]], 1)
    return x[:, 0] if x.shape[1] else backend.full((x.shape[0], x.shape[2]), 1, x.dtype, like=x)


def running_products(x: Any, axis: int, reverse: bool = False) -> Any:
    """The products of the first value along an axis, the first two, and so on, in order; or from the last one on."""
    return _running("running_product", x, axis, reverse)


def running_sums(x: Any, axis: int, reverse: bool = False) -> Any:
    """The same for sums."""
    return _running("running_sum", x, axis, reverse)


def _running(kernel: str, x: Any, axis: int, reverse: bool) -> Any:
    x = backend.contiguous(x)
    y = backend.empty_like(x)
    folded = (math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :]))
    getattr(backend.kernels(x), kernel)(x.reshape(folded), reverse, y)
    return y


class ProductFunction(Function):
    """The gradient is the product of all others: those before, times those after. No division, so zeros do no harm."""

    def forward(self, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        if not axes:
            self.saved = None
            return x
        if x.dtype.kind != "f":
            xp = backend.array_module(x)
            return xp.asarray(xp.prod(x, axes, np.int64, keepdims=keepdims))
        folded, kept, order = three_axes(x, axes)
        self.saved = folded, order, x.shape
        return shaped(product_over(folded).reshape(kept), x.shape, axes, keepdims)

    def backward(self, dy: Any) -> Any:
        if self.saved is None:
            return dy
        x, order, shape = self.saved
        xp = backend.array_module(x)
        one = xp.ones((x.shape[0], 1, x.shape[2]), x.dtype)
        before = running_products(xp.concatenate([one, x[:, :-1]], 1), 1) if x.shape[1] else x
        after = running_products(xp.concatenate([x[:, 1:], one], 1), 1, True) if x.shape[1] else x
        dx = compute("multiply", compute("multiply", before, after), dy.reshape(x.shape[0], 1, x.shape[2]))
        if order is None:
            return dx.reshape(shape)
        return dx.reshape([shape[i] for i in order]).transpose(inverse(order))


class CumulativeSumFunction(Function):
    def forward(self, x: Any, axis: int) -> Any:
        self.saved = axis
        return running_sums(x, axis)

    def backward(self, dy: Any) -> Any:
        return running_sums(dy, self.saved, True)


class CumulativeProductFunction(Function):
    """y_j = x_0 ... x_j. dx_i = (sum over j >= i of dy_j y_j) / x_i up to the first 0, where that is left out of the
    products instead; beyond it every product is 0, and so is the gradient."""

    def forward(self, x: Any, axis: int) -> Any:
        y = running_products(x, axis)
        self.saved = x, y, axis
        return y

    def backward(self, dy: Any) -> Any:
        x, y, axis = self.saved
        zeros = compare("equal", x, backend.scalar(0, x))
        if backend.on_host(zeros) and not zeros.any():
            return compute("divide", running_sums(compute("multiply", dy, y), axis, True), x)
        count = backend.array_module(zeros).cumsum(zeros, axis)
        first = zeros & (count == 1)
        one, zero = backend.scalar(1, x), backend.scalar(0, x)
        without = choose(first, one, x, x.shape)
        at_first = running_sums(compute("multiply", dy, running_products(without, axis)), axis, True)
        ordinary = compute("divide", running_sums(compute("multiply", dy, y), axis, True), without)
        return choose(first, at_first, choose(count == 0, ordinary, zero, x.shape), x.shape)


def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The product over axes; 1 over none. Its gradient is right with zeros too. See `sum` for arguments and errors.

    Example:
        >>> import lamina as lm
        >>> lm.ops.prod(lm.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0).numpy().tolist()
        [3.0, 8.0]
    """
    x = number_tensor(x, "prod")
    return ProductFunction.apply((x,), reduced_axes("prod", axis, x.ndim), keepdims)


def cumsum(x: Any, axis: int | None = None) -> Tensor:
    """Running sums along an axis: the first value, the first two, and so on, added up in order.

    Args:
        x: tensor of any shape; float32, float64 or integers (whose sums are int64).
        axis: the axis; None takes all values row by row, as one axis.

    Returns:
        Tensor of the shape of x, or of one axis.

    Raises:
        ValueError: if the axis is out of range.
        TypeError: for an axis that is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.cumsum(lm.tensor([1.0, 2.0, 3.0])).numpy().tolist()
        [1.0, 3.0, 6.0]
    """
    return _cumulative("cumsum", x, axis, CumulativeSumFunction)


def cumprod(x: Any, axis: int | None = None) -> Tensor:
    """Running products along an axis; see `cumsum`. Its gradient is right with zeros too.

    Example:
        >>> import lamina as lm
        >>> lm.ops.cumprod(lm.tensor([1.0, 2.0, 3.0])).numpy().tolist()
        [1.0, 2.0, 6.0]
    """
    return _cumulative("cumprod", x, axis, CumulativeProductFunction)


def _cumulative(op: str, x: Any, axis: int | None, function: type[Function]) -> Tensor:
    x = number_tensor(x, op)
    if axis is None:
        x, axis = reshape(x, (-1,) if x.size else (0,)), 0
    axis = one_axis(op, axis, x.ndim)
    if x.array.dtype.kind != "f":
        return Tensor(getattr(backend.array_module(x.array), op)(x.array, axis, np.int64))
    return function.apply((x,), axis)
