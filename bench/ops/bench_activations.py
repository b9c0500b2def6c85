"""Activations over 50 MB: one read and one write forward, two reads and one write for the gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from bench.case import Case
from bench.ops.elementwise import pair

DEFAULT_MALLOC = True
NAMES = ("relu", "sigmoid", "tanh", "softmax")


def ours(name: str) -> Callable[[Any], Any]:
    import lamina as lm

    return getattr(lm.ops, name)


def theirs(name: str) -> Callable[[Any], Any]:
    import torch

    return partial(torch.softmax, dim=-1) if name == "softmax" else getattr(torch, name)


def cases(smoke: bool) -> list[Case]:
    shape = (13, 37) if smoke else (12544, 1000)
    size = 4.0 * shape[0] * shape[1]
    found = []
    for name in NAMES:
        found += pair(
            f"{name} {shape[0]}x{shape[1]}",
            shape,
            shape,
            partial(ours, name),
            partial(theirs, name),
            2 * size,
            3 * size,
        )
    return found
