"""sum, mean, var, std, max, min: over some axes or all."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd import operators
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.ops.arithmetic import compute, number_tensor, scaled
from lamina.ops.broadcasting import inverse, sum_over, three_axes
from lamina.ops.checks import float_tensor


def reduced_axes(op: str, axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes that an `axis` argument names, none negative, in order; None names all.

    Raises:
        TypeError: if they are no integers.
        ValueError: if one is out of range or named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    axes = []
    for a in axis if isinstance(axis, tuple | list) else (axis,):
        if not is_integer(a):
            raise TypeError(f"{op}: axis must be None, an integer or a tuple of them, got {axis!r}")
        if not -ndim <= a < ndim:
            raise ValueError(f"{op}: axis {a} is out of range for {ndim} dimensions")
        axes.append(int(a) % ndim)
    if len(set(axes)) != len(axes):
        raise ValueError(f"{op}: axis names one axis twice: {axis!r}")
    return tuple(sorted(axes))


def kept_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with 1 for every reduced axis."""
    return tuple([1 if i in axes else n for i, n in enumerate(shape)])


def count_over(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    """How many values a result is made of."""
    return math.prod([shape[i] for i in axes])


def shaped(y: Any, shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> Any:
    """A reduced output with its reduced axes, of size 1, if they are to be kept."""
    return y.reshape(kept_shape(shape, axes)) if keepdims else y


def spread(dy: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """The gradient of a reduced output, repeated over what was reduced; a view."""
    return backend.array_module(dy).broadcast_to(dy.reshape(kept_shape(shape, axes)), shape)


class SumFunction(Function):
    linear = True

    def forward(self, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        self.saved = x.shape, axes
        xp = backend.array_module(x)
        y = sum_over(x, axes) if x.dtype.kind == "f" else xp.asarray(xp.sum(x, axes, np.int64))
        return shaped(y, x.shape, axes, keepdims)

    def backward(self, dy: Any) -> Any:
        return spread(dy, *self.saved)


class MeanFunction(Function):
    linear = True

    def forward(self, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        self.saved = x.shape, axes
        count = backend.scalar(count_over(x.shape, axes), x)
        return shaped(compute("divide", sum_over(x, axes), count), x.shape, axes, keepdims)

    def backward(self, dy: Any) -> Any:
        shape, axes = self.saved
        return spread(compute("divide", dy, backend.scalar(count_over(shape, axes), dy)), shape, axes)


class VarianceFunction(Function):
    def forward(self, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        count = backend.scalar(count_over(x.shape, axes), x)
        mean = compute("divide", sum_over(x, axes), count).reshape(kept_shape(x.shape, axes))
        centred = compute("subtract", x, mean)
        y = compute("divide", sum_over(compute("multiply", centred, centred), axes), count)
        if self.recording:
            self.saved = centred, axes
        return shaped(y, x.shape, axes, keepdims)

    def backward(self, dy: Any) -> Any:
        centred, axes = self.saved
        share = scaled(dy, 2 / builtins.max(1, count_over(centred.shape, axes)))
        return compute("multiply", centred, share.reshape(kept_shape(centred.shape, axes)))

    def graph_backward(self, dy: Any) -> Any:
        x: Any = self.inputs[0]
        axes = self.saved[1]
        factor = 2 / builtins.max(1, count_over(x.shape, axes))
        share = operators.reshape(operators.multiply(dy, factor), kept_shape(x.shape, axes))
        return operators.multiply(operators.subtract(x, mean(x, axes, True)), share)


class DeviationFunction(VarianceFunction):
    """The root of the variance: its slope is that of the variance times 1 / (2 y), and 0 where nothing deviates."""

    __slots__ = ("root",)
    root: Any

    def forward(self, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        variance = super().forward(x, axes, keepdims)
        self.root = backend.empty_like(variance)
        backend.kernels(variance).sqrt_forward(variance, self.root)
        return self.root

    def backward(self, dy: Any) -> Any:
        twice = scaled(self.root, 2)
        xp = backend.array_module(twice)
        twice = xp.where(twice == 0, twice.dtype.type(np.inf), twice)
        return super().backward(compute("divide", dy, twice))

    def graph_backward(self, dy: Any) -> Any:
        twice = operators.multiply(infinite_for_zero(self.output(self.root)), 2)
        return super().graph_backward(operators.divide(dy, twice))


def infinite_for_zero(root: Tensor) -> Tensor:
    """A root to divide by: what is divided by one that is 0, and all its gradients, become 0. Made of ops."""
    y = root.array
    return operators.add(root, Tensor(backend.array_module(y).where(y == 0, y.dtype.type(np.inf), y.dtype.type(0))))


class ExtremeOverFunction(Function):
    """max and min over axes. Places that share the extreme share the gradient."""

    def forward(self, x: Any, axes: tuple[int, ...], keepdims: bool, name: str) -> Any:
        shape = kept_shape(x.shape, axes) if keepdims else tuple([n for i, n in enumerate(x.shape) if i not in axes])
        if x.dtype.kind != "f":
            xp = backend.array_module(x)
            return xp.asarray((xp.max if name == "max" else xp.min)(x, axis=axes, keepdims=keepdims))
        y = backend.empty(shape, x.dtype, like=x)
        if not axes:
            self.saved = None
            y[...] = x
            return y
        folded, _, order = three_axes(x, axes)
        backend.kernels(x).reduce_extreme(folded, name == "max", y)
        self.saved = folded, y, order, x.shape
        return y

    def backward(self, dy: Any) -> Any:
        if self.saved is None:
            return dy
        folded, y, order, shape = self.saved
        dx = backend.empty_like(folded)
        backend.kernels(dx).reduce_extreme_backward(folded, y, backend.contiguous(dy), dx)
        if order is None:
            return dx.reshape(shape)
        return dx.reshape([shape[i] for i in order]).transpose(inverse(order))


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The sum over axes, in an order that depends on the shape alone.

    Args:
        x: tensor of any shape; float32, float64 or integers (whose sum is int64).
        axis: an integer, a tuple of them, or None for all; negative ones count from the end.
        keepdims: keep summed axes, with size 1.

    Returns:
        Tensor without the summed axes, of the dtype of x.

    Raises:
        ValueError: if an axis is out of range or named twice.
        TypeError: for an axis that is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.sum(lm.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0).numpy().tolist()
        [4.0, 6.0]
    """
    x = number_tensor(x, "sum")
    return SumFunction.apply((x,), reduced_axes("sum", axis, x.ndim), keepdims)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean over axes; NaN over none. Integers become float32. See `sum` for arguments and errors.

    Example:
        >>> import lamina as lm
        >>> lm.ops.mean(lm.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=-1).numpy().tolist()
        [1.5, 3.5]
    """
    x = float_tensor(x, "mean")
    return MeanFunction.apply((x,), reduced_axes("mean", axis, x.ndim), keepdims)


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The variance over axes, mean((x - mean(x))^2): that of a whole population, as in NumPy and Keras.

    Integers become float32. See `sum` for arguments and errors.

    Example:
        >>> import lamina as lm
        >>> lm.ops.var(lm.tensor([1.0, 3.0])).item()
        1.0
    """
    x = float_tensor(x, "var")
    return VarianceFunction.apply((x,), reduced_axes("var", axis, x.ndim), keepdims)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The standard deviation over axes, sqrt(var(x)). Its gradient is 0 where all values are equal. See `var`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.std(lm.tensor([1.0, 5.0])).item()
        2.0
    """
    x = float_tensor(x, "std")
    return DeviationFunction.apply((x,), reduced_axes("std", axis, x.ndim), keepdims)


def max(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The largest value over axes, NaN if there is one. Places that share it share the gradient.

    See `sum` for arguments and errors.

    Raises:
        ValueError: also if there is nothing to choose from.

    Example:
        >>> import lamina as lm
        >>> lm.ops.max(lm.tensor([[1.0, 2.0], [3.0, 0.0]]), axis=1).numpy().tolist()
        [2.0, 3.0]
    """
    return _extreme(x, axis, keepdims, "max")


def min(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The smallest value over axes; see `max`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.min(lm.tensor([[1.0, 2.0], [3.0, 0.0]]), axis=1).numpy().tolist()
        [1.0, 0.0]
    """
    return _extreme(x, axis, keepdims, "min")


def _extreme(x: Any, axis: Any, keepdims: bool, name: str) -> Tensor:
    x = number_tensor(x, name)
    axes = reduced_axes(name, axis, x.ndim)
    if count_over(x.shape, axes) == 0:
        raise ValueError(f"{name}: nothing to choose from over axes {axes} of shape {x.shape}")
    return ExtremeOverFunction.apply((x,), axes, keepdims, name)
