"""Pooling over 50 MB: (16, 112, 112, 64), and 113 where there is padding."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from bench.case import Case
from bench.ops.elementwise import pair

DEFAULT_MALLOC = True


def ours(kind: str, size: int, stride: int, pad: int) -> Callable[[Any], Any]:
    import lamina as lm

    op = lm.ops.max_pool2d if kind == "max" else lm.ops.avg_pool2d
    return partial(op, pool_size=size, strides=stride, padding="same" if pad else "valid")


def theirs(kind: str, size: int, stride: int, pad: int) -> Callable[[Any], Any]:
    from torch.nn import functional

    if kind == "max":
        return partial(functional.max_pool2d, kernel_size=size, stride=stride, padding=pad)
    return partial(functional.avg_pool2d, kernel_size=size, stride=stride, padding=pad, count_include_pad=False)


def cases(smoke: bool) -> list[Case]:
    batch, channels = (2, 20) if smoke else (16, 64)
    found = []
    for kind, size, stride, pad in (("max", 2, 2, 0), ("max", 3, 2, 1), ("avg", 2, 2, 0), ("avg", 3, 2, 1)):
        side = (8 if smoke else 112) + pad  # "same" pads an odd size by as much before as after, as the peer does
        out = (side + 2 * pad - size) // stride + 1
        x, y = (batch, side, side, channels), (batch, out, out, channels)
        read, written = 4.0 * batch * side * side * channels, 4.0 * batch * out * out * channels
        chosen = written / 4 if kind == "max" else 0  # one byte an output: which value of the window was the largest
        arguments = (kind, size, stride, pad)
        found += pair(
            f"{kind}_pool2d {size}x{size}s{stride}",
            x,
            y,
            partial(ours, *arguments),
            partial(theirs, *arguments),
            read + written,  # no_grad: nothing to remember
            2 * chosen + written + read,
        )
    return found
