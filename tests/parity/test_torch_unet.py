"""U-Net beside the same network written in PyTorch, on the same weights: values and gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
nn = torch.nn


class Convolutions(nn.Sequential):  # type: ignore[misc]
    """Two 3x3 convolutions, each with a relu, and a BatchNorm between where asked for."""

    def __init__(self, inputs: int, outputs: int, padded: bool) -> None:
        parts: list[Any] = []
        for channels in (inputs, outputs):
            parts.append(nn.Conv2d(channels, outputs, 3, padding=int(padded), bias=not padded))
            if padded:
                parts.append(nn.BatchNorm2d(outputs))
            parts.append(nn.ReLU())
        super().__init__(*parts)


class Peer(nn.Module):  # type: ignore[misc]
    """The paper's network, or (padded) today's."""

    def __init__(self, inputs: int, classes: int, filters: int, depth: int, padded: bool) -> None:
        super().__init__()
        widths = [filters << level for level in range(depth + 1)]
        before = [inputs, *widths]
        self.down = nn.ModuleList(Convolutions(before[i], widths[i], padded) for i in range(depth + 1))
        self.widen = nn.ModuleList(nn.ConvTranspose2d(widths[i + 1], widths[i], 2, 2) for i in reversed(range(depth)))
        self.up = nn.ModuleList(Convolutions(widths[i + 1], widths[i], padded) for i in reversed(range(depth)))
        self.classes = nn.Conv2d(filters, classes, 1)

    def forward(self, x: Any) -> Any:
        levels = []
        for number, part in enumerate(self.down):
            x = part(nn.functional.max_pool2d(x, 2) if number else x)
            levels.append(x)
        levels.pop()
        for widen, part in zip(self.widen, self.up, strict=True):
            x = widen(x)
            skipped = levels.pop()
            top, left = ((s - n) // 2 for s, n in zip(skipped.shape[2:], x.shape[2:], strict=True))
            x = part(torch.cat([skipped[:, :, top : top + x.shape[2], left : left + x.shape[3]], x], 1))
        return self.classes(x)


def weights_of(peer: Any, order: list[Any]) -> list[np.ndarray[Any, Any]]:
    """The peer's weights in Lamina's order and shapes."""
    arrays = []
    for part in order:
        if isinstance(part, nn.BatchNorm2d):
            tensors = [part.weight, part.bias, part.running_mean, part.running_var]
        else:  # convolutions to (height, width, in, out), transposed ones to (height, width, out, in)
            tensors = [part.weight.permute(2, 3, 1, 0)] + ([part.bias] if part.bias is not None else [])
        arrays += [t.detach().numpy() for t in tensors]
    return arrays


def layers_of(peer: Any) -> list[Any]:
    """Those with weights, in the order in which they run."""
    parts = [m for block in peer.down for m in block]
    for widen, block in zip(peer.widen, peer.up, strict=True):
        parts += [widen, *block]
    return [m for m in [*parts, peer.classes] if not isinstance(m, nn.ReLU)]


def pair(shape: tuple[int, int, int], classes: int, filters: int, depth: int, padded: bool) -> tuple[Any, Any, Any]:
    """The peer, its layers, and Lamina's network on its weights."""
    torch.manual_seed(0)
    peer = Peer(shape[2], classes, filters, depth, padded).to(torch.get_default_dtype())
    padding = "same" if padded else "valid"
    model = lm.applications.UNet(shape, classes, filters, depth, padding, padded, classifier_activation=None)
    order = layers_of(peer)
    model.set_weights(weights_of(peer, order))
    return peer, order, model


@pytest.mark.parametrize(
    ("shape", "classes", "padded", "published"),
    [((188, 204, 1), 2, False, 31_030_658), ((32, 48, 3), 1, True, 31_037_633)],
    ids=["paper", "padded"],
)
def test_values(shape: tuple[int, int, int], classes: int, padded: bool, published: int) -> None:
    peer, _, model = pair(shape, classes, 64, 4, padded)
    assert sum(p.numel() for p in peer.parameters()) == published
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == published
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype("float32")
    for training in (False, True):
        expected = peer.train(training)(torch.tensor(x).movedim(-1, 1)).detach().movedim(1, -1).numpy()
        ours = model(x, training=training).numpy()
        assert np.abs(ours - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.fixture
def float64() -> Iterator[None]:
    """Both libraries compute in float64, so that a relu near 0 is the same in both."""
    policy = lm.dtype_policy()
    lm.set_dtype_policy("float64")
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
    lm.set_dtype_policy(policy)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("shape", "padded"), [((92, 100, 2), False), ((40, 48, 3), True)])
def test_gradients(shape: tuple[int, int, int], padded: bool) -> None:
    peer, order, model = pair(shape, 4, 5, 3, padded)
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype("float32").astype("float64")  # as Input takes it
    ours, theirs = model(x, training=True), peer(torch.tensor(x).movedim(-1, 1))
    dy = np.random.default_rng(1).standard_normal(ours.shape)
    ours.backward(dy)
    theirs.backward(torch.tensor(dy).movedim(-1, 1))
    gradients = []
    for part in order:
        if isinstance(part, nn.BatchNorm2d):
            gradients += [part.weight.grad, part.bias.grad]
        else:
            gradients += [part.weight.grad.permute(2, 3, 1, 0)] + ([part.bias.grad] if part.bias is not None else [])
    assert len(gradients) == len(model.trainable_weights)
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        scale = np.abs(gradient.numpy()).max()
        np.testing.assert_allclose(
            weight.grad.numpy() / scale, gradient.numpy() / scale, atol=1e-9, err_msg=weight.name
        )
