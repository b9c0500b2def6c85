"""pad: more at the edges, by a constant, mirrored, repeated or wrapped around."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd import operators
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.resample import ResampleFunction, Taps, taps

Widths = tuple[tuple[int, int], ...]
MODES = ("constant", "reflect", "symmetric", "edge", "wrap")


class ConstantPadFunction(Function):
    def forward(self, x: Any, widths: Widths, value: float) -> Any:
        self.saved = x.shape, widths
        return padded(x, widths, value)

    def backward(self, dy: Any) -> Any:
        return cropped(dy, *self.saved)

    def graph_backward(self, dy: Any) -> Any:
        shape, widths = self.saved
        return operators.getitem(dy, tuple([slice(b, b + n) for n, (b, _) in zip(shape, widths, strict=True)]))


def _rows(shape: tuple[int, ...], widths: Widths) -> tuple[int, int, Any]:
    """The last padded axis, the elements behind it, and the numbers of the padded array's rows that hold x's rows."""
    last = max(i for i, (before, after) in enumerate(widths) if before or after)
    sizes = [n + before + after for n, (before, after) in zip(shape, widths, strict=True)]
    numbers = np.arange(math.prod(sizes[:last])).reshape(sizes[:last])
    inside = tuple([slice(before, before + n) for n, (before, _) in zip(shape[:last], widths, strict=False)])
    return last, math.prod(shape[last + 1 :]), np.asarray(numbers[inside])


def padded(x: Any, widths: Widths, value: float) -> Any:
    """A copy with a constant around."""
    last, inner, inside = _rows(x.shape, widths)
    shape = tuple([n + before + after for n, (before, after) in zip(x.shape, widths, strict=True)])
    y = backend.empty(shape, x.dtype, like=x)
    rows, columns = math.prod(shape[:last]), shape[last] * inner
    index = None
    if rows != inside.size:
        index = np.full(rows, -1, np.int64)
        index[inside.reshape(-1)] = np.arange(inside.size)
        index = backend.moved(index, x)
    before, after = widths[last]
    count = x.shape[last] * inner
    backend.kernels(x).copy_columns(
        backend.contiguous(x).reshape(inside.size, count), 0, y.reshape(rows, columns), before * inner, count,
        index, before * inner, after * inner, backend.scalar(value, x),
    )  # fmt: skip
    return y


def cropped(y: Any, shape: tuple[int, ...], widths: Widths) -> Any:
    """A copy of what padding to y was put around."""
    last, inner, inside = _rows(shape, widths)
    x = backend.empty(shape, y.dtype, like=y)
    count = shape[last] * inner
    rows, columns = math.prod(y.shape[:last]), y.shape[last] * inner
    index = None if rows == inside.size else backend.moved(np.ascontiguousarray(inside).reshape(-1), y)
    backend.kernels(y).copy_columns(
        backend.contiguous(y).reshape(rows, columns), widths[last][0] * inner, x.reshape(inside.size, count), 0, count,
        index,
    )  # fmt: skip
    return x


def mirror(size: int, before: int, after: int, mode: str) -> Any:
    """For each place of a padded axis the place of x that it shows."""
    places = np.arange(-before, size + after)
    if mode == "edge":
        return np.clip(places, 0, size - 1)
    if mode == "wrap":
        return places % size
    period = 2 * size if mode == "symmetric" else max(1, 2 * (size - 1))
    places = places % period
    return np.where(places < size, places, period - places - (mode == "symmetric"))


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Tensor:
    """x with more elements at the edges.

    Args:
        x: tensor of any shape; integers for "constant" only as they are, else float32 or float64.
        pad_width: for each axis (before, after); one pair or one integer counts for all axes.
        mode: "constant"; "reflect" (c b | a b c | b a: mirrored at the outermost elements), "symmetric"
            (b a | a b c | c b: mirrored at the edges), "edge" (a a | a b c | c c), "wrap" (b c | a b c | a b).
        constant_values: what "constant" pads with; None for 0.

    Returns:
        Tensor of the same dtype.

    Raises:
        ValueError: for an unknown mode, negative widths, a pad_width that does not fit x, constant_values with another
            mode, or more elements than there are: "reflect" has size - 1 at most, "symmetric" and "wrap" size, "edge"
            needs one.
        TypeError: if widths are no integers.

    Example:
        >>> import lamina as lm
        >>> lm.ops.pad(lm.tensor([1.0, 2.0, 3.0]), ((2, 1),), mode="reflect").numpy().tolist()
        [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]
    """
    x = as_tensor(x)
    widths = pad_widths(pad_width, x.ndim)
    if mode not in MODES:
        raise ValueError(f"pad: mode must be one of {', '.join(MODES)}, got {mode!r}")
    if mode != "constant" and constant_values is not None:
        raise ValueError(f'pad: constant_values go with mode "constant" only, got mode {mode!r}')
    if any(n + sum(w) >= 2**62 for n, w in zip(x.shape, widths, strict=True)):
        raise ValueError(f"pad: pad_width is too large, got {pad_width!r}")
    if not any(before or after for before, after in widths):
        return x
    if mode == "constant":
        value = 0 if constant_values is None else constant_values
        if isinstance(value, Tensor) or backend.is_array(value):
            value = value.item()  # type: ignore[union-attr]
        return ConstantPadFunction.apply((x,), widths, value)
    maps: dict[int, Taps] = {}
    for axis, (before, after) in enumerate(widths):
        if before or after:
            size = x.shape[axis]
            most = max(0, {"reflect": size - 1, "edge": 2**62 if size else 0}.get(mode, size))
            if max(before, after) > most:
                raise ValueError(
                    f'pad: mode "{mode}" can add {most} at most to axis {axis} of size {size}, got {before} and {after}'
                )
            maps[axis] = taps(size, mirror(size, before, after, mode))
    if x.dtype.kind == "f" and x.dtype.itemsize >= 4:
        return ResampleFunction.apply((x,), maps)
    if x.dtype.kind == "f":
        raise TypeError(f"pad: x must be float32, float64 or integers, got {x.dtype}")
    array = x.array
    for axis, of in maps.items():
        array = backend.array_module(array).take(array, backend.moved(of.index, array), axis)
    return Tensor(array)


def pad_widths(pad_width: Any, ndim: int) -> Widths:
    """A pair for each axis, from what a user passed.

    Raises:
        TypeError: if they are no integers.
        ValueError: if they are negative or do not fit the number of axes.
    """
    given = np.asarray(pad_width)
    if given.dtype.kind not in "iu":
        if given.size == 0 and ndim == 0:
            return ()
        raise TypeError(f"pad: pad_width must be integers, got {pad_width!r}")
    if given.shape not in ((), (1,), (2,), (1, 2), (ndim, 2)):
        raise ValueError(f"pad: pad_width must be a pair (before, after) for each of {ndim} axes, got {pad_width!r}")
    if (given < 0).any():
        raise ValueError(f"pad: pad_width must not be negative, got {pad_width!r}")
    pairs = np.broadcast_to(given, (ndim, 2)).tolist()
    return tuple([(before, after) for before, after in pairs])
