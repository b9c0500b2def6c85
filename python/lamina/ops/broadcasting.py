"""Shapes under NumPy's broadcasting, and the way back for gradients."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd import operators


def broadcast_shape(op: str, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape of two.

    Raises:
        ValueError: if there is none.
    """
    if a == b or not b:
        return a
    if not a:
        return b
    shape = list(a if len(a) >= len(b) else b)
    for i in range(1, min(len(a), len(b)) + 1):
        m, n = a[-i], b[-i]
        if m != n and m != 1 and n != 1:
            raise ValueError(f"{op}: shapes {a} and {b} do not broadcast")
        shape[-i] = n if m == 1 else m
    return tuple(shape)


def reduce_to(array: Any, shape: tuple[int, ...]) -> Any:
    """Sums over the axes that broadcasting repeated, back to the shape of an operand."""
    if array.shape == shape:
        return array
    added = array.ndim - len(shape)
    axes = [*range(added), *(i + added for i, n in enumerate(shape) if n == 1 and array.shape[i + added] != 1)]
    return sum_over(array, tuple(axes)).reshape(shape)


def summed_to(tensor: Any, shape: tuple[int, ...]) -> Any:
    """`reduce_to` for tensors, made of ops: for rules that have gradients themselves."""
    if tensor.shape == shape:
        return tensor
    added = tensor.ndim - len(shape)
    axes = [*range(added), *(i + added for i, n in enumerate(shape) if n == 1 and tensor.shape[i + added] != 1)]
    return operators.reshape(operators.sum(tensor, tuple(axes), False), shape)


def three_axes(array: Any, axes: tuple[int, ...]) -> tuple[Any, tuple[int, ...], tuple[int, ...] | None]:
    """The array as (outer, reduced, inner) for kernels that reduce over `axes` (sorted, none negative, at least one).

    Returns:
        The contiguous array of three axes, the shape that is left, and the order of axes that brought the reduced ones
        together (None where they were).
    """
    first, last = axes[0], axes[-1] + 1
    order = None
    if last - first != len(axes):  # the reduced axes to the end
        order = (*[i for i in range(array.ndim) if i not in axes], *axes)
        first, last = array.ndim - len(axes), array.ndim
        array = array.transpose(order)
    shape = array.shape
    rows, length, count = math.prod(shape[:first]), math.prod(shape[first:last]), math.prod(shape[last:])
    return backend.contiguous(array).reshape(rows, length, count), shape[:first] + shape[last:], order


def inverse(order: Any) -> tuple[int, ...]:
    """The order of axes that undoes one."""
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def sum_over(array: Any, axes: tuple[int, ...]) -> Any:
    """The sum over some axes (sorted, none negative), which vanish. Fixed order: see csrc/ops/reduce_sum.h."""
    if not axes:
        return array
    folded, kept, _ = three_axes(array, axes)
    y = backend.empty(kept, array.dtype, like=array)
    backend.kernels(y).reduce_sum(folded, y)
    return y
