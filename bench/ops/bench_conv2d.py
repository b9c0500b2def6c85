"""All convolutions of ResNet-50 and VGG-16 at batch 16: forward, and forward with both gradients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Case, Prepared

BATCH = 16


@dataclass(frozen=True)
class Convolution:
    network: str
    size: int
    channels: int
    filters: int
    kernel: int
    stride: int = 1
    bias: bool = False

    @property
    def pad(self) -> int:
        return (self.kernel - 1) // 2

    @property
    def output(self) -> int:
        return (self.size + 2 * self.pad - self.kernel) // self.stride + 1

    @property
    def name(self) -> str:
        stride = f"s{self.stride}" if self.stride > 1 else ""
        return f"{self.network} {self.kernel}x{self.kernel}{stride} {self.channels}-{self.filters}@{self.size}"

    def flops(self, batch: int) -> float:
        return 2.0 * batch * self.output**2 * self.filters * self.kernel**2 * self.channels

    def bytes(self, batch: int) -> float:
        values = batch * (self.size**2 * self.channels + self.output**2 * self.filters)
        return 4.0 * (values + self.kernel**2 * self.channels * self.filters)


RESNET = [
    (224, 3, 64, 7, 2),
    (56, 64, 64, 1, 1),
    (56, 64, 64, 3, 1),
    (56, 64, 256, 1, 1),
    (56, 256, 64, 1, 1),
    (56, 256, 128, 1, 1),
    (56, 128, 128, 3, 2),
    (28, 128, 512, 1, 1),
    (56, 256, 512, 1, 2),
    (28, 512, 128, 1, 1),
    (28, 128, 128, 3, 1),
    (28, 512, 256, 1, 1),
    (28, 256, 256, 3, 2),
    (14, 256, 1024, 1, 1),
    (28, 512, 1024, 1, 2),
    (14, 1024, 256, 1, 1),
    (14, 256, 256, 3, 1),
    (14, 1024, 512, 1, 1),
    (14, 512, 512, 3, 2),
    (7, 512, 2048, 1, 1),
    (14, 1024, 2048, 1, 2),
    (7, 2048, 512, 1, 1),
    (7, 512, 512, 3, 1),
]
VGG = [
    (224, 3, 64),
    (224, 64, 64),
    (112, 64, 128),
    (112, 128, 128),
    (56, 128, 256),
    (56, 256, 256),
    (28, 256, 512),
    (28, 512, 512),
    (14, 512, 512),
]
ALL = [Convolution("resnet", *r) for r in RESNET] + [Convolution("vgg", *v, 3, bias=True) for v in VGG]
SMOKE = [Convolution("resnet", 8, 3, 16, 7, 2), Convolution("vgg", 8, 16, 16, 3, bias=True)]


def inputs(c: Convolution, batch: int) -> Arrays:
    random = np.random.default_rng(0)
    return {
        "x": random.standard_normal((batch, c.size, c.size, c.channels), np.float32),
        "kernel": random.standard_normal((c.kernel, c.kernel, c.channels, c.filters), np.float32),
        "bias": random.standard_normal(c.filters, np.float32),
        "dy": random.standard_normal((batch, c.output, c.output, c.filters), np.float32),
    }


def lamina_side(c: Convolution, backward: bool, a: Arrays) -> Prepared:
    import lamina as lm

    x = ours.tensor(a["x"], backward and c.channels > 3)  # a first layer's input wants no gradient
    kernel = ours.tensor(a["kernel"], backward)
    bias = ours.tensor(a["bias"], backward) if c.bias else None
    dy = ours.tensor(a["dy"])

    def forward() -> Any:
        return lm.ops.conv2d(x, kernel, bias, strides=c.stride, padding=c.pad)

    gradients = {"dw": kernel}
    if x.requires_grad:
        gradients["dx"] = x
    if bias is not None:
        gradients["db"] = bias
    return ours.prepared(forward, dy if backward else None, **gradients)


def torch_side(c: Convolution, backward: bool, a: Arrays) -> Prepared:
    from torch.nn import functional

    x = peer.images(a["x"]).requires_grad_(backward and c.channels > 3)
    kernel = peer.kernel(a["kernel"]).requires_grad_(backward)
    bias = peer.tensor(a["bias"]).requires_grad_(backward) if c.bias else None
    dy = peer.images(a["dy"])

    def forward() -> Any:
        return functional.conv2d(x, kernel, bias, stride=c.stride, padding=c.pad)

    gradients = {"dw": (kernel, peer.from_kernel)}
    if x.requires_grad:
        gradients["dx"] = (x, peer.from_images)
    if bias is not None:
        gradients["db"] = (bias, peer.numpy)
    return peer.prepared(forward, peer.from_images, dy if backward else None, **gradients)


def cases(smoke: bool) -> list[Case]:
    batch = 2 if smoke else BATCH
    found = []
    for c in SMOKE if smoke else ALL:
        for backward in (False, True):
            products = 1 if not backward else 2 if c.channels <= 3 else 3
            found.append(
                Case(
                    c.name + (" + gradients" if backward else ""),
                    partial(inputs, c, batch),
                    partial(lamina_side, c, backward),
                    partial(torch_side, c, backward),
                    gradients=backward,
                    flops=products * c.flops(batch),
                    bytes=products * c.bytes(batch),
                    tolerance=1e-3,
                )
            )
    return found
