"""Activations over 50 MB: one read and one write forward, two reads and one write for the gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from bench.case import Case
from bench.ops.elementwise import pair

DEFAULT_MALLOC = True
NAMES = ("relu", "sigmoid", "tanh", "gelu", "gelu tanh", "silu", "mish", "elu", "softplus", "leaky_relu", "softmax",
         "log_softmax", "softmax axis 1")  # fmt: skip


def ours(name: str) -> Callable[[Any], Any]:
    import lamina as lm

    if name == "gelu tanh":
        return partial(lm.ops.gelu, approximate=True)
    if name == "softmax axis 1":
        return partial(lm.ops.softmax, axis=1)
    return getattr(lm.ops, name)


def theirs(name: str) -> Callable[[Any], Any]:
    import torch
    from torch.nn import functional

    special = {
        "gelu tanh": partial(functional.gelu, approximate="tanh"),
        "leaky_relu": partial(functional.leaky_relu, negative_slope=0.2),
        "softmax": partial(torch.softmax, dim=-1),
        "log_softmax": partial(torch.log_softmax, dim=-1),
        "softmax axis 1": partial(torch.softmax, dim=1),
    }
    return special.get(name) or getattr(torch if hasattr(torch, name) else functional, name)


def cases(smoke: bool) -> list[Case]:
    found = []
    for name in NAMES:
        shape = (13, 37) if smoke else (12544, 1000)
        if name == "softmax axis 1":
            shape = (3, 5, 21) if smoke else (64, 250, 784)
        size = 4.0
        for n in shape:
            size *= n
        found += pair(
            f"{name} {'x'.join(map(str, shape))}",
            shape,
            shape,
            partial(ours, name),
            partial(theirs, name),
            2 * size,
            3 * size,
        )
    return found
