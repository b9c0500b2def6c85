"""Batch normalisation over 50 MB: training with its gradients, and inference."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Case, Prepared

DEFAULT_MALLOC = True
MOMENTUM = 0.99


def inputs(shape: tuple[int, ...]) -> Arrays:
    random = np.random.default_rng(0)
    channels = shape[-1]
    return {
        "x": random.standard_normal(shape, np.float32) * 2 + 1,
        "dy": random.standard_normal(shape, np.float32),
        "gamma": random.uniform(0.5, 1.5, channels).astype(np.float32),
        "beta": random.standard_normal(channels, np.float32),
        "mean": random.standard_normal(channels, np.float32),
        "variance": random.uniform(0.5, 1.5, channels).astype(np.float32),
    }


def lamina_side(training: bool, backward: bool, activation: str | None, a: Arrays) -> Prepared:
    import lamina as lm

    x = ours.tensor(a["x"], backward)
    gamma, beta = ours.tensor(a["gamma"], backward), ours.tensor(a["beta"], backward)
    mean, variance = (lm.Variable(a[key], key, trainable=False) for key in ("mean", "variance"))
    dy = ours.tensor(a["dy"])

    def forward() -> Any:
        return lm.ops.batch_norm(
            x, gamma, beta, mean, variance, momentum=MOMENTUM, training=training, activation=activation
        )

    return ours.prepared(forward, dy if backward else None, dx=x, dgamma=gamma, dbeta=beta)


def torch_side(training: bool, backward: bool, activation: str | None, a: Arrays) -> Prepared:
    from torch.nn import functional

    x = peer.images(a["x"]).requires_grad_(backward)
    gamma, beta = (peer.tensor(a[key]).requires_grad_(backward) for key in ("gamma", "beta"))
    mean, variance = peer.tensor(a["mean"]), peer.tensor(a["variance"])
    dy = peer.images(a["dy"])

    def forward() -> Any:
        y = functional.batch_norm(x, mean, variance, gamma, beta, training, 1 - MOMENTUM, 1e-3)
        return functional.relu(y, inplace=True) if activation else y

    gradients = {"dx": (x, peer.from_images), "dgamma": (gamma, peer.numpy), "dbeta": (beta, peer.numpy)}
    return peer.prepared(forward, peer.from_images, dy if backward else None, **gradients)


def cases(smoke: bool) -> list[Case]:
    shape = (2, 5, 5, 24) if smoke else (16, 112, 112, 64)
    size = 4.0 * np.prod(shape)
    rows = [
        ("inference", False, False, None, 2),
        ("training", True, False, None, 3),  # x twice: its mean and variance come first
        ("training + gradients", True, True, None, 3 + 5),  # x and dy twice, dx once
        ("training + relu + gradients", True, True, "relu", 3 + 7),
    ]
    return [
        Case(
            f"batch_norm {name}",
            partial(inputs, shape),
            partial(lamina_side, training, backward, activation),
            partial(torch_side, training, backward, activation),
            gradients=backward,
            bytes=passes * size,
            tolerance=2e-2 if activation and backward else 1e-3,  # a place or two at the kink shows in the sums
            kinks=1e-5 if activation and backward else 0,
        )
        for name, training, backward, activation, passes in rows
    ]
