"""Losses over 50 MB, with their gradients."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Case, Prepared

DEFAULT_MALLOC = True
NAMES = (
    "softmax_cross_entropy",
    "sigmoid_cross_entropy",
    "mean_squared_error",
    "mean_absolute_error",
    "huber_loss",
    "kl_divergence_loss",
    "hinge_loss",
    "sigmoid_focal_cross_entropy",
    "cosine_similarity_loss",
)
LOGITS_FIRST = ("softmax_cross_entropy", "sigmoid_cross_entropy", "sigmoid_focal_cross_entropy")


def inputs(name: str, shape: tuple[int, int]) -> Arrays:
    random = np.random.default_rng(0)
    x = random.standard_normal(shape, np.float32)
    if name == "softmax_cross_entropy":
        return {"x": x, "target": random.integers(0, shape[1], shape[0])}
    if name in ("sigmoid_cross_entropy", "sigmoid_focal_cross_entropy"):
        return {"x": x, "target": random.integers(0, 2, shape).astype(np.float32)}
    if name == "kl_divergence_loss":
        return {key: random.uniform(0.01, 0.99, shape).astype(np.float32) for key in ("x", "target")}
    if name == "hinge_loss":
        return {"x": x, "target": random.choice(np.array([-1, 1], np.float32), shape)}
    return {"x": x, "target": random.standard_normal(shape, np.float32)}


def lamina_side(name: str, backward: bool, a: Arrays) -> Prepared:
    import lamina as lm

    x = ours.tensor(a["x"], backward)
    target = ours.tensor(a["target"])
    op = getattr(lm.ops, name)
    arguments = (x, target) if name in LOGITS_FIRST else (target, x)

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
    import torch
    from torch.nn import functional

    def focal(x: Any, t: Any) -> Any:
        p = torch.sigmoid(x)
        wrong = 1 - (p * t + (1 - p) * (1 - t))
        return (functional.binary_cross_entropy_with_logits(x, t, reduction="none") * wrong**2).mean()

    x = peer.tensor(a["x"]).requires_grad_(backward)
    target = peer.tensor(a["target"])
    op = {
        "softmax_cross_entropy": functional.cross_entropy,
        "sigmoid_cross_entropy": functional.binary_cross_entropy_with_logits,
        "mean_squared_error": functional.mse_loss,
        "mean_absolute_error": functional.l1_loss,
        "huber_loss": functional.huber_loss,
        "kl_divergence_loss": lambda x, t: functional.kl_div(torch.log(x), t, reduction="batchmean"),
        "hinge_loss": lambda x, t: torch.clamp(1 - t * x, min=0).mean(),
        "sigmoid_focal_cross_entropy": focal,
        "cosine_similarity_loss": lambda x, t: -functional.cosine_similarity(x, t, dim=-1).mean(),
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
            return {"loss": peer.numpy(forward())}
        return {"loss": peer.numpy(both()), "dx": peer.numpy(x.grad)}

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
