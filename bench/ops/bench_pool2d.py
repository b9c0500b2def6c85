"""Pooling over 50 MB: (16, 112, 112, 64), and 113 where there is padding; (4, 16, 56, 56, 64) in three dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from bench.case import Case
from bench.ops.elementwise import pair

DEFAULT_MALLOC = True


def ours(axes: int, kind: str, size: int, stride: int, pad: int) -> Callable[[Any], Any]:
    import lamina as lm

    op = getattr(lm.ops, f"{kind}_pool{axes}d")
    return partial(op, pool_size=size, strides=stride, padding="same" if pad else "valid")


def theirs(axes: int, kind: str, size: int, stride: int, pad: int) -> Callable[[Any], Any]:
    from torch.nn import functional

    op = partial(getattr(functional, f"{kind}_pool{axes}d"), kernel_size=size, stride=stride, padding=pad)
    return op if kind == "max" else partial(op, count_include_pad=False)


def ours_to(kind: str, outputs: int) -> Callable[[Any], Any]:
    import lamina as lm

    if outputs == 1:
        return partial(getattr(lm.ops, f"global_{kind}_pool"), keepdims=True)
    return partial(getattr(lm.ops, f"adaptive_{kind}_pool2d"), output_size=outputs)


def theirs_to(kind: str, outputs: int) -> Callable[[Any], Any]:
    from torch.nn import functional

    return partial(getattr(functional, f"adaptive_{kind}_pool2d"), output_size=outputs)


def windows(smoke: bool) -> list[Case]:
    found = []
    for axes, kind, size, stride, pad in (
        (2, "max", 2, 2, 0), (2, "max", 3, 2, 1), (2, "avg", 2, 2, 0), (2, "avg", 3, 2, 1),
        (3, "max", 2, 2, 0), (3, "max", 3, 2, 1), (3, "avg", 2, 2, 0), (3, "avg", 3, 2, 1),
    ):  # fmt: skip
        batch, sides, channels = (2, [8] * axes, 20) if smoke else (16, [112, 112], 64)
        if axes == 3 and not smoke:
            batch, sides = 4, [16, 56, 56]
        sides = [side + pad for side in sides]  # "same" pads an odd size by as much before as after, as the peer does
        outs = [(side + 2 * pad - size) // stride + 1 for side in sides]
        x, y = (batch, *sides, channels), (batch, *outs, channels)
        read, written = 4.0 * math.prod(x), 4.0 * math.prod(y)
        chosen = written / 4 if kind == "max" else 0  # one byte an output: which value of the window was the largest
        arguments = (axes, kind, size, stride, pad)
        found += pair(
            f"{kind}_pool{axes}d {'x'.join([str(size)] * axes)}s{stride}",
            x,
            y,
            partial(ours, *arguments),
            partial(theirs, *arguments),
            read + written,  # no_grad: nothing to remember
            2 * chosen + written + read,
        )
    return found


def cases(smoke: bool) -> list[Case]:
    found = windows(smoke)
    batch, side, channels = (2, 9, 20) if smoke else (16, 112, 64)
    for kind, outputs in (("avg", 1), ("max", 1), ("avg", 7), ("max", 7), ("avg", 9), ("max", 9)):
        x, y = (batch, side, side, channels), (batch, outputs, outputs, channels)
        read, written = 4.0 * math.prod(x), 4.0 * math.prod(y)
        name = f"global_{kind}_pool" if outputs == 1 else f"adaptive_{kind}_pool2d to {outputs}x{outputs}"
        sides = partial(ours_to, kind, outputs), partial(theirs_to, kind, outputs)
        found += pair(name, x, y, *sides, read + written, written + read)
    return found
