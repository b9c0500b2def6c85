"""A few training steps beside PyTorch's, from the same weights: the losses agree. Skipped unless torch is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lamina as lm
from lamina.layers import Conv2D, Dense, Flatten, MaxPooling2D
from lamina.losses import SparseCategoricalCrossentropy
from lamina.models import Sequential
from lamina.optimizers import SGD, Adam

torch = pytest.importorskip("torch")
nn = torch.nn
STEPS = 8


class LastChannels(nn.Module):
    """(N, C, H, W) to (N, H * W * C), as Flatten orders it."""

    def forward(self, x: Any) -> Any:
        return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1)


def mlp(dtype: str) -> tuple[Sequential, Any, tuple[int, ...]]:
    ours = Sequential([Dense(32, "relu", input_shape=(64,), dtype=dtype), Dense(16, "tanh", dtype=dtype),
                       Dense(5, dtype=dtype)])  # fmt: skip
    theirs = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 5))
    return ours, theirs, (64,)


def cnn(dtype: str) -> tuple[Sequential, Any, tuple[int, ...]]:
    ours = Sequential()
    ours.add(Conv2D(filters=8, kernel_size=3, activation="relu", input_shape=(14, 14, 2), dtype=dtype))
    ours.add(MaxPooling2D(pool_size=2, dtype=dtype))
    ours.add(Conv2D(filters=12, kernel_size=3, activation="relu", dtype=dtype))
    ours.add(Flatten(dtype=dtype))
    ours.add(Dense(5, dtype=dtype))
    convolutions = nn.Conv2d(2, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3), nn.ReLU()
    return ours, nn.Sequential(*convolutions, LastChannels(), nn.Linear(192, 5)), (14, 14, 2)


def copy_weights(ours: Sequential, theirs: Any) -> None:
    with torch.no_grad():
        for value, parameter in zip(ours.get_weights(), theirs.parameters(), strict=True):
            tensor = torch.from_numpy(np.array(value))
            parameter.copy_(
                tensor.permute(3, 2, 0, 1) if tensor.ndim == 4 else tensor.T if tensor.ndim == 2 else tensor
            )


OPTIMIZERS = {
    "sgd": (lambda: SGD(0.05), lambda p: torch.optim.SGD(p, 0.05)),
    "momentum": (lambda: SGD(0.05, momentum=0.9), lambda p: torch.optim.SGD(p, 0.05, momentum=0.9)),
    "nesterov": (
        lambda: SGD(0.05, momentum=0.9, nesterov=True),
        lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
    ),
    # PyTorch adds epsilon after the correction of the bias, Keras before: it must be too small to matter
    "adam": (lambda: Adam(0.01, epsilon=1e-16), lambda p: torch.optim.Adam(p, 0.01, eps=1e-16)),
}


@pytest.fixture(autouse=True)
def _accurate() -> Iterator[None]:
    """Winograd F(4x4), the default, errs by more than 1e-5 in float32 (docs/numerics.md)."""
    lm.set_convolution("accurate")
    yield
    lm.set_convolution("fast")


@pytest.mark.parametrize("build", [mlp, cnn])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-9)])
def test_losses_agree(build: Any, optimizer: str, dtype: str, tolerance: float) -> None:
    lm.set_seed(0)  # whichever tests ran before in this process
    ours, theirs, shape = build(dtype)
    theirs = theirs.to(getattr(torch, dtype))
    copy_weights(ours, theirs)
    ours_optimizer, theirs_optimizer = OPTIMIZERS[optimizer]
    ours.compile(optimizer=ours_optimizer(), loss=SparseCategoricalCrossentropy(from_logits=True))
    their_optimizer = theirs_optimizer(theirs.parameters())
    random = np.random.default_rng(4)
    for step in range(STEPS):
        x = random.standard_normal((16, *shape)).astype(dtype)
        y = random.integers(0, 5, 16)
        loss = np.ravel(ours.train_on_batch(x, y))[0]
        inputs = torch.from_numpy(x)
        their_optimizer.zero_grad()
        their_loss = nn.functional.cross_entropy(
            theirs(inputs.permute(0, 3, 1, 2) if inputs.ndim == 4 else inputs), torch.from_numpy(y)
        )
        their_loss.backward()
        their_optimizer.step()
        assert loss == pytest.approx(their_loss.item(), rel=tolerance), f"step {step}"
