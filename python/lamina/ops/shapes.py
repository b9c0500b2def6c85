"""reshape, flatten, squeeze, expand_dims, transpose, concatenate, stack, split: other shapes of the same values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.checks import same_dtype


def one_axis(op: str, axis: Any, ndim: int) -> int:
    """An axis counted from the front.

    Raises:
        TypeError: if it is no integer.
        ValueError: if it is out of range.
    """
    if isinstance(axis, bool) or not hasattr(axis, "__index__"):
        raise TypeError(f"{op}: axis must be an integer, got {axis!r}")
    if not -ndim <= axis < ndim:
        raise ValueError(f"{op}: axis {axis} is out of range for {ndim} dimensions")
    return int(axis) % ndim


class ReshapeFunction(Function):
    def forward(self, x: Any, shape: tuple[int, ...]) -> Any:
        self.saved = x.shape
        return backend.contiguous(x).reshape(shape)

    def backward(self, dy: Any) -> Any:
        return backend.contiguous(dy).reshape(self.saved)


class TransposeFunction(Function):
    def forward(self, x: Any, axes: tuple[int, ...]) -> Any:
        self.saved = axes
        return x.transpose(axes)

    def backward(self, dy: Any) -> Any:
        return dy.transpose(np.argsort(self.saved))


def join(arrays: Any, axis: int) -> Any:
    """Arrays of one dtype one after the other along an axis."""
    first = arrays[0]
    shape = (*first.shape[:axis], sum([a.shape[axis] for a in arrays]), *first.shape[axis + 1 :])
    y = backend.empty(shape, first.dtype, like=first)
    rows, begin = math.prod(shape[:axis]), 0
    whole = y.reshape(rows, math.prod(shape[axis:]))
    for array in arrays:
        columns = math.prod(array.shape[axis:])
        part = backend.contiguous(array).reshape(rows, columns)
        backend.kernels(y).copy_columns(part, 0, whole, begin, columns)
        begin += columns
    return y


def parts_of(array: Any, shapes: Any, axis: int) -> tuple[Any, ...]:
    """Copies of the parts of an array, cut along an axis."""
    array = backend.contiguous(array)
    rows, begin = math.prod(array.shape[:axis]), 0
    whole = array.reshape(rows, math.prod(array.shape[axis:]))
    parts = []
    for shape in shapes:
        columns = math.prod(shape[axis:])
        part = backend.empty(shape, array.dtype, like=array)
        backend.kernels(array).copy_columns(whole, begin, part.reshape(rows, columns), 0, columns)
        parts.append(part)
        begin += columns
    return tuple(parts)


class ConcatenateFunction(Function):
    def forward(self, *arrays_and_axis: Any) -> Any:
        *arrays, axis = arrays_and_axis
        self.saved = [a.shape for a in arrays], axis
        return join(arrays, axis)

    def backward(self, dy: Any) -> Any:
        return parts_of(dy, *self.saved)


class SplitFunction(Function):
    def forward(self, x: Any, cuts: list[int], axis: int) -> Any:
        parts = np.split(x, cuts, axis)
        self.saved = [part.shape for part in parts], axis
        return tuple(parts)

    def backward(self, *dy: Any) -> Any:
        shapes, axis = self.saved
        first = next(d for d in dy if d is not None)
        pairs = zip(dy, shapes, strict=True)
        parts = [backend.zeros(shape, first.dtype, like=first) if d is None else d for d, shape in pairs]
        return join(parts, axis)


def reshape(x: Any, shape: int | tuple[int, ...]) -> Tensor:
    """The same values, row by row, in another shape.

    Args:
        x: tensor of any shape and dtype.
        shape: sizes; one of them may be -1 and is what fits.

    Returns:
        Tensor of that shape; it shares the memory of x where x is contiguous.

    Raises:
        ValueError: if the numbers of elements differ, or sizes are negative.

    Example:
        >>> import lamina as lm
        >>> lm.ops.reshape(lm.tensor([[1.0, 2.0], [3.0, 4.0]]), (1, -1)).numpy().tolist()
        [[1.0, 2.0, 3.0, 4.0]]
    """
    x = as_tensor(x)
    sizes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    if -1 in sizes:
        known = math.prod([n for n in sizes if n != -1])
        if sizes.count(-1) == 1 and known > 0 and x.size % known == 0:
            sizes = tuple([x.size // known if n == -1 else n for n in sizes])
    if math.prod(sizes) != x.size or (sizes and min(sizes) < 0):
        raise ValueError(f"reshape: {x.size} elements of shape {x.shape} do not fit {shape}")
    return ReshapeFunction.apply((x,), sizes)


def flatten(x: Any) -> Tensor:
    """All axes but the first, in one.

    Args:
        x: tensor of shape (N, ...).

    Returns:
        Tensor of shape (N, the product of the others).

    Raises:
        ValueError: if x has no axes.

    Example:
        >>> import lamina as lm
        >>> lm.ops.flatten(lm.tensor([[[1.0, 2.0], [3.0, 4.0]]])).shape
        (1, 4)
    """
    x = as_tensor(x)
    if x.ndim == 0:
        raise ValueError("flatten: x must have shape (N, ...), got ()")
    return ReshapeFunction.apply((x,), (x.shape[0], math.prod(x.shape[1:])))


def squeeze(x: Any, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """Without axes of size 1: those named, or all.

    Raises:
        ValueError: if an axis is out of range or has another size.
        TypeError: if an axis is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.squeeze(lm.tensor([[[1.0], [2.0]]]), 0).shape
        (2, 1)
    """
    x = as_tensor(x)
    if axis is None:
        axes = {i for i, n in enumerate(x.shape) if n == 1}
    else:
        axes = {one_axis("squeeze", a, x.ndim) for a in (axis if isinstance(axis, tuple | list) else (axis,))}
    for a in axes:
        if x.shape[a] != 1:
            raise ValueError(f"squeeze: axis {a} must have size 1, got shape {x.shape}")
    return ReshapeFunction.apply((x,), tuple([n for i, n in enumerate(x.shape) if i not in axes]))


def expand_dims(x: Any, axis: int) -> Tensor:
    """With a new axis of size 1, which is then axis `axis`.

    Raises:
        ValueError: if the axis is out of range.
        TypeError: if it is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.expand_dims(lm.tensor([1.0, 2.0]), -1).shape
        (2, 1)
    """
    x = as_tensor(x)
    axis = one_axis("expand_dims", axis, x.ndim + 1)
    return ReshapeFunction.apply((x,), (*x.shape[:axis], 1, *x.shape[axis:]))


def transpose(x: Any, axes: tuple[int, ...] | None = None) -> Tensor:
    """The axes in another order; a view, which costs nothing.

    Args:
        x: tensor of any shape and dtype.
        axes: for each new axis the old one; None reverses them all.

    Raises:
        ValueError: if axes are not each axis once.
        TypeError: if they are no integers.

    Example:
        >>> import lamina as lm
        >>> lm.ops.transpose(lm.tensor([[1.0, 2.0], [3.0, 4.0]])).numpy().tolist()
        [[1.0, 3.0], [2.0, 4.0]]
    """
    x = as_tensor(x)
    if axes is None:
        order = tuple(range(x.ndim))[::-1]
    else:
        order = tuple([one_axis("transpose", a, x.ndim) for a in axes])
        if len(order) != x.ndim or len(set(order)) != x.ndim:
            raise ValueError(f"transpose: axes must name each of {x.ndim} axes once, got {axes}")
    return TransposeFunction.apply((x,), order)


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

    Example:
        >>> import lamina as lm
        >>> [part.numpy().tolist() for part in lm.ops.split(lm.tensor([1.0, 2.0, 3.0]), [1])]
        [[1.0], [2.0, 3.0]]
    """
    x = as_tensor(x)
    axis = one_axis("split", axis, x.ndim)
    length = x.shape[axis]
    if isinstance(indices_or_sections, list | tuple):
        cuts = [int(i) for i in indices_or_sections]
        if any(not 0 <= a <= b <= length for a, b in zip([0, *cuts], [*cuts, length], strict=True)):
            raise ValueError(f"split: indices must increase from 0 to {length}, got {indices_or_sections}")
    else:
        sections = int(indices_or_sections)
        if sections < 1 or length % sections:
            raise ValueError(f"split: {length} elements cannot be cut into {sections} equal parts")
        cuts = list(range(length // sections, length, length // sections)) if length else [0] * (sections - 1)
    return SplitFunction.apply((x,), cuts, axis)


def _sequence(op: str, tensors: Any) -> tuple[Tensor, ...]:
    tensors = tuple([as_tensor(t) for t in tensors])
    if not tensors:
        raise ValueError(f"{op}: expected at least one tensor")
    same_dtype(op, **{f"tensors[{i}]": t for i, t in enumerate(tensors)})
    return tensors
