"""reshape, flatten, squeeze, expand_dims, transpose, moveaxis, swapaxes: other shapes of the same values."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.broadcasting import inverse
from lamina.ops.checks import integer, sizes


def one_axis(op: str, axis: Any, ndim: int) -> int:
    """An axis counted from the front.

    Raises:
        TypeError: if it is no integer.
        ValueError: if it is out of range.
    """
    axis = integer(axis, op, "axis")
    if not -ndim <= axis < ndim:
        raise ValueError(f"{op}: axis {axis} is out of range for {ndim} dimensions")
    return axis % ndim


class ReshapeFunction(Function):
    linear = True

    def forward(self, x: Any, shape: tuple[int, ...]) -> Any:
        self.saved = x.shape
        return backend.contiguous(x).reshape(shape)

    def backward(self, dy: Any) -> Any:
        return backend.contiguous(dy).reshape(self.saved)


class TransposeFunction(Function):
    linear = True

    def forward(self, x: Any, axes: tuple[int, ...]) -> Any:
        self.saved = axes
        return x.transpose(axes)

    def backward(self, dy: Any) -> Any:
        return dy.transpose(inverse(self.saved))


def reshape(x: Any, shape: int | tuple[int, ...]) -> Tensor:
    """The same values, row by row, in another shape.

    Args:
        x: tensor of any shape and dtype.
        shape: sizes; one of them may be -1 and is what fits.

    Returns:
        Tensor of that shape; it shares the memory of x where x is contiguous.

    Raises:
        ValueError: if the numbers of elements differ, or sizes are negative.
        TypeError: if sizes are no integers.

    Example:
        >>> import lamina as lm
        >>> lm.ops.reshape(lm.tensor([[1.0, 2.0], [3.0, 4.0]]), (1, -1)).numpy().tolist()
        [[1.0, 2.0, 3.0, 4.0]]
    """
    x = as_tensor(x)
    given = sizes(shape, "reshape", None)
    if -1 in given:
        known = math.prod([n for n in given if n != -1])
        if given.count(-1) == 1 and known > 0 and x.size % known == 0:
            given = tuple([x.size // known if n == -1 else n for n in given])
    if math.prod(given) != x.size or (given and min(given) < 0):
        raise ValueError(f"reshape: {x.size} elements of shape {x.shape} do not fit {shape}")
    return ReshapeFunction.apply((x,), given)


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
        named = axes if isinstance(axes, tuple | list) else (axes,)
        order = tuple([one_axis("transpose", a, x.ndim) for a in named])
        if len(order) != x.ndim or len(set(order)) != x.ndim:
            raise ValueError(f"transpose: axes must name each of {x.ndim} axes once, got {axes}")
    return TransposeFunction.apply((x,), order)


def moveaxis(x: Any, source: Any, destination: Any) -> Tensor:
    """Axes moved to other places; the others keep their order. A view.

    Args:
        x: tensor of any shape and dtype.
        source: an axis, or several.
        destination: where each of them goes.

    Raises:
        ValueError: if there are not as many places as axes, one is named twice, or one is out of range.
        TypeError: if one is no integer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.ops.moveaxis(np.zeros((1, 2, 3)), 0, -1).shape
        (2, 3, 1)
    """
    x = as_tensor(x)
    from_ = [one_axis("moveaxis", a, x.ndim) for a in (source if isinstance(source, tuple | list) else (source,))]
    to = [
        one_axis("moveaxis", a, x.ndim)
        for a in (destination if isinstance(destination, tuple | list) else (destination,))
    ]
    if len(from_) != len(to) or len(set(from_)) != len(from_) or len(set(to)) != len(to):
        raise ValueError(
            f"moveaxis: source and destination must name as many axes, each once, got {source} and {destination}"
        )
    order = [i for i in range(x.ndim) if i not in from_]
    for place, axis in sorted(zip(to, from_, strict=True)):
        order.insert(place, axis)
    return TransposeFunction.apply((x,), tuple(order))


def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """Two axes in each other's place. A view.

    Raises:
        ValueError: if an axis is out of range.
        TypeError: if an axis is no integer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.ops.swapaxes(np.zeros((1, 2, 3)), 0, 2).shape
        (3, 2, 1)
    """
    x = as_tensor(x)
    a, b = one_axis("swapaxes", axis1, x.ndim), one_axis("swapaxes", axis2, x.ndim)
    order = list(range(x.ndim))
    order[a], order[b] = b, a
    return TransposeFunction.apply((x,), tuple(order))
