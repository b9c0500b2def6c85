"""Losses and their gradients: the CPU's bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernel_testing import FLOATS, check_kernel, emulated, numbers, written

SHAPES = [(1, 1), (3, 10), (17, 16), (2, 1003), (0, 4), (70, 1)]


def outputs(x: np.ndarray, gradient: bool = True) -> dict[str, Any]:
    return {
        "losses": written(x.shape[:-1], x.dtype),
        "total": written(1, x.dtype) if gradient else None,
        "dx": written(x.shape, x.dtype) if gradient else None,
    }


def weights_of(x: np.ndarray) -> np.ndarray:
    return np.abs(numbers(x.shape[:-1], x.dtype, 7))


@pytest.mark.parametrize("dtype", FLOATS)
def test_softmax_cross_entropy(dtype: Any) -> None:
    for shape in SHAPES:
        x = numbers(shape, dtype, scale=4)
        labels = np.random.default_rng(1).integers(0, shape[1], shape[0])
        labels[::5] = -1
        for weights, ignored, smoothing in ((None, -1, 0.0), (weights_of(x), -1, 0.1)):
            named = {"x": x, "labels": labels, "weights": weights, "divisor": 3.0, "ignored": ignored}
            check_kernel("softmax_cross_entropy", **named, smoothing=smoothing, **outputs(x))
            check_kernel("softmax_cross_entropy", **named, smoothing=smoothing, **outputs(x, False))
            named["x"] = np.abs(x)
            check_kernel("cross_entropy_from_probabilities", **named, **outputs(x))
            named["divisor"] = np.array(3.0)
            check_kernel("cross_entropy_from_probabilities", **named, **outputs(x))
            check_kernel("softmax_cross_entropy", **named | {"x": x}, smoothing=smoothing, **outputs(x))
    x = np.array([[np.nan, 1, 2], [np.inf, 0, 1], [-np.inf, -np.inf, -np.inf], [-np.inf, 0, 3]], dtype)
    check_kernel("softmax_cross_entropy", x=x, labels=np.arange(4) % 3, weights=None, divisor=1.0, **outputs(x))


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "cross_entropy_from_probabilities"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_labels_out_of_range_give_nan(name: str, dtype: Any) -> None:
    x, labels = np.abs(numbers((4, 5), dtype)), np.array([0, 5, 4, -1])
    losses, dx = np.zeros(4, dtype), np.zeros((4, 5), dtype)
    assert getattr(emulated(), name)(x, labels, None, 1.0, losses, None, dx) == -1
    np.testing.assert_array_equal(np.isnan(losses), [False, True, False, True])
    np.testing.assert_array_equal(np.isnan(dx).all(axis=1), [False, True, False, True])
    assert not np.isnan(dx[[0, 2]]).any()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "name",
    [
        "softmax_cross_entropy_soft",
        "cross_entropy_from_probabilities_soft",
        "softmax_focal_cross_entropy",
        "categorical_focal_cross_entropy",
        "cosine_similarity_loss",
        "categorical_hinge_loss",
    ],
)
def test_rows(name: str, dtype: Any) -> None:
    for shape in SHAPES:
        x = numbers(shape, dtype, scale=3)
        if "softmax" not in name and "loss" not in name:
            x = np.abs(x)
        t = np.random.default_rng(2).random(shape).astype(dtype)
        if name == "categorical_hinge_loss":
            t = np.round(t)
        for weights, gamma in ((None, 2.0), (weights_of(x), 1.7)):
            named = {"x": x, "targets": t, "weights": weights, "divisor": 2.5, "scale": 0.3, "shift": 0.01}
            check_kernel(name, **named, gamma=gamma, **outputs(x))
        check_kernel(name, **named, gamma=gamma, **outputs(x, False))
        if name.endswith("_soft"):
            check_kernel(name, **named | {"divisor": np.array(2.5)}, **outputs(x))


#: name: the range of its targets
POINTWISE = {
    "sigmoid_cross_entropy": (0, 1),
    "binary_cross_entropy_from_probabilities": (0, 1),
    "sigmoid_focal_cross_entropy": (0, 1),
    "binary_focal_cross_entropy": (0, 1),
    "mean_squared_error": (-3, 3),
    "mean_absolute_error": (-3, 3),
    "mean_absolute_percentage_error": (-3, 3),
    "mean_squared_logarithmic_error": (-1, 3),
    "huber_loss": (-3, 3),
    "log_cosh_loss": (-3, 3),
    "kl_divergence_loss": (-0.2, 1.2),
    "poisson_loss": (0, 4),
    "hinge_loss": (-1, 1),
    "squared_hinge_loss": (-1, 1),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", POINTWISE)
def test_pointwise_loss(name: str, dtype: Any) -> None:
    low, high = POINTWISE[name]
    named = {"divisor": 3.0, "scale": 0.9, "shift": 0.05, "a": 0.7, "b": 0.2}
    for shape in SHAPES:
        x = numbers(shape, dtype, special=not name.startswith("binary"))
        if name.startswith(("binary", "kl", "poisson")):
            x = np.abs(x)
        t = np.random.default_rng(2).uniform(low, high, shape).astype(dtype)
        t[::3] = np.round(t[::3])
        for weights, gamma in ((None, 2.0), (weights_of(x), 1.3)):
            check_kernel(name, x=x, targets=t, weights=weights, gamma=gamma, **named, **outputs(x))
    check_kernel(name, x=x, targets=t, weights=weights, gamma=gamma, **named, **outputs(x, False))


@pytest.mark.parametrize("dtype", FLOATS)
def test_targets_out_of_range_give_nan(dtype: Any) -> None:
    for shape in ((4, 1), (4, 3)):
        t = np.full(shape, 0.5, dtype)
        t[1, 0], t[3, -1] = np.nan, 1.5
        losses, dx = np.zeros(4, dtype), np.zeros(shape, dtype)
        assert emulated().sigmoid_cross_entropy(numbers(shape, dtype), t, None, 1.0, losses, None, dx)
        np.testing.assert_array_equal(np.isnan(losses), [False, True, False, True])
        np.testing.assert_array_equal(np.isnan(dx), (t != 0.5))


@pytest.mark.parametrize("dtype", FLOATS)
def test_total_of_many_rows(dtype: Any) -> None:
    x, t = numbers((20001, 1), dtype), numbers((20001, 1), dtype, 1)
    schedules = [("forward", True), ("random:1", True)]
    check_kernel(
        "mean_squared_error", schedules=schedules, x=x, targets=t, weights=None, divisor=7.0, **outputs(x, True)
    )


@pytest.mark.parametrize("dtype", FLOATS)
def test_scale_rows(dtype: Any) -> None:
    for shape in ((3, 5), (2, 8), (7, 1), (4, 0)):
        x = numbers(shape, dtype, special=True)
        for count in (1, shape[0]):
            check_kernel("scale_rows", x=x, factors=numbers(count, dtype, 1), y=written(shape, dtype))


@pytest.mark.parametrize("dtype", FLOATS)
def test_overlap_loss(dtype: Any) -> None:
    for rows, n in ((1, 1), (3, 17), (2, 1000), (2, 16390), (0, 4)):
        x, t = numbers((rows, n), dtype), numbers((rows, n), dtype, 1)
        check_kernel("overlap_sums", x=x, targets=t, sums=written((rows, 3), dtype))
        a, b = numbers(rows, dtype, 2), numbers(rows, dtype, 3)
        check_kernel("overlap_gradient", targets=t, a=a, b=b, dx=written((rows, n), dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("swap", [False, True])
def test_triplet_loss(swap: bool, dtype: Any) -> None:
    for shape in [(1, 1), (3, 10), (40, 17), (0, 4), (2, 900)]:
        x, p, q = (numbers(shape, dtype, seed) for seed in range(3))
        p[:1] = x[:1]
        for weights in (None, weights_of(x)):
            named = {"x": x, "positive": p, "negative": q, "weights": weights, "divisor": 2.0}
            more = {"dp": written(shape, dtype), "dq": written(shape, dtype), "margin": 1.0, "swap": swap}
            check_kernel("triplet_loss", **named, **outputs(x), **more)
            check_kernel("triplet_loss", **named, **outputs(x, False), **(more | {"dp": None, "dq": None}))
