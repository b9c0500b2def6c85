"""Sliding windows over one, two or three axes: what users say, checked, as kernels take it."""

from __future__ import annotations

from typing import Any

from lamina.ops.checks import integers as integers

Shape = tuple[int, ...]

SIDES = {1: "(left, right)", 2: "((top, bottom), (left, right))", 3: "((front, back), (top, bottom), (left, right))"}


def explicit_padding(padding: Any, rank: int, op: str) -> tuple[Shape, ...]:
    """(before, after) for each axis, from an integer or pairs. For one axis a pair may stand alone.

    Raises:
        TypeError: if they are no integers.
        ValueError: if they are not so many, or negative.
    """
    if not isinstance(padding, tuple | list):
        return (integers(padding, 2, op, "padding", 0),) * rank
    sides = (padding,) if rank == 1 and not any(isinstance(side, tuple | list) for side in padding) else padding
    if len(sides) != rank or not all(isinstance(side, tuple | list) for side in sides):
        raise ValueError(f"{op}: padding must be an integer or {SIDES[rank]}, got {padding!r}")
    return tuple([integers(side, 2, op, "padding", 0) for side in sides])


def window_of(op: str, size: Any, kernel: Any, strides: Any, padding: Any, dilation_rate: Any = 1) -> Shape:
    """A sliding window as kernels take it: strides, dilations, then padding before and after for each axis.

    Raises:
        ValueError: if a number is out of range, or the window is larger than the padded input.
        TypeError: where an integer is expected.
    """
    rank = len(size)
    steps = integers(strides, rank, op, "strides")
    dilation = integers(dilation_rate, rank, op, "dilation_rate")
    extent = tuple([d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)])
    if isinstance(padding, str):
        word = padding.lower()
        if word == "valid":
            sides: tuple[Shape, ...] = ((0, 0),) * rank
        elif word == "same":
            sides = tuple([_same(n, e, s) for n, e, s in zip(size, extent, steps, strict=True)])
        elif word == "causal" and rank == 1:
            sides = ((extent[0] - 1, 0),)
        else:
            words = '"valid", "same", "causal"' if rank == 1 else '"valid", "same"'
            raise ValueError(f"{op}: padding must be {words}, an integer or {SIDES[rank]}, got {padding!r}")
    else:
        sides = explicit_padding(padding, rank, op)
    padded = tuple([n + before + after for n, (before, after) in zip(size, sides, strict=True)])
    if max(*steps, *dilation, *padded, *extent) >= 2**31:
        raise ValueError(f"{op}: strides, dilation_rate and the padded size must be below 2**31")
    if any(e > n for e, n in zip(extent, padded, strict=True)):
        raise ValueError(f"{op}: the window of {extent} pixels is larger than the padded input of {padded} pixels")
    return (*steps, *dilation, *[p for side in sides for p in side])


def output_size(size: Any, kernel: Any, window: Shape) -> Shape:
    """The sizes of a sliding window's output."""
    rank = len(size)
    return tuple(
        [
            (size[i] + window[2 * rank + 2 * i] + window[2 * rank + 2 * i + 1] - window[rank + i] * (kernel[i] - 1) - 1)
            // window[i]
            + 1
            for i in range(rank)
        ]
    )


def _same(size: int, extent: int, stride: int) -> Shape:
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2
