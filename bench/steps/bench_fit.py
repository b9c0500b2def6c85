"""10 epochs of 64-128-10 on as many samples as scikit-learn's digits are, batch 32, Adam, accuracy: a whole fit, order
and metrics included. (The values are random clusters, so that the peer needs no scikit-learn; they change no time.)

Against a bare PyTorch loop (the fastest that is still usual: tensors in memory, a permutation an epoch, no DataLoader)
and against Keras with the torch backend. The compared answer is the losses of the epochs without shuffling.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench import peer
from bench.case import Arrays, Case, Prepared
from bench.steps.training import EPSILON, RATE, weights

EPOCHS, BATCH = 10, 32
SHAPES = (64, 128), (128,), (128, 10), (10,)


def inputs(smoke: bool) -> Arrays:
    """Clusters in the shape of the digits: 1797 of 8 x 8, ten classes."""
    random = np.random.default_rng(5)
    n = 64 if smoke else 1797
    y = random.integers(0, 10, n)
    centres = random.uniform(0, 1, (10, 64))
    x = np.clip(centres[y] + random.normal(0, 0.3, (n, 64)), 0, 1).astype(np.float32)
    return {"x": x, "y": y, **weights(*SHAPES)}


def lamina_side(epochs: int, a: Arrays) -> Prepared:
    from lamina.layers import Dense
    from lamina.losses import SparseCategoricalCrossentropy
    from lamina.models import Sequential
    from lamina.optimizers import Adam

    model = Sequential([Dense(128, activation="relu", input_shape=(64,)), Dense(10)])
    start = [a[f"w{i}"] for i in range(4)]

    def run(shuffle: bool = True) -> Any:
        model.set_weights(start)
        model.compile(
            Adam(RATE, epsilon=EPSILON), SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
        )
        return model.fit(a["x"], a["y"], batch_size=BATCH, epochs=epochs, shuffle=shuffle, verbose=0)

    return Prepared(run, lambda: {"losses": np.array(run(False).history["loss"])})


def torch_side(epochs: int, a: Arrays) -> Prepared:
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    x, y = peer.tensor(a["x"]), peer.tensor(a["y"])

    def run(shuffle: bool = True) -> list[float]:
        with torch.no_grad():
            for parameter, key in zip(model.parameters(), ("w0", "w1", "w2", "w3"), strict=True):
                parameter.copy_(torch.from_numpy(a[key].T))
        optimizer = torch.optim.Adam(model.parameters(), RATE, eps=EPSILON, fused=True)
        losses = []
        for _ in range(epochs):
            order = torch.randperm(len(x)) if shuffle else torch.arange(len(x))
            total = correct = 0.0
            for start in range(0, len(x), BATCH):
                rows = order[start : start + BATCH]
                target = y[rows]
                optimizer.zero_grad(set_to_none=True)
                logits = model(x[rows])
                loss = torch.nn.functional.cross_entropy(logits, target)
                loss.backward()
                optimizer.step()
                total += loss.item() * len(rows)
                correct += (logits.argmax(1) == target).sum().item()
            losses.append(total / len(x))
        return losses

    return Prepared(run, lambda: {"losses": np.array(run(False))})


def keras_side(epochs: int, a: Arrays) -> Prepared:
    import os

    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    model = keras.Sequential(
        [keras.layers.Input((64,)), keras.layers.Dense(128, activation="relu"), keras.layers.Dense(10)]
    )
    start = [a[f"w{i}"] for i in range(4)]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def run(shuffle: bool = True) -> Any:
        model.set_weights(start)
        model.compile(keras.optimizers.Adam(RATE, epsilon=EPSILON), loss, metrics=["accuracy"])
        return model.fit(a["x"], a["y"], batch_size=BATCH, epochs=epochs, shuffle=shuffle, verbose=0)

    return Prepared(run, lambda: {"losses": np.array(run(False).history["loss"])})


def cases(smoke: bool) -> list[Case]:
    epochs = 1 if smoke else EPOCHS
    sides = {"a bare loop": torch_side, "Keras on PyTorch": keras_side}
    return [
        Case(
            f"10 epochs of 64-128-10, 1797 samples, {name}",
            partial(inputs, smoke),
            partial(lamina_side, epochs),
            partial(side, epochs),
            tolerance=2e-2,
            threads=(0, 1),
        )
        for name, side in sides.items()
    ]
