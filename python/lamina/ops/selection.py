"""where: one of two tensors, element by element; cast: another dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.arithmetic import operands
from lamina.ops.broadcasting import broadcast_shape, reduce_to


def choose(condition: Any, a: Any, b: Any, shape: tuple[int, ...]) -> Any:
    """condition ? a : b, for arrays of one dtype."""
    y = backend.empty(shape, a.dtype, like=a)
    y[...] = b
    np.copyto(y, a, where=condition)
    return y


def narrowed(x: Any, dtype: Any) -> Any:
    """An array in another dtype; what does not fit into a narrower float becomes infinite, without a warning."""
    if x.dtype == dtype:
        return x
    y = backend.empty(x.shape, dtype, like=x)
    with np.errstate(over="ignore"):
        np.copyto(y, x, casting="unsafe")
    return y


class WhereFunction(Function):
    def forward(self, a: Any, b: Any, condition: Any, shape: tuple[int, ...]) -> Any:
        self.saved = condition, a.shape, b.shape
        return choose(condition, a, b, shape)

    def backward(self, dy: Any) -> Any:
        condition, a_shape, b_shape = self.saved
        zero = np.zeros((), dy.dtype)
        da = reduce_to(choose(condition, dy, zero, dy.shape), a_shape) if self.needs[0] else None
        return da, reduce_to(choose(~condition, dy, zero, dy.shape), b_shape) if self.needs[1] else None


class CastFunction(Function):
    def forward(self, x: Any, dtype: Any) -> Any:
        self.saved = x.dtype
        return narrowed(x, dtype)

    def backward(self, dy: Any) -> Any:
        return narrowed(dy, self.saved)


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """a where the condition holds, b elsewhere, with NumPy's broadcasting among the three.

    Args:
        condition: tensor of booleans, or of integers (0 is false).
        a: tensor (or array, or number).
        b: the same; dtypes as for `add`.

    Returns:
        Tensor of the common shape.

    Raises:
        ValueError: if the shapes do not broadcast.
        TypeError: if the condition is of floating point, or the dtypes of a and b differ.

    Example:
        >>> import lamina as lm
        >>> lm.ops.where([True, False], lm.tensor([1.0, 2.0]), 0).numpy().tolist()
        [1.0, 0.0]
    """
    chosen = as_tensor(condition).array
    if chosen.dtype.kind == "f":
        raise TypeError(f"where: condition must be booleans or integers, got {chosen.dtype}")
    a, b = operands("where", a, b)
    shape = broadcast_shape("where", broadcast_shape("where", a.shape, b.shape), chosen.shape)
    if a.dtype != b.dtype:  # of two integer dtypes the wider one
        dtype = np.result_type(a.dtype, b.dtype)
        a, b = cast(a, dtype), cast(b, dtype)
    return WhereFunction.apply((a, b), chosen.astype(bool, copy=False), shape)


def cast(x: Any, dtype: Any) -> Tensor:
    """x in another dtype. Gradients flow between float dtypes, and none through integers.

    Args:
        x: tensor of any shape and dtype.
        dtype: a NumPy dtype or its name: booleans, integers, or floats of up to 64 bits.

    Returns:
        Tensor of the same shape; x itself if it has that dtype.

    Raises:
        TypeError: for a dtype that is no number, complex or longer than 64 bits.

    Example:
        >>> import lamina as lm
        >>> lm.ops.cast(lm.tensor([1.5, -2.5]), "int32").numpy().tolist()
        [1, -2]
    """
    x = as_tensor(x)
    dtype = np.dtype(dtype)
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise TypeError(f"cast: dtype must be bool, integer or float up to 64 bits, got {dtype}")
    if x.dtype == dtype:
        return x
    return CastFunction.apply((x if dtype.kind == "f" and x.dtype.kind == "f" else x.detach(),), dtype)
