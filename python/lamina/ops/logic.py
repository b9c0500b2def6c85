"""Logic, of truth values and bit by bit, with broadcasting: tensors of booleans and integers, without gradients."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.tensor import Tensor, as_tensor, as_tensors
from lamina.ops.broadcasting import broadcast_shape
from lamina.ops.comparison import compare, compared


def _whole_arrays(op: str, *values: Any) -> list[Any]:
    tensors = as_tensors(*values) if len(values) == 2 else [as_tensor(v) for v in values]
    for t in tensors:
        if t.array.dtype.kind == "f":
            raise TypeError(f"{op}: expected booleans or integers, got {t.array.dtype}")
    if len(tensors) == 2:
        broadcast_shape(op, tensors[0].shape, tensors[1].shape)
        backend.refuse_mixed(op, a=tensors[0].array, b=tensors[1].array)
    return [t.array for t in tensors]


def _bits(op: str, a: Any, b: Any) -> Tensor:
    left, right = _whole_arrays(op, a, b)
    xp = backend.array_module(left)
    return Tensor(xp.asarray(getattr(xp, op)(left, right)))


def logical_and(a: Any, b: Any) -> Tensor:
    """Whether both are true (not 0), element by element; see `equal`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.logical_and([True, True], [True, False]).numpy().tolist()
        [True, False]
    """
    return compared("logical_and", a, b)


def logical_or(a: Any, b: Any) -> Tensor:
    """Whether either is true (not 0), element by element; see `equal`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.logical_or([True, True], [True, False]).numpy().tolist()
        [True, True]
    """
    return compared("logical_or", a, b)


def logical_xor(a: Any, b: Any) -> Tensor:
    """Whether exactly one is true (not 0), element by element; see `equal`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.logical_xor([True, True], [True, False]).numpy().tolist()
        [False, True]
    """
    return compared("logical_xor", a, b)


def logical_not(x: Any) -> Tensor:
    """Whether x is false (0), element by element.

    Args:
        x: tensor of any shape and dtype.

    Returns:
        Tensor of booleans of the same shape.

    Example:
        >>> import lamina as lm
        >>> lm.ops.logical_not([True, False]).numpy().tolist()
        [False, True]
    """
    array = as_tensor(x).array
    return Tensor(compare("equal", array, backend.scalar(0, array)))


def bitwise_and(a: Any, b: Any) -> Tensor:
    """a & b, bit by bit, for integers and booleans; see `equal`.

    Raises:
        ValueError: if the shapes do not broadcast.
        TypeError: for floats.

    Example:
        >>> import lamina as lm
        >>> lm.ops.bitwise_and([6, 1], [3, 1]).numpy().tolist()
        [2, 1]
    """
    return _bits("bitwise_and", a, b)


def bitwise_or(a: Any, b: Any) -> Tensor:
    """a | b, bit by bit, for integers and booleans; see `equal`.

    Raises:
        ValueError: if the shapes do not broadcast.
        TypeError: for floats.

    Example:
        >>> import lamina as lm
        >>> lm.ops.bitwise_or([6, 1], [3, 1]).numpy().tolist()
        [7, 1]
    """
    return _bits("bitwise_or", a, b)


def bitwise_xor(a: Any, b: Any) -> Tensor:
    """a ^ b, bit by bit, for integers and booleans; see `equal`.

    Raises:
        ValueError: if the shapes do not broadcast.
        TypeError: for floats.

    Example:
        >>> import lamina as lm
        >>> lm.ops.bitwise_xor([6, 1], [3, 1]).numpy().tolist()
        [5, 0]
    """
    return _bits("bitwise_xor", a, b)


def bitwise_not(x: Any) -> Tensor:
    """~x: every bit of an integer turned over; the opposite of a boolean.

    Raises:
        TypeError: for floats.

    Example:
        >>> import lamina as lm
        >>> lm.ops.bitwise_not([0, 5]).numpy().tolist()
        [-1, -6]
    """
    (array,) = _whole_arrays("bitwise_not", x)
    xp = backend.array_module(array)
    return Tensor(xp.asarray(xp.invert(array)))
