"""Convolution ops beside torch.nn.functional, outputs and gradients. Skipped without PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
functional = torch.nn.functional


def values(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


Case = tuple[str, int, tuple[int, ...], tuple[int, ...], dict[str, Any]]  # id, axes, x, kernel, arguments
CASES: list[Case] = [
    ("conv1d", 1, (2, 30, 20), (5, 20, 33), {"padding": 2}),
    ("conv1d-groups", 1, (2, 31, 12), (4, 3, 20), {"stride": 3, "padding": 1, "dilation": 2, "groups": 4}),
    ("conv2d-narrow-2", 2, (2, 11, 13, 40), (3, 3, 2, 40), {"padding": 1, "groups": 20}),
    ("conv2d-narrow-4", 2, (2, 11, 13, 32), (3, 3, 4, 32), {"padding": 1, "stride": 2, "groups": 8}),
    ("conv2d-narrow-uneven", 2, (2, 9, 10, 15), (3, 2, 5, 21), {"padding": 1, "groups": 3, "dilation": 2}),
    ("conv2d-narrow-8", 2, (2, 15, 8, 32), (5, 3, 8, 24), {"padding": 2, "groups": 4}),
    ("conv2d-groups-16", 2, (2, 9, 9, 48), (3, 3, 16, 48), {"padding": 1, "groups": 3}),
    ("conv2d-depthwise", 2, (2, 20, 19, 33), (7, 7, 1, 33), {"padding": 3, "groups": 33}),
    ("conv2d-depthwise-strides", 2, (2, 20, 19, 33), (5, 5, 1, 33), {"padding": 2, "stride": 2, "groups": 33}),
    ("conv2d-depthwise-multiplier", 2, (2, 9, 9, 7), (3, 3, 1, 21), {"padding": 1, "groups": 7, "dilation": 2}),
    ("conv2d-dilated", 2, (2, 21, 18, 24), (3, 3, 24, 32), {"padding": 2, "dilation": 2}),
    ("conv2d-dilated-wide", 2, (2, 33, 34, 16), (3, 3, 16, 16), {"padding": 5, "dilation": 5}),
    ("conv3d", 3, (2, 6, 7, 8, 5), (3, 3, 3, 5, 18), {"padding": 1}),
    ("conv3d-one-channel", 3, (2, 9, 8, 7, 1), (3, 2, 3, 1, 6), {"stride": 2, "padding": 1}),
    ("conv3d-everything", 3, (1, 9, 8, 10, 8), (2, 3, 2, 4, 6), {"stride": (2, 1, 3), "padding": (1, 2, 0),
                                                                 "dilation": (3, 2, 1), "groups": 2}),
    ("conv3d-slices", 3, (2, 5, 6, 7, 20), (1, 3, 3, 20, 20), {"padding": (0, 1, 1)}),
    ("conv3d-whole", 3, (3, 3, 4, 2, 5), (3, 4, 2, 5, 7), {}),
    ("conv1d_transpose", 1, (2, 9, 5), (4, 6, 5), {"stride": 3, "padding": 2, "output_padding": 1}),
    ("conv2d_transpose", 2, (2, 6, 7, 20), (4, 4, 18, 20), {"stride": 2, "padding": 1}),
    ("conv2d_transpose-groups", 2, (2, 6, 7, 8), (3, 3, 3, 8), {"stride": 2, "padding": 1, "groups": 4}),
    ("conv2d_transpose-winograd", 2, (2, 9, 8, 24), (3, 3, 20, 24), {"padding": 1}),
    ("conv2d_transpose-sparse", 2, (2, 4, 5, 6), (2, 2, 7, 6), {"stride": 5, "output_padding": 4}),
    ("conv2d_transpose-dilated", 2, (2, 6, 5, 4), (3, 3, 5, 4), {"stride": 2, "dilation": 3, "padding": 2}),
    ("conv3d_transpose", 3, (2, 3, 4, 5, 6), (3, 2, 4, 5, 6), {"stride": (2, 3, 2), "padding": 1,
                                                               "output_padding": 1}),
]  # fmt: skip


def close(ours: Any, theirs: Any, tolerance: float, what: str) -> None:
    assert ours.shape == theirs.shape, what
    scale = float(np.sqrt(np.mean(theirs**2))) or 1.0
    np.testing.assert_allclose(ours / scale, theirs / scale, rtol=tolerance, atol=tolerance, err_msg=what)


@pytest.fixture(autouse=True)
def _accurate() -> Iterator[None]:
    """Winograd F(4x4), the default, errs by more than 1e-5 in float32 (docs/numerics.md)."""
    lm.set_convolution("accurate")
    yield
    lm.set_convolution("fast")


@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-9)])
@pytest.mark.parametrize(("rank", "x", "kernel", "arguments"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_op(
    rank: int,
    x: tuple[int, ...],
    kernel: tuple[int, ...],
    arguments: dict[str, Any],
    dtype: str,
    tolerance: float,
    activation: str | None,
    request: pytest.FixtureRequest,
) -> None:
    transposed = "transpose" in request.node.callspec.id
    groups = arguments.get("groups", 1)
    filters = kernel[-2] * groups if transposed else kernel[-1]
    arrays = [a.astype(dtype) for a in (values(*x), values(*kernel), values(filters) + 1)]
    mine = [lm.tensor(a, requires_grad=True) for a in arrays]
    other = [torch.tensor(a, requires_grad=True) for a in arrays]

    pad = arguments.get("padding", 0)
    sides = tuple((p, p) for p in (pad if isinstance(pad, tuple) else (pad,) * rank))
    options = {"strides": arguments.get("stride", 1), "dilation_rate": arguments.get("dilation", 1), "padding": sides}
    if transposed:
        options["output_padding"] = arguments.get("output_padding")
    op = getattr(lm.ops, f"conv{rank}d" + ("_transpose" if transposed else ""))
    y = op(*mine, groups=groups, activation=activation, **options)

    first = (0, rank + 1, *range(1, rank + 1))
    weight = other[1].permute(rank + 1, rank, *range(rank))
    function = getattr(functional, f"conv_transpose{rank}d" if transposed else f"conv{rank}d")
    v = function(other[0].permute(*first), weight, other[2], **arguments).permute(0, *range(2, rank + 2), 1)
    v = torch.relu(v) if activation else v

    close(y.numpy(), v.detach().numpy(), tolerance, "forward")
    dy = np.random.default_rng(1234).standard_normal(tuple(v.shape)).astype(dtype)
    y.backward(lm.tensor(dy))
    v.backward(torch.tensor(dy))
    for i, (a, b) in enumerate(zip(mine, other, strict=True)):
        close(a.grad.numpy(), b.grad.numpy(), tolerance, f"gradient of input {i}")
