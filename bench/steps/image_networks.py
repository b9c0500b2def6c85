"""What the benchmarks of image networks share: weights by their names, inference and a training step of both sides."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench import peer
from bench.case import Arrays, Case, Prepared
from bench.steps.training import images, lamina_step, torch_step

CLASSES = 1000
RATE = 1e-5  # so small that VGG-16 does not blow up: five losses can be compared
# He et al.'s initialisation keeps variances through relu; the last scale of a residual branch is small, so that sums
# do not grow; the rest stands as fresh networks have it.


def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """The values that go by a name, the same in every process."""
    if len(shape) > 1:
        random = np.random.default_rng(zlib.crc32(name.encode()))
        return random.standard_normal(shape, np.float32) * np.float32((2 / np.prod(shape[1:])) ** 0.5)
    if name.endswith(("bn3.weight", "running_var")) or not name.endswith(("weight", "running_mean")):
        return np.full(shape, 0.2 if name.endswith("bn3.weight") else 1.0 if name.endswith("var") else 0.0, np.float32)
    return np.full(shape, 1.0 if name.endswith("weight") else 0.0, np.float32)


class Drawn(dict[str, Any]):
    """Arrays by name for shapes by name."""

    def __init__(self, shapes: dict[str, tuple[int, ...]]) -> None:
        super().__init__({name: drawn(name, shape) for name, shape in shapes.items()})


def fill(network: Any) -> Any:
    """The peer's network with the values of `drawn`, channels last."""
    import torch

    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.from_numpy(drawn(name, tuple(value.shape))))
    return network.to(memory_format=torch.channels_last)


def lamina_inference(build: Callable[[], Any], a: Arrays) -> Prepared:
    """Normalisation folded; without the call's checks there is nothing more to gain."""
    from lamina.models import fold_batch_norm

    model = fold_batch_norm(build())
    x = a["x"]
    return Prepared(lambda: model.predict(x, verbose=0), lambda: {"y": model.predict(x, verbose=0)})


def torch_inference(build: Callable[[], Any], a: Arrays) -> Prepared:
    """Channels last, normalisation folded by torch.fx, inference mode."""
    import torch
    from torch.fx.experimental.optimization import fuse

    model = fuse(fill(build()).eval()).to(memory_format=torch.channels_last)
    x = peer.images(a["x"])

    def run() -> Any:
        with torch.inference_mode():
            return model(x).numpy()

    return Prepared(run, lambda: {"y": run()})


def torch_training(build: Callable[[], Any], a: Arrays) -> Prepared:
    return torch_step(fill(build()).train(), peer.images(a["x"]), a, RATE)


def cases(name: str, ours: Any, theirs: Any, flops: float, batches: tuple[int, ...], step: int, smoke: bool) -> Any:
    """Inference for some batch sizes, and a training step of another.

    Args:
        name: the network's.
        ours, theirs: what makes the networks for images of a size.
        flops: for one image of 224 x 224 pixels.
        batches, step: see above.
        smoke: images of 64 x 64 pixels.
    """
    size = 64 if smoke else 224
    share = flops * (size / 224) ** 2
    found = []
    for batch in (1,) if smoke else batches:
        found.append(
            Case(
                f"{name} {size}x{size}, inference, batch {batch}",
                partial(images, (batch, size, size, 3), CLASSES),
                partial(lamina_inference, partial(ours, size)),
                partial(torch_inference, theirs),
                gradients=False,
                flops=share * batch,
                threads=(0, 1),
            )
        )
    batch = 4 if smoke else step
    found.append(
        Case(
            f"{name} {size}x{size}, training step, batch {batch}",
            partial(images, (batch, size, size, 3), CLASSES),
            partial(lamina_step, partial(ours, size), False, rate=RATE),
            partial(torch_training, theirs),
            flops=3 * share * batch,
            tolerance=1e-3,  # five steps of Adam: where a gradient is 0 but for rounding, its sign is the step
        )
    )
    return found
