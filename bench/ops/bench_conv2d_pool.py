"""The first layers of small networks: a 3x3 convolution with relu, and a max pool of 2x2 behind it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Case, Prepared

BATCH = 32
DEFAULT_MALLOC = True

Images = tuple[int, int, int]  # size, channels, filters


def inputs(images: Images, batch: int) -> Arrays:
    size, channels, filters = images
    random = np.random.default_rng(0)
    pooled = (size - 2) // 2
    return {
        "x": random.standard_normal((batch, size, size, channels), np.float32),
        "kernel": random.standard_normal((3, 3, channels, filters), np.float32),
        "bias": random.standard_normal(filters, np.float32),
        "dy": random.standard_normal((batch, pooled, pooled, filters), np.float32),
    }


def lamina_side(backward: bool, a: Arrays) -> Prepared:
    from lamina.ops.conv2d_pool import conv2d_pool

    x, kernel, bias = ours.tensor(a["x"]), ours.tensor(a["kernel"], backward), ours.tensor(a["bias"], backward)
    dy = ours.tensor(a["dy"])

    def forward() -> Any:
        return conv2d_pool(x, kernel, bias, 1, "valid", 1, 1, "relu", 2, None, "valid")

    return ours.prepared(forward, dy if backward else None, dw=kernel, db=bias)


def torch_side(backward: bool, a: Arrays) -> Prepared:
    import torch
    from torch.nn import functional

    x, dy = peer.images(a["x"]), peer.images(a["dy"])
    kernel, bias = peer.kernel(a["kernel"]).requires_grad_(backward), peer.tensor(a["bias"]).requires_grad_(backward)

    def forward() -> Any:
        return functional.max_pool2d(torch.relu(functional.conv2d(x, kernel, bias)), 2)

    gradients = {"dw": (kernel, peer.from_kernel), "db": (bias, peer.numpy)}
    return peer.prepared(forward, peer.from_images, dy if backward else None, **gradients)


def cases(smoke: bool) -> list[Case]:
    found = []
    for images in [(8, 1, 4)] if smoke else [(28, 1, 32), (32, 3, 32), (64, 3, 16)]:
        size, channels, filters = images
        for backward in (False, True):
            found.append(
                Case(
                    f"conv2d + max_pool2d {channels}-{filters}@{size}" + (" + gradients" if backward else ""),
                    partial(inputs, images, BATCH),
                    partial(lamina_side, backward),
                    partial(torch_side, backward),
                    gradients=backward,
                    flops=(2 if backward else 1) * 2.0 * BATCH * (size - 2) ** 2 * 9 * channels * filters,
                    tolerance=1e-3,
                )
            )
    return found
