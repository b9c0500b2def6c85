"""fit with jit_compile=True on a GPU: the bits of fit without, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lamina as lm
from lamina import layers, optimizers
from lamina.models import Sequential
from lamina.optimizers.schedules import CosineDecay, ExponentialDecay

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(22, 6)).astype("float32")
LABELS = RANDOM.integers(0, 3, 22)
PICTURES = RANDOM.normal(size=(10, 6, 6, 2)).astype("float32")
SEQUENCES = RANDOM.normal(size=(10, 5, 3)).astype("float32")


def mlp() -> Any:
    return Sequential([layers.Input((6,)), layers.Dense(8, activation="relu"), layers.Dropout(0.4), layers.Dense(3)])


def cnn() -> Any:
    return Sequential([
        layers.Input((6, 6, 2)), layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization(), layers.ReLU(),
        layers.MaxPooling2D(), layers.SpatialDropout2D(0.3), layers.GlobalAveragePooling2D(), layers.Dense(3),
    ])  # fmt: skip


def lstm() -> Any:
    return Sequential([
        layers.Input((5, 3)), layers.LSTM(4, return_sequences=True, dropout=0.3), layers.GRU(4, recurrent_dropout=0.2),
        layers.LayerNormalization(), layers.GaussianNoise(0.1, seed=3), layers.Dense(3),
    ])  # fmt: skip


def trained(make: Any, x: Any, y: Any, jit: Any, optimizer: Any, device: str = "cuda", **arguments: Any) -> Any:
    """Weights, optimizer's state and logs after some epochs."""
    compiled = {"loss": lm.losses.SparseCategoricalCrossentropy(from_logits=True), "metrics": ["accuracy"]}
    compiled |= arguments.pop("compiled", {})
    lm.set_seed(5)
    model = make().to(device)
    model.compile(optimizer(), jit_compile=jit, **compiled)
    arguments = {"epochs": 4, "batch_size": 4, "verbose": 0} | arguments
    history = model.fit(x, y, **arguments).history
    names = {str(i): v for i, v in enumerate(model.weights)}
    state = {k: lm.backend.to_host(v) for k, v in model.optimizer.get_state(names).items()}
    return model, history, [w.numpy() for w in model.weights], state


def check(make: Any, x: Any, y: Any, optimizer: Any, graphs: int, **arguments: Any) -> Any:
    model, history, weights, state = trained(make, x, y, True, optimizer, **arguments)
    assert model._captured.graphs.count == graphs
    for jit, device in ((False, "cuda"), (True, "cpu")):
        _, other, others, states = trained(make, x, y, jit, optimizer, device, **arguments)
        if device == "cuda":
            assert other == history
        for a, b in zip(weights, others, strict=True):
            np.testing.assert_array_equal(a, b)
        assert states.keys() == state.keys()
        for name in states:
            np.testing.assert_array_equal(states[name], state[name])
    return model


OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(ExponentialDecay(0.1, 3, 0.5), momentum=0.9, nesterov=True),
    "adam": lambda: optimizers.Adam(CosineDecay(0.02, 20), amsgrad=True),
    "adamw": lambda: optimizers.AdamW(ExponentialDecay(0.05, 3, 0.5), weight_decay=0.1),
    "rmsprop": lambda: optimizers.RMSprop(ExponentialDecay(0.05, 3, 0.5), centered=True, momentum=0.5),
    "adagrad": lambda: optimizers.Adagrad(ExponentialDecay(0.05, 3, 0.5)),
    "adadelta": lambda: optimizers.Adadelta(ExponentialDecay(0.5, 3, 0.5)),
    "adamax": lambda: optimizers.Adamax(ExponentialDecay(0.05, 3, 0.5)),
    "nadam": lambda: optimizers.Nadam(ExponentialDecay(0.05, 3, 0.5)),
    "ftrl": lambda: optimizers.Ftrl(ExponentialDecay(0.05, 3, 0.5)),
    "lion": lambda: optimizers.Lion(ExponentialDecay(0.01, 3, 0.5)),
    "lamb": lambda: optimizers.Lamb(ExponentialDecay(0.05, 3, 0.5), weight_decay=0.01),
    "adafactor": lambda: optimizers.Adafactor(ExponentialDecay(0.5, 3, 0.5)),
    "clipnorm": lambda: optimizers.Adam(0.02, clipnorm=0.1),
    "global_clipnorm": lambda: optimizers.SGD(0.1, global_clipnorm=0.2),
    "clipvalue and average": lambda: optimizers.Adam(
        0.02, clipvalue=0.01, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=5
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str) -> None:
    graphs = {"clipvalue and average": 3}.get(name, 2)
    check(mlp, X, LABELS, OPTIMIZERS[name], graphs)


@pytest.mark.parametrize("steps", [2, 3])
def test_accumulated_gradients(steps: int) -> None:
    make = lambda: optimizers.Adam(0.02, gradient_accumulation_steps=steps, weight_decay=0.1)  # noqa: E731
    check(mlp, X[:20], LABELS[:20], make, 2, epochs=5)


@pytest.mark.parametrize(("make", "x"), [(cnn, PICTURES), (lstm, SEQUENCES)])
def test_networks(make: Any, x: Any) -> None:
    check(make, x, LABELS[:10], OPTIMIZERS["adam"], 2)
