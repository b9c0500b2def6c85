"""One training step of 784-128-10 with relu, batch 32, softmax cross entropy, Adam."""

from __future__ import annotations

from functools import partial
from typing import Any

from bench import peer
from bench.case import Arrays, Case, Prepared
from bench.steps.training import images, lamina_step, torch_step, weights

DEFAULT_MALLOC = True


def inputs(batch: int) -> Arrays:
    return {**images((batch, 784), 10), **weights((784, 128), (128,), (128, 10), (10,))}


def build() -> Any:
    from lamina.layers import Dense
    from lamina.models import Sequential

    return Sequential([Dense(128, activation="relu", input_shape=(784,)), Dense(10)])


def torch_side(a: Arrays) -> Prepared:
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    with torch.no_grad():
        for parameter, key in zip(model.parameters(), ("w0", "w1", "w2", "w3"), strict=True):
            parameter.copy_(torch.from_numpy(a[key].T))
    return torch_step(model, peer.tensor(a["x"]), a)


def cases(smoke: bool) -> list[Case]:
    flops = 2.0 * 32 * (784 * 128 * 2 + 128 * 10 * 3)
    return [
        Case(
            f"mlp 784-128-10, batch 32, {'custom loop' if custom else 'train_on_batch'}",
            partial(inputs, 32),
            partial(lamina_step, build, custom),
            torch_side,
            flops=flops,
            threads=(0, 1),
        )
        for custom in (False, True)
    ]
