"""One training step of a small convolutional network on 28x28x1, batch 32, softmax cross entropy, Adam.

Conv2D(32, 3, relu) MaxPooling2D(2) Conv2D(16, 3, relu) MaxPooling2D(2) Flatten Dense(50, relu) Dense(2)
"""

from __future__ import annotations

from functools import partial
from typing import Any

from bench import peer
from bench.case import Arrays, Case, Prepared
from bench.steps.training import images, lamina_step, torch_step, weights

BATCH = 32


DEFAULT_MALLOC = True


def inputs() -> Arrays:
    shapes = [(3, 3, 1, 32), (32,), (3, 3, 32, 16), (16,), (400, 50), (50,), (50, 2), (2,)]
    return {**images((BATCH, 28, 28, 1), 2), **weights(*shapes)}


def build() -> Any:
    from lamina.layers import Conv2D, Dense, Flatten, MaxPooling2D
    from lamina.models import Sequential

    model = Sequential()
    model.add(Conv2D(filters=32, kernel_size=3, activation="relu", input_shape=(28, 28, 1)))
    model.add(MaxPooling2D(pool_size=2))
    model.add(Conv2D(filters=16, kernel_size=3, activation="relu"))
    model.add(MaxPooling2D(pool_size=2))
    model.add(Flatten())
    model.add(Dense(50, activation="relu"))
    model.add(Dense(2))
    return model


def torch_side(a: Arrays) -> Prepared:
    import torch
    from torch import nn

    class FlattenLastChannels(nn.Module):
        """(N, C, H, W) in channels_last to (N, H * W * C): a view."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1)

    model = nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 16, 3),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        FlattenLastChannels(),
        nn.Linear(400, 50),
        nn.ReLU(inplace=True),
        nn.Linear(50, 2),
    ).to(memory_format=torch.channels_last)
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            value = torch.from_numpy(a[f"w{i}"])
            parameter.copy_(value.permute(3, 2, 0, 1) if value.ndim == 4 else value.T if value.ndim == 2 else value)
    return torch_step(model, peer.images(a["x"]), a)


def cases(smoke: bool) -> list[Case]:
    first, second = 26 * 26 * 32 * 9, 11 * 11 * 16 * 9 * 32
    flops = 2.0 * BATCH * (2 * first + 3 * second + 3 * (400 * 50 + 50 * 2))
    return [
        Case(
            f"cnn 28x28x1, batch 32, {'custom loop' if custom else 'train_on_batch'}",
            inputs,
            partial(lamina_step, build, custom),
            torch_side,
            flops=flops,
            tolerance=1e-3,
            threads=(0, 1),
        )
        for custom in (False, True)
    ]
