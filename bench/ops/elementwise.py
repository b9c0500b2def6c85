"""What the memory-bound families share: y = op(x), then its gradient, over a tensor of 50 MB."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Case, Prepared

Op = Callable[[Any], Any]
Shape = tuple[int, ...]


def inputs(shape: Shape, output: Shape) -> Arrays:
    random = np.random.default_rng(0)
    return {"x": random.standard_normal(shape, np.float32), "dy": random.standard_normal(output, np.float32)}


def lamina_side(make: Callable[[], Op], backward: bool, a: Arrays) -> Prepared:
    op = make()
    x = ours.tensor(a["x"], backward)
    dy = ours.tensor(a["dy"])

    def both() -> Any:
        x.zero_grad()
        y = op(x)
        y.backward(dy)
        return y

    def answer() -> Arrays:
        if not backward:
            return {"y": op(x).numpy()}
        return {"y": both().numpy(), "dx": x.grad.numpy()}

    return Prepared(both if backward else lambda: op(x), answer)


def torch_side(make: Callable[[], Op], backward: bool, a: Arrays) -> Prepared:
    op = make()
    take = {4: peer.images, 5: peer.volumes}.get(a["x"].ndim, peer.tensor)
    give = {4: peer.from_images, 5: peer.from_volumes}.get(a["x"].ndim, peer.numpy)
    x = take(a["x"]).requires_grad_(backward)
    dy = take(a["dy"])

    def both() -> Any:
        x.grad = None
        y = op(x)
        y.backward(dy)
        return y

    def answer() -> Arrays:
        if not backward:
            return {"y": give(op(x))}
        return {"y": give(both()), "dx": give(x.grad)}

    return Prepared(both if backward else lambda: op(x), answer)


def pair(
    name: str,
    shape: Shape,
    output: Shape,
    lamina: Callable[[], Op],
    torch: Callable[[], Op],
    forward_bytes: float,
    backward_bytes: float,
    tolerance: float = 1e-4,
) -> list[Case]:
    """Two cases: forward alone, and forward with the gradient."""
    return [
        Case(
            name + (" + gradient" if backward else ""),
            partial(inputs, shape, output),
            partial(lamina_side, lamina, backward),
            partial(torch_side, torch, backward),
            gradients=backward,
            bytes=forward_bytes + (backward_bytes if backward else 0),
            tolerance=tolerance,
        )
        for backward in (False, True)
    ]
