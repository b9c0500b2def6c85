"""FCN-32s, FCN-16s and FCN-8s beside the paper's skip architecture written in PyTorch, on the same weights.

The layers are those of the authors' networks; their widths are small here, which no offset depends on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lamina as lm
from lamina.applications import fcn

torch = pytest.importorskip("torch")
F = torch.nn.functional

WIDTHS, UNITS, CLASSES = (4, 6, 8, 10, 12), 16, 3
CONVOLUTIONS = {1: 2, 2: 2, 3: 3, 4: 3, 5: 3}  # of VGG-16's blocks


def scores_of(x: Any, w: dict[str, Any], stride: int) -> Any:
    """The paper's network for images (N, C, H, W): 100 zeros around them, pools rounded up, scores of pools added."""

    def conv(y: Any, name: str, padding: int = 0) -> Any:
        return F.conv2d(y, w[f"{name}.kernel"], w[f"{name}.bias"], padding=padding)

    def crop(y: Any, like: Any, offset: int) -> Any:
        return y[:, :, offset : offset + like.shape[2], offset : offset + like.shape[3]]

    y, pools = x, {}
    for block, count in CONVOLUTIONS.items():
        for number in range(1, count + 1):
            y = F.relu(conv(y, f"conv{block}_{number}", 100 if (block, number) == (1, 1) else 1))
        y = pools[block] = F.max_pool2d(y, 2, 2, ceil_mode=True)
    y = conv(F.relu(conv(F.relu(conv(y, "fc6")), "fc7")), "score_fr")
    if stride == 32:
        return crop(F.conv_transpose2d(y, w["upscore.kernel"], stride=32), x, 19)
    y = F.conv_transpose2d(y, w["upscore2.kernel"], stride=2)
    y = y + crop(conv(pools[4], "score_pool4"), y, 5)
    if stride == 16:
        return crop(F.conv_transpose2d(y, w["upscore16.kernel"], stride=16), x, 27)
    y = F.conv_transpose2d(y, w["upscore_pool4.kernel"], stride=2)
    y = y + crop(conv(pools[3], "score_pool3"), y, 9)
    return crop(F.conv_transpose2d(y, w["upscore8.kernel"], stride=8), x, 31)


@pytest.mark.parametrize("size", [(37, 50), (64, 33)])
@pytest.mark.parametrize("stride", [32, 16, 8])
def test_values_and_gradients(stride: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcn, "FILTERS", WIDTHS)
    monkeypatch.setattr(fcn, "UNITS", UNITS)
    build = {32: lm.applications.FCN32s, 16: lm.applications.FCN16s, 8: lm.applications.FCN8s}[stride]
    model = build(classes=CLASSES, input_shape=(*size, 3), classifier_activation=None)
    random = np.random.default_rng(stride)
    x, factor = (random.normal(size=(2, *size, depth)).astype("float32") for depth in (3, CLASSES))
    weights = {
        f"{layer.name}.{kind}": variable
        for layer in model.layers
        for kind, variable in zip(("kernel", "bias"), layer.weights, strict=False)
    }
    for variable in weights.values():  # scores begin with zeros, and would say nothing
        fan_in = np.prod(variable.shape[:-1]) if len(variable.shape) > 1 else 100
        variable.assign(random.normal(size=variable.shape).astype("float32") * np.sqrt(2 / fan_in))
    peers = {
        name: torch.tensor(
            v.numpy().transpose(3, 2, 0, 1).copy() if len(v.shape) == 4 else v.numpy(), requires_grad=True
        )
        for name, v in weights.items()
    }
    wanted = scores_of(torch.tensor(x.transpose(0, 3, 1, 2).copy()), peers, stride)
    (wanted * torch.tensor(factor.transpose(0, 3, 1, 2).copy())).sum().backward()
    found = model(x)
    lm.ops.sum(found * factor).backward()

    right = wanted.detach().numpy().transpose(0, 2, 3, 1)
    assert found.shape == right.shape == (2, *size, CLASSES)
    assert np.abs(found.numpy() - right).max() < 1e-4 * np.abs(right).max()
    for name, variable in weights.items():
        slope = peers[name].grad.numpy()
        slope = slope.transpose(2, 3, 1, 0) if slope.ndim == 4 else slope
        assert np.abs(variable.grad.numpy() - slope).max() < 1e-3 * np.abs(slope).max(), name
