"""Pooling layers beside Keras's. Skipped unless keras is installed (".[parity]")."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

SHAPES = {1: (3, 13, 5), 2: (2, 11, 8, 5), 3: (2, 7, 6, 9, 3)}
DTYPES = [("float32", 1e-5), ("float64", 1e-9)]
WINDOWS = list(itertools.product((2, 3), (None, 1, 2, 3), ("valid", "same")))
ODD: dict[int, list[Any]] = {1: [], 2: [((3, 2), (1, 3)), ((1, 4), (2, 1))], 3: [((2, 3, 1), (1, 2, 3))]}


def pads(size: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def each(value: Any, axes: int) -> Any:
    return value if isinstance(value, tuple) else (value,) * axes


def uneven(sizes: Any, arguments: dict[str, Any]) -> bool:
    """Whether "same" pads more after than before somewhere."""
    kernel = each(arguments["pool_size"], len(sizes))
    strides = each(arguments["strides"] or kernel, len(sizes))
    found = [pads(*a) for a in zip(sizes, kernel, strides, strict=True)]
    return arguments["padding"] == "same" and any(before != after for before, after in found)


class AverageOverInputs:
    """Average pooling with padding "same" as Keras defines it, and as TensorFlow and JAX do it: padding does not count.

    With PyTorch, Keras pads unevenly by repeating the edge, and counts that: no reference for such cases.
    """

    def __init__(self, axes: int, arguments: dict[str, Any]) -> None:
        self.pool = getattr(torch.nn.functional, f"avg_pool{axes}d")
        self.kernel = each(arguments["pool_size"], axes)
        self.strides = each(arguments["strides"] or self.kernel, axes)

    def __call__(self, x: Any) -> Any:
        x = x.movedim(-1, 1)
        sides = [pads(*a) for a in zip(x.shape[2:], self.kernel, self.strides, strict=True)]
        padding = [n for side in reversed(sides) for n in side]
        sums, counts = (torch.nn.functional.pad(a, padding) for a in (x, torch.ones_like(x)))
        return (self.pool(sums, self.kernel, self.strides) / self.pool(counts, self.kernel, self.strides)).movedim(
            1, -1
        )


def compare(name: str, axes: int, dtype: str, tolerance: float, arguments: dict[str, Any]) -> None:
    """Values, gradients, and the shape that is told beforehand."""
    x = np.random.default_rng(axes).normal(size=SHAPES[axes]).astype(dtype)
    ours = getattr(lm.layers, name)(dtype=dtype, **arguments)
    theirs = getattr(keras.layers, name)(dtype=dtype, **arguments)
    if name.startswith("Average") and uneven(x.shape[1:-1], arguments):
        peer = theirs
        theirs = AverageOverInputs(axes, arguments)
        theirs.compute_output_shape = peer.compute_output_shape
    a, b = lm.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, v = ours(a), theirs(b)
    assert str(y.dtype) == dtype
    np.testing.assert_allclose(y.numpy(), v.detach().numpy(), rtol=tolerance, atol=tolerance)
    dy = np.random.default_rng(1).normal(size=tuple(v.shape)).astype(dtype)
    y.backward(dy)
    v.backward(torch.tensor(dy))
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=tolerance, atol=tolerance)
    assert ours.compute_output_shape((None, *x.shape[1:])) == theirs.compute_output_shape((None, *x.shape[1:]))


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Max", "Average"])
def test_windows(kind: str, axes: int, dtype: str, tolerance: float) -> None:
    """ "Same" padding under stride, and averages at edges that leave padding out, included."""
    name = f"{kind}Pooling{axes}D"
    if kind == "Max":
        compare(name, axes, dtype, tolerance, {})
    for size, strides, padding in WINDOWS:
        compare(name, axes, dtype, tolerance, {"pool_size": size, "strides": strides, "padding": padding})
    for (size, strides), padding in itertools.product(ODD[axes], ("valid", "same")):
        compare(name, axes, dtype, tolerance, {"pool_size": size, "strides": strides, "padding": padding})


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Max", "Average"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_global(kind: str, axes: int, keepdims: bool, dtype: str, tolerance: float) -> None:
    if kind == "Average":
        tolerance = max(tolerance, 1e-6)  # with PyTorch, Keras takes means in float32; see test_torch_pooling.py
    compare(f"Global{kind}Pooling{axes}D", axes, dtype, tolerance, {"keepdims": keepdims})


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Max", "Average"])
@pytest.mark.parametrize("output_size", [1, 2, 3, 4])
def test_adaptive(kind: str, axes: int, output_size: int, dtype: str, tolerance: float) -> None:
    compare(f"Adaptive{kind}Pooling{axes}D", axes, dtype, tolerance, {"output_size": output_size})


@pytest.mark.parametrize("keepdims", [False, True])
def test_masked_mean(keepdims: bool) -> None:
    x = np.random.default_rng(0).normal(size=(3, 7, 4)).astype("float32")
    mask = np.arange(7) < np.array([[3], [7], [1]])
    y = lm.layers.GlobalAveragePooling1D(keepdims=keepdims)(x, mask=mask)
    v = keras.layers.GlobalAveragePooling1D(keepdims=keepdims)(torch.tensor(x), mask=torch.tensor(mask))
    np.testing.assert_allclose(y.numpy(), v.numpy(), rtol=1e-5, atol=1e-5)
