"""Padding, resizing, sampling, shuffling and unfolding beside PyTorch's: values and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
functional = torch.nn.functional

Case = tuple[str, list[np.ndarray[Any, Any]], Callable[..., Any], Callable[..., Any]]


def values(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def nchw(x: Any) -> Any:
    return x.permute(0, 3, 1, 2)


def nhwc(x: Any) -> Any:
    return x.permute(0, 2, 3, 1)


def resize(mode: str, size: tuple[int, int], of: tuple[int, int, int, int], **arguments: Any) -> Case:
    def ours(x: Any) -> Any:
        return lm.ops.resize(x, size, mode, **arguments)

    def theirs(x: Any) -> Any:
        smooth = {"align_corners": False, **arguments} if mode in ("bilinear", "bicubic") else {}
        name = {"nearest": "nearest-exact", "nearest_floor": "nearest"}.get(mode, mode)
        return nhwc(functional.interpolate(nchw(x), size, mode=name, **smooth))

    return f"resize-{mode}-{of}-{size}-{sorted(arguments)}", [values(*of)], ours, theirs


def sample(mode: str, padding: str, align: bool, channels: int) -> Case:
    grid = np.random.default_rng(3).uniform(-2.5, 2.5, (2, 5, 6, 2))

    def ours(x: Any, grid: Any) -> Any:
        return lm.ops.grid_sample(x, grid, mode, padding, align)

    def theirs(x: Any, grid: Any) -> Any:
        return nhwc(functional.grid_sample(nchw(x), grid, mode, padding, align))

    return f"grid_sample-{mode}-{padding}-{align}-{channels}", [values(2, 7, 4, channels), grid], ours, theirs


def affine_grid(align: bool) -> Case:
    theirs = lambda theta: functional.affine_grid(theta, (3, 2, 4, 5), align)  # noqa: E731
    return f"affine_grid-{align}", [values(3, 2, 3)], lambda t: lm.ops.affine_grid(t, (3, 4, 5, 2), align), theirs


def unfold(channels: int, **arguments: Any) -> Case:
    kernel = arguments["kernel_size"]
    places = kernel[0] * kernel[1]

    def theirs(x: Any) -> Any:
        y = functional.unfold(nchw(x), **arguments)  # (N, C * places, windows)
        n, _, windows = y.shape
        return y.reshape(n, channels, places, windows).permute(0, 3, 2, 1).reshape(n, windows, places * channels)

    return f"unfold-{arguments}", [values(2, 8, 9, channels)], lambda x: lm.ops.unfold(x, **arguments), theirs


def fold(channels: int, size: tuple[int, int], windows: int, **arguments: Any) -> Case:
    kernel = arguments["kernel_size"]
    places = kernel[0] * kernel[1]

    def theirs(y: Any) -> Any:
        n = y.shape[0]
        columns = y.reshape(n, windows, places, channels).permute(0, 3, 2, 1).reshape(n, channels * places, windows)
        return nhwc(functional.fold(columns, size, **arguments))

    x = values(2, windows, places * channels)
    return f"fold-{arguments}", [x], lambda y: lm.ops.fold(y, size, **arguments), theirs


def pad(mode: str, widths: tuple[tuple[int, int], tuple[int, int]], theirs: str) -> Case:
    flat = (*widths[1], *widths[0])

    def ours(x: Any) -> Any:
        return lm.ops.pad(x, ((0, 0), *widths, (0, 0)), mode)

    return f"pad-{mode}", [values(2, 5, 6, 3)], ours, lambda x: nhwc(functional.pad(nchw(x), flat, theirs))


CASES = [
    *[
        resize(mode, size, of)
        for mode in ("nearest", "nearest_floor", "bilinear", "bicubic", "area")
        for size, of in (
            ((14, 18), (2, 7, 9, 3)),
            ((5, 4), (2, 7, 9, 20)),
            ((1, 13), (1, 6, 5, 1)),
            ((11, 5), (1, 1, 5, 17)),
        )
    ],
    *[
        resize(mode, size, of, **{option: True})
        for option in ("align_corners", "antialias")
        for mode in ("bilinear", "bicubic")
        for size, of in (((14, 18), (2, 7, 9, 3)), ((3, 4), (1, 11, 9, 18)), ((1, 7), (1, 4, 30, 2)))
    ],
    *[
        sample(mode, padding, align, channels)
        for mode in ("bilinear", "nearest", "bicubic")
        for padding in ("zeros", "border", "reflection")
        for align in (False, True)
        for channels in (3, 18)
    ],
    affine_grid(False),
    affine_grid(True),
    unfold(3, kernel_size=(3, 3)),
    unfold(2, kernel_size=(2, 4), dilation=(2, 1), padding=(1, 3), stride=(3, 2)),
    fold(3, (7, 5), 21, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), dilation=(1, 2)),
    fold(1, (8, 8), 16, kernel_size=(2, 2), stride=(2, 2)),
    (
        "pixel_shuffle",
        [values(2, 3, 4, 18)],
        lambda x: lm.ops.pixel_shuffle(x, 3),
        lambda x: nhwc(functional.pixel_shuffle(nchw(x), 3)),
    ),
    (
        "pixel_unshuffle",
        [values(2, 6, 4, 5)],
        lambda x: lm.ops.pixel_unshuffle(x, 2),
        lambda x: nhwc(functional.pixel_unshuffle(nchw(x), 2)),
    ),
    pad("constant", ((1, 2), (0, 3)), "constant"),
    pad("reflect", ((4, 2), (0, 5)), "reflect"),
    pad("edge", ((7, 2), (1, 9)), "replicate"),
    pad("wrap", ((5, 2), (1, 6)), "circular"),
    ("roll", [values(4, 5, 6)], lambda x: lm.ops.roll(x, (2, -3), (0, 2)), lambda x: torch.roll(x, (2, -3), (0, 2))),
    ("roll-flat", [values(4, 5)], lambda x: lm.ops.roll(x, 7), lambda x: torch.roll(x, 7)),
    ("flip", [values(4, 5, 6)], lambda x: lm.ops.flip(x, (0, 2)), lambda x: torch.flip(x, (0, 2))),
    ("rot90", [values(4, 5, 6)], lambda x: lm.ops.rot90(x, 3, (0, 2)), lambda x: torch.rot90(x, 3, (0, 2))),
    ("tile", [values(4, 5)], lambda x: lm.ops.tile(x, (2, 1, 3)), lambda x: torch.tile(x, (2, 1, 3))),
    ("repeat", [values(4, 5)], lambda x: lm.ops.repeat(x, 3, 1), lambda x: x.repeat_interleave(3, 1)),
    (
        "repeat-each",
        [values(3, 5)],
        lambda x: lm.ops.repeat(x, [2, 0, 3], 0),
        lambda x: x.repeat_interleave(torch.tensor([2, 0, 3]), 0),
    ),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("arrays", "ours", "theirs"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_values_and_gradients(arrays, ours, theirs, dtype):
    tolerance = 1e-5 if dtype == np.float32 else 1e-9
    if dtype == np.float32:  # the peer's places are rounded to float32, and weights change as fast as they
        tolerance = 5e-5
    mine = [lm.tensor(a.astype(dtype), requires_grad=True) for a in arrays]
    peer = [torch.tensor(a.astype(dtype), requires_grad=True) for a in arrays]
    y, expected = ours(*mine), theirs(*peer)
    assert y.shape == tuple(expected.shape)
    np.testing.assert_allclose(y.numpy(), expected.detach().numpy(), rtol=tolerance, atol=tolerance)
    direction = np.random.default_rng(5).standard_normal(y.shape).astype(dtype)
    y.backward(direction)
    expected.backward(torch.tensor(direction))
    for a, b in zip(mine, peer, strict=True):
        grad = np.zeros(a.shape) if a.grad is None else a.grad.numpy()
        scale = max(1.0, float(np.abs(b.grad.numpy()).max()))
        np.testing.assert_allclose(grad, b.grad.numpy(), rtol=tolerance, atol=tolerance * scale)
