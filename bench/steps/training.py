"""What the training steps share: one batch, one step of Adam, through fit's own step and as a custom loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Prepared
from bench.place import PLACE

# Keras and PyTorch add epsilon in different places: a tiny one makes them the same optimizer.
RATE, EPSILON = 1e-3, 1e-12
STEPS = 5  # compared: the loss of each


def weights(*shapes: tuple[int, ...]) -> Arrays:
    """Glorot-uniform kernels and zero biases, w0, w1, ..., for kernels and biases in the order of get_weights()."""
    random = np.random.default_rng(1)
    found: Arrays = {}
    for i, shape in enumerate(shapes):
        if len(shape) == 1:
            found[f"w{i}"] = np.zeros(shape, np.float32)
        else:
            receptive = int(np.prod(shape[:-2]))
            limit = np.sqrt(6 / (receptive * (shape[-2] + shape[-1])))
            found[f"w{i}"] = random.uniform(-limit, limit, shape).astype(np.float32)
    return found


def images(shape: tuple[int, ...], classes: int) -> Arrays:
    random = np.random.default_rng(2)
    return {"x": random.uniform(0, 1, shape).astype(np.float32), "y": random.integers(0, classes, shape[0])}


def lamina_step(
    build: Callable[[], Any], custom: bool, a: Arrays, captured: bool = False, rate: float = RATE
) -> Prepared:
    """build makes a model whose last layer gives logits, or what is to be y where y is no class.

    captured: the step becomes a CUDA graph, which is replayed. rate: Adam's.
    """
    import lamina as lm
    from lamina.losses import MeanSquaredError, SparseCategoricalCrossentropy
    from lamina.optimizers import Adam

    model = build()
    if "w0" in a:
        model.set_weights([a[key] for key in sorted(k for k in a if k[0] == "w")])
    x, y = a["x"], a["y"]
    loss_of = MeanSquaredError() if y.dtype.kind == "f" else SparseCategoricalCrossentropy(from_logits=True)
    if PLACE.ours != "cpu":  # the batch is there already, as the peer's is
        x, y = ours.tensor(x), ours.tensor(y)
    optimizer = Adam(rate, epsilon=EPSILON)
    if custom:
        optimizer.build(model.trainable_weights)
        batch = lm.tensor(x)

        def run() -> Any:
            loss = loss_of(y, model(batch, training=True))
            loss.backward()
            optimizer.step()
            return loss.item()
    else:
        model.compile(optimizer=optimizer, loss=loss_of, jit_compile=captured)

        def run() -> Any:
            return model.train_on_batch(x, y)

    return Prepared(run, lambda: {"losses": np.array([run() for _ in range(STEPS)], np.float64).reshape(STEPS)})


def torch_step(model: Any, x: Any, a: Arrays, rate: float = RATE) -> Prepared:
    """model gives logits for x, or what is to be y where y is no class; rate: Adam's."""
    import torch

    y = peer.tensor(a["y"])
    loss_of = torch.nn.functional.mse_loss if y.is_floating_point() else torch.nn.functional.cross_entropy
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, rate, eps=EPSILON, fused=True)

    def run() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return Prepared(run, lambda: {"losses": np.array([run() for _ in range(STEPS)])})
