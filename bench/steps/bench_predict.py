"""predict of one row through 18-4-3-1."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench import peer
from bench.case import Arrays, Case, Prepared
from bench.steps.training import weights


def inputs() -> Arrays:
    x = np.random.default_rng(3).standard_normal((1, 18), np.float32)
    return {"x": x, **weights((18, 4), (4,), (4, 3), (3,), (3, 1), (1,))}


def build() -> Any:
    from lamina.layers import Dense
    from lamina.models import Sequential

    model = Sequential()
    model.add(Dense(4, activation="relu", input_shape=(18,)))
    model.add(Dense(3, activation="relu"))
    model.add(Dense(1, activation="sigmoid"))
    return model


def lamina_side(call: bool, a: Arrays) -> Prepared:
    model = build()
    model.set_weights([a[f"w{i}"] for i in range(6)])
    x = a["x"]
    if call:
        return Prepared(lambda: model(x), lambda: {"y": model(x).numpy()})
    return Prepared(lambda: model.predict(x, verbose=0), lambda: {"y": model.predict(x, verbose=0)})


def torch_side(a: Arrays) -> Prepared:
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(18, 4), nn.ReLU(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1), nn.Sigmoid()).eval()
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            parameter.copy_(torch.from_numpy(a[f"w{i}"].T))
    x = peer.tensor(a["x"])

    def run() -> Any:
        with torch.inference_mode():
            return model(x).numpy()

    return Prepared(run, lambda: {"y": run()})


def cases(smoke: bool) -> list[Case]:
    return [
        Case(
            f"one row, 18-4-3-1, {'model(x)' if call else 'predict'}",
            inputs,
            partial(lamina_side, call),
            torch_side,
            gradients=False,
            threads=(0, 1),
        )
        for call in (False, True)
    ]
