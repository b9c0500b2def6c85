"""concatenate, stack, split, unstack: tensors one after the other, and apart again."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd import operators
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor, as_tensor_list
from lamina.ops.checks import integer, same_dtype
from lamina.ops.shapes import expand_dims, one_axis, squeeze

LONG = 1 << 16  # elements of a row from which on each part is copied by itself, shared out among the threads


def join(arrays: Any, axis: int) -> Any:
    """Arrays of one dtype one after the other along an axis."""
    first = arrays[0]
    shape = (*first.shape[:axis], sum([a.shape[axis] for a in arrays]), *first.shape[axis + 1 :])
    y = backend.empty(shape, first.dtype, like=first)
    rows = math.prod(shape[:axis])
    columns = [math.prod(a.shape[axis:]) for a in arrays]
    parts = [backend.contiguous(a).reshape(rows, n) for a, n in zip(arrays, columns, strict=True)]
    whole = y.reshape(rows, sum(columns))
    if rows > 1 and max(columns) < LONG:
        backend.kernels(y).copy_parts(parts, columns, whole, True)
        return y
    begin = 0
    for part, count in zip(parts, columns, strict=True):
        backend.kernels(y).copy_columns(part, 0, whole, begin, count)
        begin += count
    return y


def parts_of(array: Any, shapes: Any, axis: int, needs: Any) -> tuple[Any, ...]:
    """Copies of the parts of an array, cut along an axis; None for those that are not needed."""
    array = backend.contiguous(array)
    rows = math.prod(array.shape[:axis])
    columns = [math.prod(shape[axis:]) for shape in shapes]
    whole = array.reshape(rows, sum(columns))
    found = [
        backend.empty(shape, array.dtype, like=array) if needed else None
        for shape, needed in zip(shapes, needs, strict=True)
    ]
    if rows > 1 and max(columns) < LONG:
        backend.kernels(array).copy_parts(found, columns, whole, False)
        return tuple(found)
    begin = 0
    for part, count in zip(found, columns, strict=True):
        if part is not None:
            backend.kernels(array).copy_columns(whole, begin, part.reshape(rows, count), 0, count)
        begin += count
    return tuple(found)


class ConcatenateFunction(Function):
    def forward(self, *arrays_and_axis: Any) -> Any:
        *arrays, axis = arrays_and_axis
        self.saved = [a.shape for a in arrays], axis
        return join(arrays, axis)

    def backward(self, dy: Any) -> Any:
        shapes, axis = self.saved
        return parts_of(dy, shapes, axis, self.needs)

    def graph_backward(self, dy: Any) -> Any:
        shapes, axis = self.saved
        cuts = np.cumsum([0, *[shape[axis] for shape in shapes]]).tolist()
        before = (slice(None),) * axis
        pairs = itertools.pairwise(cuts)
        return tuple([operators.getitem(dy, (*before, slice(*pair))) for pair in pairs])


class SplitFunction(Function):
    def forward(self, x: Any, cuts: list[int], axis: int) -> Any:
        parts = backend.array_module(x).split(x, cuts, axis)
        self.saved = [part.shape for part in parts], axis
        return tuple(parts)

    def backward(self, *dy: Any) -> Any:
        shapes, axis = self.saved
        first = next(d for d in dy if d is not None)
        pairs = zip(dy, shapes, strict=True)
        parts = [backend.zeros(shape, first.dtype, like=first) if d is None else d for d, shape in pairs]
        return join(parts, axis)


def concatenate(tensors: Any, axis: int = 0) -> Tensor:
    """Tensors one after the other along an axis that exists.

    Args:
        tensors: sequence of at least one tensor; they agree in dtype and in all other axes.
        axis: the axis that grows.

    Returns:
        Tensor.

    Raises:
        ValueError: for no tensors, shapes that do not fit, or an axis out of range.
        TypeError: if dtypes differ.

    Example:
        >>> import lamina as lm
        >>> lm.ops.concatenate([lm.tensor([1.0]), lm.tensor([2.0, 3.0])]).numpy().tolist()
        [1.0, 2.0, 3.0]
    """
    tensors = _sequence("concatenate", tensors)
    first = tensors[0].shape
    axis = one_axis("concatenate", axis, len(first))
    for t in tensors[1:]:
        if t.ndim != len(first) or any(t.shape[i] != n for i, n in enumerate(first) if i != axis):
            raise ValueError(f"concatenate: shapes {first} and {t.shape} differ beyond axis {axis}")
    return ConcatenateFunction.apply(tensors, axis)


def stack(tensors: Any, axis: int = 0) -> Tensor:
    """Tensors of one shape along a new axis.

    Raises:
        ValueError: for no tensors, different shapes, or an axis out of range.
        TypeError: if dtypes differ.

    Example:
        >>> import lamina as lm
        >>> lm.ops.stack([lm.tensor([1.0, 2.0]), lm.tensor([3.0, 4.0])], axis=1).numpy().tolist()
        [[1.0, 3.0], [2.0, 4.0]]
    """
    tensors = _sequence("stack", tensors)
    for t in tensors[1:]:
        if t.shape != tensors[0].shape:
            raise ValueError(f"stack: shapes must be equal, got {tensors[0].shape} and {t.shape}")
    axis = one_axis("stack", axis, tensors[0].ndim + 1)
    return ConcatenateFunction.apply(tuple([expand_dims(t, axis) for t in tensors]), axis)


def split(x: Any, indices_or_sections: int | list[int] | tuple[int, ...], axis: int = 0) -> tuple[Tensor, ...]:
    """Parts of x along an axis; views.

    Args:
        x: tensor of any shape and dtype.
        indices_or_sections: how many equal parts, or where each part but the first begins.
        axis: the axis that is cut.

    Returns:
        Tuple of tensors.

    Raises:
        ValueError: if the axis cannot be cut so.
        TypeError: if sections, indices or the axis are no integers.

    Example:
        >>> import lamina as lm
        >>> [part.numpy().tolist() for part in lm.ops.split(lm.tensor([1.0, 2.0, 3.0]), [1])]
        [[1.0], [2.0, 3.0]]
    """
    x = as_tensor(x)
    axis = one_axis("split", axis, x.ndim)
    length = x.shape[axis]
    if isinstance(indices_or_sections, list | tuple | np.ndarray):
        cuts = [integer(i, "split", "indices") for i in indices_or_sections]
        if any(not 0 <= a <= b <= length for a, b in zip([0, *cuts], [*cuts, length], strict=True)):
            raise ValueError(f"split: indices must increase from 0 to {length}, got {indices_or_sections}")
    else:
        sections = integer(indices_or_sections, "split", "sections")
        if sections < 1 or length % sections:
            raise ValueError(f"split: {length} elements cannot be cut into {sections} equal parts")
        cuts = list(range(length // sections, length, length // sections)) if length else [0] * (sections - 1)
    return SplitFunction.apply((x,), cuts, axis)


def unstack(x: Any, num: int | None = None, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices of x along an axis, which vanishes; views. Undoes `stack`.

    Args:
        x: tensor of any shape and dtype.
        num: how many slices there must be; None: as many as there are.
        axis: the axis that is cut.

    Raises:
        ValueError: if there are not num slices, or none.

    Example:
        >>> import lamina as lm
        >>> [part.numpy().tolist() for part in lm.ops.unstack(lm.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)]
        [[1.0, 3.0], [2.0, 4.0]]
    """
    x = as_tensor(x)
    axis = one_axis("unstack", axis, x.ndim)
    count = x.shape[axis]
    if count == 0 or num not in (None, count):
        raise ValueError(f"unstack: axis {axis} has {count} slices, expected {'at least one' if num is None else num}")
    return tuple([squeeze(part, axis) for part in split(x, count, axis)])


def _sequence(op: str, tensors: Any) -> tuple[Tensor, ...]:
    if not hasattr(tensors, "__iter__"):
        raise TypeError(f"{op}: expected a sequence of tensors, got {type(tensors).__name__}")
    tensors = tuple(as_tensor_list(tuple(tensors)))
    if not tensors:
        raise ValueError(f"{op}: expected at least one tensor")
    same_dtype(op, **{f"tensors[{i}]": t for i, t in enumerate(tensors)})
    return tensors
