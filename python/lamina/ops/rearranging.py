"""flip, roll, rot90: the same values in other places."""

from __future__ import annotations

import itertools
from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.kinds import is_integer
from lamina.ops.checks import integer
from lamina.ops.shapes import one_axis, reshape, swapaxes


class FlipFunction(Function):
    """A view."""

    linear = True

    def forward(self, x: Any, axes: tuple[int, ...]) -> Any:
        self.saved = (..., *[slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim)])
        return x[self.saved]

    def backward(self, dy: Any) -> Any:
        return dy[self.saved]


def rolled(x: Any, shifts: dict[int, int]) -> Any:
    """A copy, each axis moved on by its shift; what leaves at the end comes in at the start."""
    y = backend.empty(x.shape, x.dtype, like=x)
    pieces = []  # for each axis, pairs of places in y and x
    for axis, size in enumerate(x.shape):
        shift = shifts.get(axis, 0) % size if size else 0
        whole = [(slice(None), slice(None))]
        pieces.append(
            [(slice(shift, None), slice(None, size - shift)), (slice(None, shift), slice(size - shift, None))]
            if shift
            else whole
        )
    for part in itertools.product(*pieces):
        y[tuple([to for to, _ in part])] = x[tuple([of for _, of in part])]
    return y


class RollFunction(Function):
    linear = True

    def forward(self, x: Any, shifts: dict[int, int]) -> Any:
        self.saved = {axis: -shift for axis, shift in shifts.items()}
        return rolled(x, shifts)

    def backward(self, dy: Any) -> Any:
        return rolled(dy, self.saved)


def flip(x: Any, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """The elements in reverse order along an axis, several, or (None) all. A view.

    Raises:
        ValueError: if an axis is out of range.
        TypeError: if an axis is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.flip(lm.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1).numpy().tolist()
        [[2.0, 1.0], [4.0, 3.0]]
    """
    x = as_tensor(x)
    named = range(x.ndim) if axis is None else axis if isinstance(axis, tuple | list) else (axis,)
    return FlipFunction.apply((x,), tuple([one_axis("flip", a, x.ndim) for a in named]))


def roll(x: Any, shift: int | tuple[int, ...], axis: int | tuple[int, ...] | None = None) -> Tensor:
    """The elements moved along an axis; those that leave at one end come in at the other.

    Args:
        x: tensor of any shape and dtype.
        shift: by how many places; a number for each axis, or one for all.
        axis: the axis, or several; None: x is rolled as if it were flat.

    Raises:
        ValueError: if there are not as many shifts as axes, or an axis is out of range.
        TypeError: if one is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.roll(lm.tensor([1.0, 2.0, 3.0]), 1).numpy().tolist()
        [3.0, 1.0, 2.0]
    """
    x = as_tensor(x)
    shifts = tuple(shift) if isinstance(shift, tuple | list) else (shift,)
    for s in shifts:
        if not is_integer(s):
            raise TypeError(f"roll: shift must be integers, got {shift!r}")
    if axis is None:
        flat = RollFunction.apply((reshape(x, (x.size,)),), {0: sum(shifts)})
        return reshape(flat, x.shape)
    axes = tuple([one_axis("roll", a, x.ndim) for a in (axis if isinstance(axis, tuple | list) else (axis,))])
    if len(shifts) == 1:
        shifts = shifts * len(axes)
    if len(shifts) != len(axes):
        raise ValueError(f"roll: expected a shift for each axis, got {shift} for axes {axis}")
    moves: dict[int, int] = {}
    for a, s in zip(axes, shifts, strict=True):
        moves[a] = moves.get(a, 0) + int(s)
    return RollFunction.apply((x,), moves)


def rot90(x: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Tensor:
    """Quarter turns in the plane of two axes, from the first towards the second. A view.

    Args:
        x: tensor of two axes or more, of any dtype.
        k: how many quarter turns; negative ones go the other way.
        axes: the plane.

    Raises:
        ValueError: if axes are not two different ones, or out of range.
        TypeError: if k or an axis is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.rot90(lm.tensor([[1.0, 2.0], [3.0, 4.0]])).numpy().tolist()
        [[2.0, 4.0], [1.0, 3.0]]
    """
    x = as_tensor(x)
    k = integer(k, "rot90", "k")
    plane = [one_axis("rot90", a, x.ndim) for a in axes]
    if len(plane) != 2 or plane[0] == plane[1]:
        raise ValueError(f"rot90: axes must be two different ones, got {axes}")
    turns = k % 4
    if turns == 2:
        return flip(x, tuple(plane))
    if turns == 1:
        return swapaxes(flip(x, plane[1]), *plane)
    return flip(swapaxes(x, *plane), plane[1]) if turns else x
