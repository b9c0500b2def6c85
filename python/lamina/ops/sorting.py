"""sort, argsort, top_k, unique, searchsorted, bincount, histogram: order and frequency."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.checks import integer
from lamina.ops.gather import TakeAlongAxisFunction
from lamina.ops.shapes import one_axis, reshape


def sort(x: Any, axis: int | None = -1) -> Tensor:
    """The values along an axis from the smallest to the largest, NaN last. Each value keeps its gradient.

    Args:
        x: tensor of any shape and dtype.
        axis: the axis; None takes all values as one axis.

    Returns:
        Tensor of the shape of x (of one axis if the axis is None).

    Raises:
        ValueError: if the axis is out of range.
        TypeError: if it is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.sort(lm.tensor([[3.0, 1.0, 2.0]])).numpy().tolist()
        [[1.0, 2.0, 3.0]]
    """
    x = as_tensor(x)
    if axis is None:
        x, axis = reshape(x, (x.size,)), 0
    axis = one_axis("sort", axis, x.ndim)
    xp = backend.array_module(x.array)
    if not x.requires_grad:
        return Tensor(xp.sort(x.array, axis, kind="stable"))
    return TakeAlongAxisFunction.apply((x,), xp.argsort(x.array, axis, kind="stable"), axis)


def argsort(x: Any, axis: int | None = -1) -> Tensor:
    """The places of the values along an axis from the smallest to the largest, NaN last; equal ones in their order.

    See `sort` for arguments and errors.

    Returns:
        Tensor of int64.

    Example:
        >>> import lamina as lm
        >>> lm.ops.argsort(lm.tensor([3.0, 1.0, 1.0])).numpy().tolist()
        [1, 2, 0]
    """
    array = as_tensor(x).array
    if axis is None:
        array, axis = array.reshape(-1), 0
    return Tensor(backend.array_module(array).argsort(array, one_axis("argsort", axis, array.ndim), kind="stable"))


def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The k largest values along the last axis, and their places; of equal ones the first. A NaN is the largest.

    Args:
        x: tensor of shape (..., n).
        k: how many, from 1 to n.
        sorted: the largest first; if not, in the order of their places.

    Returns:
        (values, places), tensors of shape (..., k); places are int64 and have no gradient.

    Raises:
        ValueError: if k is out of range.
        TypeError: if k is no integer.

    Example:
        >>> import lamina as lm
        >>> values, places = lm.ops.top_k(lm.tensor([1.0, 3.0, 2.0]), 2)
        >>> values.numpy().tolist(), places.numpy().tolist()
        ([3.0, 2.0], [1, 2])
    """
    x = as_tensor(x)
    k = integer(k, "top_k", "k")
    if x.ndim == 0 or not 1 <= k <= x.shape[-1]:
        raise ValueError(f"top_k: k must be from 1 to the length of the last axis, got {k} for shape {x.shape}")
    xp = backend.array_module(x.array)
    backwards = xp.argsort(x.array[..., ::-1], -1, kind="stable")[..., ::-1]  # the last of equal ones, seen from behind
    places = xp.ascontiguousarray(x.shape[-1] - 1 - backwards[..., :k])
    if not sorted:
        places = xp.sort(places, -1)
    return TakeAlongAxisFunction.apply((x,), places, x.ndim - 1), Tensor(places.copy())


def unique(x: Any, return_inverse: bool = False, return_counts: bool = False) -> Any:
    """The different values of x, from the smallest to the largest. NaN counts as one value.

    Args:
        x: tensor of any shape and dtype.
        return_inverse: also give, for each value of x, its place among them.
        return_counts: also give how often each occurs.

    Returns:
        Tensor of one axis; with either flag a tuple of it and tensors of int64. No gradients.

    Example:
        >>> import lamina as lm
        >>> values, counts = lm.ops.unique([3, 1, 3], return_counts=True)
        >>> values.numpy().tolist(), counts.numpy().tolist()
        ([1, 3], [1, 2])
    """
    array = as_tensor(x).array
    values, inverse, counts = backend.array_module(array).unique(array, return_inverse=True, return_counts=True)
    found = [Tensor(values)]
    if return_inverse:
        found.append(Tensor(inverse.reshape(array.shape)))
    if return_counts:
        found.append(Tensor(counts))
    return tuple(found) if len(found) > 1 else found[0]


def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Tensor:
    """Where values would have to stand in a sorted sequence: before equal ones ("left"), or behind them ("right").

    Args:
        sorted_sequence: tensor of shape (n,), from the smallest to the largest.
        values: tensor of any shape.
        side: "left" or "right".

    Returns:
        Tensor of int64 of the shape of values, from 0 to n.

    Raises:
        ValueError: for another side, or a sequence of another shape or not in order.

    Example:
        >>> import lamina as lm
        >>> lm.ops.searchsorted([1.0, 2.0, 3.0], [2.0, 9.0]).numpy().tolist()
        [1, 3]
    """
    sequence = as_tensor(sorted_sequence).array
    if side not in ("left", "right"):
        raise ValueError(f'searchsorted: side must be "left" or "right", got {side!r}')
    if sequence.ndim != 1:
        raise ValueError(f"searchsorted: sorted_sequence must have shape (n,), got {sequence.shape}")
    if (sequence[1:] < sequence[:-1]).any():
        place = int((sequence[1:] < sequence[:-1]).argmax()) + 1
        raise ValueError(f"searchsorted: sorted_sequence must increase, got a smaller value at {place}")
    found = as_tensor(values, like=as_tensor(sorted_sequence)).array
    backend.refuse_mixed("searchsorted", sorted_sequence=sequence, values=found)
    xp = backend.array_module(sequence)
    return Tensor(xp.asarray(xp.searchsorted(sequence, found, side)))


def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Tensor:
    """How often each whole number from 0 on occurs in x, or the sum of its weights, added up in order in float64.

    Args:
        x: integers of shape (n,), none negative.
        weights: tensor of shape (n,), or None to count.
        minlength: the result has at least so many numbers.

    Returns:
        Tensor of shape (max(minlength, the largest of x + 1),): int64, or of the dtype of weights. No gradients.

    Raises:
        ValueError: for negative numbers, or shapes that do not fit.
        TypeError: if x are no integers.

    Example:
        >>> import lamina as lm
        >>> lm.ops.bincount([0, 2, 2], minlength=4).numpy().tolist()
        [1, 0, 2, 0]
    """
    array = as_tensor(x).array
    if array.ndim != 1:
        raise ValueError(f"bincount: x must have shape (n,), got {array.shape}")
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"bincount: x must be integers, got {array.dtype}")
    minlength = integer(minlength, "bincount", "minlength", 0)
    if array.size and array.min() < 0:
        raise ValueError(f"bincount: x must be at least 0, got {array[array < 0][0]} at {int((array < 0).argmax())}")
    array = array.astype(np.int64)
    if weights is None:
        return Tensor(backend.array_module(array).bincount(array, minlength=minlength).astype(np.int64))
    weighting = as_tensor(weights, like=as_tensor(x)).array
    backend.refuse_mixed("bincount", x=array, weights=weighting)
    if weighting.shape != array.shape:
        raise ValueError(f"bincount: weights must have shape {array.shape}, got {weighting.shape}")
    counts = np.bincount(backend.to_host(array), backend.to_host(weighting), minlength)  # in order: the CPU's work
    return Tensor(backend.moved(counts.astype(weighting.dtype), weighting))


def histogram(x: Any, bins: int = 10, range: tuple[float, float] | None = None) -> tuple[Tensor, Tensor]:
    """How many values of x fall into each of equal parts of a range; the last part includes its end.

    Args:
        x: tensor of any shape.
        bins: how many parts.
        range: (low, high); None for those of x. Values beyond do not count.

    Returns:
        (counts, edges): int64 of shape (bins,), and the edges of the parts, of shape (bins + 1,). No gradients.

    Raises:
        ValueError: if bins is less than 1, the range is none, or x has NaN or infinities and no range is given.

    Example:
        >>> import lamina as lm
        >>> counts, edges = lm.ops.histogram(lm.tensor([0.0, 0.5, 1.0, 2.0]), bins=2)
        >>> counts.numpy().tolist(), edges.numpy().tolist()
        ([2, 2], [0.0, 1.0, 2.0])
    """
    array = as_tensor(x).array
    bins = integer(bins, "histogram", "bins", 1)
    if range is not None and not range[0] < range[1]:
        raise ValueError(f"histogram: range must be (low, high) with low < high, got {range}")
    xp = backend.array_module(array)
    if range is None and not xp.isfinite(array).all():
        raise ValueError("histogram: x has NaN or infinities; give a range")
    counts, edges = xp.histogram(array, bins, range)
    return Tensor(counts.astype(np.int64)), Tensor(edges.astype(array.dtype if array.dtype.kind == "f" else np.float32))
