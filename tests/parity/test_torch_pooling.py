"""Pooling and its gradients beside PyTorch's. Skipped unless torch is installed (".[parity]")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
functional = torch.nn.functional
SHAPES = {1: (3, 13, 7), 2: (3, 11, 9, 20), 3: (2, 7, 6, 9, 5)}
WINDOWS = [(2, None, 0), (3, 2, 1), (3, 1, 1), (5, 3, 2), (4, 2, 1), (3, 5, 0)]  # size, strides, padding


def values(axes: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(axes).standard_normal(SHAPES[axes])


def compare(
    x: np.ndarray[Any, Any],
    ours: Callable[[Any], Any],
    theirs: Callable[[Any], Any],
    dtype: Any,
) -> None:
    """Values and gradients; the peer's function takes and gives channels first."""
    tolerance = 1e-5 if dtype == np.float32 else 1e-9
    a = lm.tensor(x.astype(dtype), requires_grad=True)
    b = torch.tensor(x.astype(dtype), requires_grad=True)
    y, v = ours(a), theirs(b.movedim(-1, 1)).movedim(1, -1)
    np.testing.assert_allclose(y.numpy(), v.detach().numpy(), rtol=tolerance, atol=tolerance)
    dy = np.random.default_rng(1234).standard_normal(tuple(v.shape)).astype(dtype)
    y.backward(lm.tensor(dy))
    v.backward(torch.tensor(dy))
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("size", "strides", "pad"), WINDOWS)
@pytest.mark.parametrize("axes", [1, 2, 3])
class TestWindows:
    def test_max_pool(self, axes: int, size: int, strides: Any, pad: int, dtype: Any) -> None:
        ours, theirs = getattr(lm.ops, f"max_pool{axes}d"), getattr(functional, f"max_pool{axes}d")
        compare(values(axes), lambda x: ours(x, size, strides, pad), lambda x: theirs(x, size, strides, pad), dtype)

    @pytest.mark.parametrize("count", [False, True])
    def test_avg_pool(self, axes: int, size: int, strides: Any, pad: int, dtype: Any, count: bool) -> None:
        ours, theirs = getattr(lm.ops, f"avg_pool{axes}d"), getattr(functional, f"avg_pool{axes}d")
        compare(
            values(axes),
            lambda x: ours(x, size, strides, pad, count),
            lambda x: theirs(x, size, strides, pad, count_include_pad=count),
            dtype,
        )

    def test_indices_and_unpooling(self, axes: int, size: int, strides: Any, pad: int, dtype: Any) -> None:
        x = values(axes).astype(dtype)
        y, indices = getattr(lm.ops, f"max_pool{axes}d")(x, size, strides, pad, return_indices=True)
        theirs = getattr(functional, f"max_pool{axes}d")
        _, peers = theirs(torch.tensor(x).movedim(-1, 1), size, strides, pad, return_indices=True)
        np.testing.assert_array_equal(indices.numpy(), peers.movedim(1, -1).numpy())
        if size > (strides or size):
            return  # windows overlap: the peer then takes whichever value comes last
        unpool, peer = getattr(lm.ops, f"max_unpool{axes}d"), getattr(functional, f"max_unpool{axes}d")
        compare(
            y.numpy(),
            lambda x: unpool(x, indices, size, strides, pad, SHAPES[axes][1:-1]),
            lambda x: peer(x, peers, size, strides, pad, SHAPES[axes][1:-1]),
            dtype,
        )

    @pytest.mark.parametrize("p", [1, 2, 4])
    def test_lp_pool(self, axes: int, size: int, strides: Any, pad: int, dtype: Any, p: int) -> None:
        if pad:
            return  # the peer's has no padding
        ours, theirs = getattr(lm.ops, f"lp_pool{axes}d"), getattr(functional, f"lp_pool{axes}d")
        x = np.abs(values(axes)) + 0.1  # the peer does not take magnitudes
        compare(x, lambda x: ours(x, p, size, strides), lambda x: theirs(x, p, size, strides), dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("output_size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("kind", ["avg", "max"])
def test_adaptive_pool(axes: int, kind: str, output_size: int, dtype: Any) -> None:
    name = f"adaptive_{kind}_pool{axes}d"
    ours, theirs = getattr(lm.ops, name), getattr(functional, name)
    compare(values(axes), lambda x: ours(x, output_size), lambda x: theirs(x, output_size), dtype)


def test_adaptive_pool_to_more() -> None:
    for kind in ("avg", "max"):
        ours, theirs = getattr(lm.ops, f"adaptive_{kind}_pool2d"), getattr(functional, f"adaptive_{kind}_pool2d")
        compare(values(2), lambda x, f=ours: f(x, (20, 4)), lambda x, f=theirs: f(x, (20, 4)), np.float64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_global_pool(axes: int, dtype: Any) -> None:
    over = tuple(range(2, axes + 2))
    compare(values(axes), lm.ops.global_avg_pool, lambda x: x.mean(over), dtype)
    compare(values(axes), lm.ops.global_max_pool, lambda x: x.amax(over), dtype)


def test_nan_and_equal_values() -> None:
    x = np.zeros((1, 4, 4, 3))
    x[0, 1, 1, 1] = x[0, 3, 3, 2] = np.nan
    compare(x, lm.ops.max_pool2d, lambda x: functional.max_pool2d(x, 2), np.float64)
    compare(x, lambda x: lm.ops.max_pool2d(x, 3, 1), lambda x: functional.max_pool2d(x, 3, 1), np.float64)
