"""Normalisations: the CPU's bits, statistics and gradients included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernel_testing import FLOATS, check_kernel, emulated, numbers, updated, written

FEW = [("forward", True), ("reverse", True), ("random:1", True)]  # schedules for the large cases


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("relu", [False, True])
def test_batch_norm_forward(relu: bool, dtype: Any) -> None:
    for shape in [(1, 1), (2, 3, 5), (20, 8), (1030, 4), (600, 7), (0, 4)]:
        C = shape[-1]
        x, gamma, beta = numbers(shape, dtype, scale=3) + dtype(10), numbers(C, dtype, 1), numbers(C, dtype, 2)
        averages = numbers(C, dtype, 3), np.abs(numbers(C, dtype, 4))
        named = {"epsilon": 1e-3, "momentum": 0.9, "relu": relu, "schedules": FEW}
        for full in (True, False):
            check_kernel(
                "batch_norm_forward",
                x=x,
                gamma=gamma if full else None,
                beta=beta if full else None,
                residual=numbers(shape, dtype, 5) if full else None,
                moving_mean=updated(averages[0]) if full else None,
                moving_variance=updated(averages[1]) if full else None,
                mean=written(C, dtype),
                inverse=written(C, dtype),
                y=written(shape, dtype),
                training=True,
                **named,
            )
        check_kernel(
            "batch_norm_forward",
            x=x,
            gamma=None,
            beta=beta,
            residual=None,
            moving_mean=averages[0],
            moving_variance=averages[1],
            mean=None,
            inverse=written(C, dtype),
            y=written(shape, dtype),
            training=False,
            **named,
        )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("relu", "by_y"), [(False, False), (True, False), (True, True)])
def test_batch_norm_backward(relu: bool, by_y: bool, dtype: Any) -> None:
    for shape in [(1, 1), (2, 3, 5), (20, 8), (1030, 4), (600, 7), (0, 4)]:
        C = shape[-1]
        for training in (False, True):
            named = {
                "x": numbers(shape, dtype, scale=2),
                "gamma": numbers(C, dtype, 1) if training else None,
                "beta": numbers(C, dtype, 2) if training else None,
                "mean": numbers(C, dtype, 3),
                "inverse": np.abs(numbers(C, dtype, 4)),
                "y": numbers(shape, dtype, 5) if by_y else None,
                "dy": numbers(shape, dtype, 6),
                "dz": written(shape, dtype) if by_y else None,
                "dx": written(shape, dtype),
                "dgamma": written(C, dtype),
                "dbeta": written(C, dtype),
                "training": training,
                "relu": relu,
                "schedules": FEW,
            }
            check_kernel("batch_norm_backward", **named)
            check_kernel("batch_norm_backward", **(named | {"dgamma": None, "dbeta": None}))
            check_kernel("batch_norm_backward", **(named | {"dx": None}))
            if by_y:  # a sum of two gradients
                check_kernel("batch_norm_backward", **named, more_dy=numbers(shape, dtype, 7))


def test_a_sum_of_gradients_needs_room_for_the_residuals() -> None:
    x, line = np.ones((4, 3), np.float32), np.ones(3, np.float32)
    with pytest.raises(ValueError, match="a sum of gradients needs dz"):
        emulated().batch_norm_backward(x, line, line, line, line, None, x, None, None, None, None, True, True, x, 0)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", range(3))
def test_row_norm(kind: int, dtype: Any) -> None:
    for rows, n in [(1, 1), (3, 5), (70, 16), (2, 1003), (5, 20000), (0, 4)]:
        x, dy = numbers((rows, n), dtype) + dtype(2), numbers((rows, n), dtype, 1)
        x[:1] = 0
        gamma, beta = numbers(n, dtype, 2), numbers(n, dtype, 3)
        named = {"kind": kind, "epsilon": 1e-6, "schedules": FEW}
        for g, b in ((gamma, beta), (None, None), (gamma, None), (None, beta)):
            check_kernel(
                "row_norm_forward",
                x=x,
                gamma=g,
                beta=b,
                mean=written(rows, dtype) if kind == 0 else None,
                inverse=written(rows, dtype),
                y=written((rows, n), dtype),
                **named,
            )
        for g, wanted in ((gamma, True), (None, False)):
            check_kernel(
                "row_norm_backward",
                x=x,
                gamma=g,
                mean=numbers(rows, dtype, 4) if kind == 0 else None,
                inverse=np.abs(numbers(rows, dtype, 5)),
                dy=dy,
                dx=written((rows, n), dtype),
                dgamma=written(n, dtype) if wanted else None,
                dbeta=written(n, dtype) if wanted else None,
                **named,
            )


@pytest.mark.parametrize("dtype", FLOATS)
def test_group_norm(dtype: Any) -> None:
    for shape, groups in [((1, 1, 1), 1), ((2, 9, 8), 4), ((3, 5, 6), 6), ((2, 1030, 4), 1), ((0, 3, 4), 2)]:
        C = shape[-1]
        x, dy = numbers(shape, dtype) + dtype(3), numbers(shape, dtype, 1)
        gamma, beta = numbers(C, dtype, 2), numbers(C, dtype, 3)
        of_groups = (shape[0], groups)
        for g, b in ((gamma, beta), (None, None)):
            check_kernel(
                "group_norm_forward",
                x=x,
                gamma=g,
                beta=b,
                mean=written(of_groups, dtype),
                inverse=written(of_groups, dtype),
                y=written(shape, dtype),
                groups=groups,
                epsilon=1e-3,
                schedules=FEW,
            )
            check_kernel(
                "group_norm_backward",
                x=x,
                gamma=g,
                mean=numbers(of_groups, dtype, 4),
                inverse=np.abs(numbers(of_groups, dtype, 5)),
                dy=dy,
                dx=written(shape, dtype) if shape[1] != 9 else None,
                dgamma=written(C, dtype),
                dbeta=written(C, dtype) if g is None else None,
                groups=groups,
                schedules=FEW,
            )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("beta", [0.5, 0.75, 0.6])
def test_local_response_norm(beta: float, dtype: Any) -> None:
    for shape, size in [((1, 1), 1), ((3, 7), 5), ((20, 16), 4), ((2, 3), 9), ((0, 4), 3)]:
        x, dy = numbers(shape, dtype), numbers(shape, dtype, 1)
        named = {"size": size, "alpha": 0.3, "beta": beta, "k": 1.5}
        check_kernel("local_response_norm_forward", x=x, y=written(shape, dtype), **named)
        check_kernel("local_response_norm_backward", x=x, dy=dy, dx=written(shape, dtype), **named)
