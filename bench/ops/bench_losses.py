"""Losses over 50 MB, with their gradients."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Case, Prepared

DEFAULT_MALLOC = True
NAMES = ("softmax_cross_entropy", "sigmoid_cross_entropy", "mean_squared_error", "mean_absolute_error")


def inputs(name: str, shape: tuple[int, int]) -> Arrays:
    random = np.random.default_rng(0)
    x = random.standard_normal(shape, np.float32)
    if name == "softmax_cross_entropy":
        return {"x": x, "target": random.integers(0, shape[1], shape[0])}
    if name == "sigmoid_cross_entropy":
        return {"x": x, "target": random.integers(0, 2, shape).astype(np.float32)}
    return {"x": x, "target": random.standard_normal(shape, np.float32)}


def lamina_side(name: str, backward: bool, a: Arrays) -> Prepared:
    import lamina as lm

    x = ours.tensor(a["x"], backward)
    target = ours.tensor(a["target"])
    op = getattr(lm.ops, name)
    arguments = (target, x) if name.startswith("mean") else (x, target)

    def forward() -> Any:
        return op(*arguments)

    def both() -> Any:
        x.zero_grad()
        loss = forward()
        loss.backward()
        return loss

    def answer() -> Arrays:
        if not backward:
            return {"loss": np.asarray(forward().numpy())}
        return {"loss": np.asarray(both().numpy()), "dx": x.grad.numpy()}

    return Prepared(both if backward else forward, answer)


def torch_side(name: str, backward: bool, a: Arrays) -> Prepared:
    from torch.nn import functional

    x = peer.tensor(a["x"]).requires_grad_(backward)
    target = peer.tensor(a["target"])
    op = {
        "softmax_cross_entropy": functional.cross_entropy,
        "sigmoid_cross_entropy": functional.binary_cross_entropy_with_logits,
        "mean_squared_error": functional.mse_loss,
        "mean_absolute_error": functional.l1_loss,
    }[name]

    def forward() -> Any:
        return op(x, target)

    def both() -> Any:
        x.grad = None
        loss = forward()
        loss.backward()
        return loss

    def answer() -> Arrays:
        if not backward:
            return {"loss": forward().numpy()}
        return {"loss": both().detach().numpy(), "dx": x.grad.numpy()}

    return Prepared(both if backward else forward, answer)


def cases(smoke: bool) -> list[Case]:
    shape = (13, 37) if smoke else (12544, 1000)
    size = 4.0 * shape[0] * shape[1]
    found = []
    for name in NAMES:
        dense = 0 if name == "softmax_cross_entropy" else 1  # targets as large as x
        for backward in (False, True):
            found.append(
                Case(
                    name + (" + gradient" if backward else ""),
                    partial(inputs, name, shape),
                    partial(lamina_side, name, backward),
                    partial(torch_side, name, backward),
                    gradients=backward,
                    bytes=(1 + dense + backward) * size,  # read once, the gradient written in the same pass
                )
            )
    return found
