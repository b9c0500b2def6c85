"""The convolution family beside PyTorch's: depthwise, small groups, dilated, transposed, one and three dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Case, Prepared

BATCH = 16


@dataclass(frozen=True)
class Convolution:
    """Square (or cubic) images, kernels, strides.

    Padding is half the kernel's reach on both sides; a transposed convolution's output is `stride` times as large.
    """

    network: str
    size: int
    channels: int
    filters: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    groups: int = 1
    transposed: bool = False
    rank: int = 2

    @property
    def pad(self) -> int:
        reach = self.dilation * (self.kernel - 1) + 1
        return (reach - self.stride + 1) // 2 if self.transposed else reach // 2

    @property
    def output_padding(self) -> int:
        return self.stride + 2 * self.pad - self.kernel  # of a transposed convolution

    @property
    def output(self) -> int:
        if self.transposed:
            return self.size * self.stride
        return (self.size + 2 * self.pad - self.dilation * (self.kernel - 1) - 1) // self.stride + 1

    @property
    def name(self) -> str:
        marks = "".join(f"{mark}{value}" for mark, value in (("s", self.stride), ("d", self.dilation)) if value > 1)
        kernel = "x".join([str(self.kernel)] * self.rank)
        groups = f" g{self.groups}" if self.groups > 1 else ""
        channels = f"{self.channels}-{self.filters}" if self.groups < self.channels else str(self.channels)
        return f"{self.network} {kernel}{marks} {channels}@{self.size}{groups}"

    def kernel_shape(self) -> tuple[int, ...]:
        ends = (self.filters, self.channels) if self.transposed else (self.channels // self.groups, self.filters)
        return (self.kernel,) * self.rank + ends

    def flops(self, batch: int) -> float:
        small = self.size if self.transposed else self.output
        return 2.0 * batch * small**self.rank * math.prod(self.kernel_shape())

    def bytes(self, batch: int) -> float:
        values = self.size**self.rank * self.channels + self.output**self.rank * self.filters
        return 4.0 * (batch * values + math.prod(self.kernel_shape()))


def depthwise(network: str, size: int, channels: int, kernel: int, stride: int = 1) -> Convolution:
    return Convolution(network, size, channels, channels, kernel, stride, groups=channels)


ALL = [
    depthwise("depthwise", 112, 32, 3),
    depthwise("depthwise", 112, 64, 3, 2),
    depthwise("depthwise", 56, 128, 3),
    depthwise("depthwise", 56, 128, 3, 2),
    depthwise("depthwise", 28, 256, 3),
    depthwise("depthwise", 14, 512, 3),
    depthwise("depthwise", 7, 1024, 3),
    depthwise("depthwise", 28, 240, 5),
    depthwise("depthwise", 14, 672, 5),
    depthwise("depthwise", 14, 672, 5, 2),
    depthwise("depthwise", 7, 1152, 5),
    depthwise("depthwise", 56, 96, 7),
    depthwise("depthwise", 14, 384, 7),
    depthwise("depthwise", 7, 768, 7),
    Convolution("groups", 56, 128, 128, 3, groups=64),
    Convolution("groups", 56, 128, 128, 3, groups=32),
    Convolution("groups", 56, 256, 256, 3, 2, groups=32),
    Convolution("groups", 28, 256, 256, 3, groups=32),
    Convolution("groups", 14, 512, 512, 3, groups=32),
    Convolution("dilated", 56, 64, 64, 3, dilation=2),
    Convolution("dilated", 28, 256, 256, 3, dilation=2),
    Convolution("dilated", 28, 256, 256, 3, dilation=4),
    Convolution("transposed", 8, 512, 256, 4, 2, transposed=True),
    Convolution("transposed", 16, 256, 128, 4, 2, transposed=True),
    Convolution("transposed", 32, 128, 64, 4, 2, transposed=True),
    Convolution("transposed", 28, 256, 128, 2, 2, transposed=True),
    Convolution("transposed", 56, 128, 64, 2, 2, transposed=True),
    Convolution("transposed", 28, 128, 64, 3, 2, transposed=True),
    Convolution("transposed", 28, 128, 128, 3, transposed=True),
    Convolution("conv1d", 1024, 128, 128, 3, rank=1),
    Convolution("conv1d", 1024, 128, 128, 3, dilation=4, rank=1),
    Convolution("conv3d", 16, 32, 64, 3, rank=3),
    Convolution("conv3d", 16, 64, 64, 3, 2, rank=3),
]
SMOKE = [
    depthwise("depthwise", 8, 16, 3),
    Convolution("groups", 8, 16, 16, 3, groups=4),
    Convolution("dilated", 8, 16, 16, 3, dilation=2),
    Convolution("transposed", 6, 16, 8, 4, 2, transposed=True),
    Convolution("conv1d", 16, 8, 8, 3, rank=1),
    Convolution("conv3d", 6, 4, 8, 3, rank=3),
]


def inputs(c: Convolution, batch: int) -> Arrays:
    random = np.random.default_rng(0)
    return {
        "x": random.standard_normal((batch, *(c.size,) * c.rank, c.channels), np.float32),
        "kernel": random.standard_normal(c.kernel_shape(), np.float32),
        "dy": random.standard_normal((batch, *(c.output,) * c.rank, c.filters), np.float32),
    }


def lamina_side(c: Convolution, backward: bool, a: Arrays) -> Prepared:
    import lamina as lm

    x, kernel, dy = ours.tensor(a["x"], backward), ours.tensor(a["kernel"], backward), ours.tensor(a["dy"])
    name = f"conv{c.rank}d{'_transpose' if c.transposed else ''}"
    sides = ((c.pad, c.pad),) * c.rank if c.rank > 1 else (c.pad, c.pad)

    def forward() -> Any:
        op = getattr(lm.ops, name)
        if c.transposed:
            return op(x, kernel, strides=c.stride, padding=c.pad, output_padding=c.output_padding)
        return op(x, kernel, strides=c.stride, padding=sides, dilation_rate=c.dilation, groups=c.groups)

    return ours.prepared(forward, dy if backward else None, dw=kernel, dx=x)


def torch_side(c: Convolution, backward: bool, a: Arrays) -> Prepared:
    import torch
    from torch.nn import functional

    layout = {1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d}[c.rank]

    def images(array: np.ndarray[Any, Any]) -> Any:
        moved = torch.from_numpy(array).permute(0, c.rank + 1, *range(1, c.rank + 1))
        return peer.placed(moved).clone(memory_format=layout)

    weight = peer.placed(torch.from_numpy(a["kernel"]).permute(c.rank + 1, c.rank, *range(c.rank)))
    weight = weight.clone(memory_format=layout)
    x, weight, dy = images(a["x"]).requires_grad_(backward), weight.requires_grad_(backward), images(a["dy"])
    transposed = getattr(functional, f"conv_transpose{c.rank}d")
    plain = getattr(functional, f"conv{c.rank}d")

    def forward() -> Any:
        if c.transposed:
            return transposed(x, weight, stride=c.stride, padding=c.pad, output_padding=c.output_padding)
        return plain(x, weight, stride=c.stride, padding=c.pad, dilation=c.dilation, groups=c.groups)

    def from_images(y: Any) -> Any:
        return peer.numpy(y.permute(0, *range(2, c.rank + 2), 1))

    def from_kernel(dw: Any) -> Any:
        return peer.numpy(dw.permute(*range(2, c.rank + 2), 1, 0))

    gradients = {"dw": (weight, from_kernel), "dx": (x, from_images)}
    return peer.prepared(forward, from_images, dy if backward else None, **gradients)


def cases(smoke: bool) -> list[Case]:
    batch = 2 if smoke else BATCH
    found = []
    for c in SMOKE if smoke else ALL:
        for backward in (False, True):
            products = 3 if backward else 1
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
