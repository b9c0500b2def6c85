"""Axes that an op works along, moved to the end where kernels want them."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.ops.shapes import transpose


def chosen_axes(axis: Any, shape: tuple[int, ...], op: str) -> tuple[int, ...]:
    """One axis or several, in growing order, none negative.

    Raises:
        TypeError: if they are no integers.
        ValueError: if x has no such axis, or one is named twice.
    """
    given = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    for a in given:
        if not is_integer(a):
            raise TypeError(f"{op}: axis must be an integer or a tuple of them, got {axis!r}")
        if not -len(shape) <= a < len(shape):
            raise ValueError(f"{op}: axis {a} is out of range for x of shape {shape}")
    axes = tuple(sorted(int(a) % len(shape) for a in given))
    if not axes or len(set(axes)) != len(axes):
        raise ValueError(f"{op}: axis must name at least one axis, and none twice, got {axis!r}")
    return axes


def to_end(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, tuple[int, ...] | None]:
    """x with these axes last, and the order that brings them back; None where they are last already."""
    rest = [a for a in range(x.ndim) if a not in axes]
    order = (*rest, *axes)
    if order == tuple(range(x.ndim)):
        return x, None
    back = [0] * x.ndim
    for place, a in enumerate(order):
        back[a] = place
    return transpose(x, order), tuple(back)
