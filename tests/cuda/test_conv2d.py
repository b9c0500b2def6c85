"""Convolutions: the bits of the CPU's direct mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernel_testing import FLOATS, NARROW, check_kernel, check_narrow, numbers, rounded, written
from lamina import _cpu

DIRECT = 2
FEW = (("forward", True), ("random:3", False))

#: x, kernel (without the channels of a group), filters, groups, window: strides, dilations, padding
CASES = {
    "few channels": ((2, 6, 7, 3), (3, 3), 8, 1, (1, 1, 1, 1, 1, 1, 1, 1)),
    "four channels": ((1, 5, 9, 4), (2, 5), 20, 1, (1, 2, 1, 1, 0, 1, 2, 2)),
    "two chains": ((1, 4, 5, 64), (3, 3), 20, 1, (1, 1, 1, 1, 1, 1, 1, 1)),
    "ragged channels": ((2, 5, 4, 33), (2, 3), 17, 1, (1, 1, 1, 1, 1, 0, 1, 1)),
    "strides": ((2, 7, 9, 8), (3, 3), 12, 1, (2, 3, 1, 1, 1, 1, 0, 2)),
    "dilated": ((1, 9, 8, 5), (3, 2), 6, 1, (1, 1, 2, 3, 2, 2, 0, 3)),
    "strides and dilation": ((1, 11, 10, 9), (3, 3), 5, 1, (2, 4, 3, 2, 4, 1, 2, 2)),
    "strides beyond the kernel": ((2, 9, 8, 4), (2, 1), 8, 1, (4, 3, 1, 1, 0, 0, 1, 0)),
    "padding beyond the kernel": ((1, 3, 3, 2), (2, 2), 3, 1, (1, 1, 1, 1, 3, 4, 2, 5)),
    "groups": ((2, 5, 6, 24), (3, 3), 40, 2, (1, 1, 1, 1, 1, 1, 1, 1)),
    "groups, strides": ((1, 6, 6, 27), (3, 3), 30, 3, (2, 2, 1, 1, 1, 1, 1, 1)),
    "narrow groups": ((2, 5, 6, 12), (3, 2), 8, 4, (1, 1, 1, 1, 1, 1, 1, 0)),
    "narrow groups, strides": ((1, 6, 7, 6), (3, 3), 9, 3, (2, 1, 2, 1, 2, 2, 1, 1)),
    "depthwise": ((2, 6, 9, 12), (3, 3), 12, 12, (1, 1, 1, 1, 1, 1, 1, 1)),
    "depthwise, strides": ((1, 8, 7, 8), (3, 5), 8, 8, (2, 2, 1, 1, 1, 1, 2, 2)),
    "depthwise, one chain and more": ((1, 25, 23, 5), (24, 22), 5, 5, (1, 1, 1, 1, 0, 0, 0, 0)),
    "depthwise, multiplied": ((1, 6, 5, 3), (3, 3), 30, 3, (1, 1, 1, 1, 1, 1, 1, 1)),
    "1x1": ((2, 4, 5, 20), (1, 1), 18, 1, (1, 1, 1, 1, 0, 0, 0, 0)),
    "1x1, strides": ((2, 5, 5, 20), (1, 1), 18, 1, (2, 2, 1, 1, 0, 0, 0, 0)),
    "whole image": ((3, 4, 3, 7), (4, 3), 9, 1, (1, 1, 1, 1, 0, 0, 0, 0)),
    "one column": ((2, 12, 1, 6), (5, 1), 7, 1, (2, 1, 1, 1, 2, 2, 0, 0)),
    "one row": ((2, 1, 12, 6), (1, 5), 7, 1, (1, 2, 1, 1, 0, 0, 2, 2)),
    "chains of pixels": ((1, 30, 40, 3), (2, 2), 5, 1, (1, 1, 1, 1, 0, 0, 0, 0)),
    "chains of images": ((9, 9, 9, 4), (3, 3), 6, 1, (1, 1, 1, 1, 1, 1, 1, 1)),
    "depthwise, chains": ((3, 30, 40, 4), (2, 2), 4, 4, (1, 1, 1, 1, 0, 0, 0, 0)),
    "parts of chains": ((7, 20, 21, 2), (1, 2), 3, 1, (1, 1, 1, 1, 0, 0, 0, 0)),
    "empty batch": ((0, 4, 5, 3), (3, 3), 4, 1, (1, 1, 1, 1, 1, 1, 1, 1)),
    "empty batch, depthwise": ((0, 4, 5, 4), (3, 3), 4, 4, (1, 1, 1, 1, 1, 1, 1, 1)),
    "volumes": ((2, 4, 5, 6, 3), (2, 3, 3), 10, 1, (1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1)),
    "volumes, strides": ((1, 7, 6, 5, 9), (3, 2, 3), 5, 1, (2, 3, 1, 1, 1, 2, 1, 1, 0, 1, 2, 2)),
    "volumes, strides beyond the kernel": ((1, 7, 6, 5, 4), (2, 1, 3), 5, 1, (4, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1)),
    "volumes, two chains": ((1, 3, 4, 3, 40), (3, 2, 2), 6, 1, (1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0)),
    "volumes, depthwise": ((1, 4, 5, 6, 8), (3, 3, 3), 8, 8, (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)),
    "volumes, narrow groups": ((1, 9, 8, 4, 6), (8, 7, 3), 4, 2, (1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1)),
    "volumes, slices apart": ((2, 3, 4, 5, 6), (1, 3, 3), 7, 1, (1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1)),
    "volumes, every other slice": ((1, 5, 4, 4, 8), (1, 3, 3), 8, 8, (2, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1)),
    "whole volume": ((2, 3, 2, 4, 5), (3, 2, 4), 6, 1, (1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0)),
}


def output_size(x: Any, kernel: Any, window: Any) -> tuple[int, ...]:
    n = len(kernel)
    return tuple(
        (x[i + 1] + window[2 * n + 2 * i] + window[2 * n + 2 * i + 1] - window[n + i] * (kernel[i] - 1) - 1)
        // window[i]
        + 1
        for i in range(n)
    )


def check_convolution(case: Any, dtype: Any, activation: int = 0, **options: Any) -> None:
    x_shape, kernel, filters, groups, window = case
    w_shape = (*kernel, x_shape[-1] // groups, filters)
    y_shape = (x_shape[0], *output_size(x_shape, kernel, window), filters)
    x, w, dy = numbers(x_shape, dtype, 1), numbers(w_shape, dtype, 2), numbers(y_shape, dtype, 3)
    bias, bias_back = numbers(filters, dtype, 4), numbers(x_shape[-1], dtype, 5)
    named = {"window": list(window), "groups": groups, "mode": DIRECT, **options}
    forward = {"x": x, "w": w, "y": written(y_shape, dtype), "activation": activation, **named}
    backward = {"dy": dy, "w": w, "dx": written(x_shape, dtype), **named}
    check_kernel("conv2d_forward", **forward, bias=bias)
    check_kernel("conv2d_backward_input", **backward)
    if activation:
        check_kernel("conv2d_forward", **forward, bias=None)
        check_kernel("conv2d_backward_input", **backward, bias=bias_back, activation=activation)
    else:
        check_kernel("conv2d_backward_kernel", x=x, dy=dy, dw=written(w_shape, dtype), **named)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", CASES)
def test_convolution(case: str, dtype: Any) -> None:
    check_convolution(CASES[case], dtype, schedules=FEW)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", ["strides beyond the kernel", "groups", "narrow groups", "depthwise, strides"])
@pytest.mark.parametrize("activation", [1, 2, 3])
def test_convolution_with_activation(activation: int, case: str, dtype: Any) -> None:
    check_convolution(CASES[case], dtype, activation, schedules=FEW)


@pytest.mark.parametrize("case", ["strides", "groups", "narrow groups", "depthwise", "few channels", "volumes"])
def test_convolution_under_every_schedule(case: str) -> None:
    check_convolution(CASES[case], np.float32)


@pytest.mark.parametrize("dtype", FLOATS)
def test_convolution_of_large_tiles(dtype: Any) -> None:
    case = ((1, 17, 17, 72), (2, 2), 130, 1, (1, 1, 1, 1, 0, 0, 0, 0))
    check_convolution(case, dtype, schedules=(("forward", True),))


def test_values_that_are_not_finite() -> None:
    x_shape, kernel, filters, groups, window = CASES["few channels"]
    x = numbers(x_shape, np.float32, special=True)
    w = numbers((*kernel, x_shape[-1], filters), np.float32, 1, special=True)
    y, dy = written((*x_shape[:3], filters), np.float32), numbers((*x_shape[:3], filters), np.float32, 2, special=True)
    named = {"window": list(window), "groups": groups, "mode": DIRECT}
    check_kernel("conv2d_forward", x=x, w=w, bias=None, y=y, activation=1, **named)
    check_kernel("conv2d_backward_input", dy=dy, w=w, dx=written(x_shape, np.float32), **named)
    check_kernel("conv2d_backward_kernel", x=x, dy=dy, dw=written(w.shape, np.float32), **named)


def test_every_mode_is_direct() -> None:
    def direct(**arguments: Any) -> None:
        _cpu.conv2d_forward(**{**arguments, "mode": DIRECT})

    x, w = numbers((1, 8, 8, 32), np.float32), numbers((3, 3, 32, 32), np.float32, 1)
    y = written((1, 8, 8, 32), np.float32)
    named = {"window": [1, 1, 1, 1, 1, 1, 1, 1], "groups": 1, "activation": 0, "schedules": FEW}
    for mode in (0, 1, 2):
        check_kernel("conv2d_forward", reference=direct, x=x, w=w, bias=None, y=y, mode=mode, **named)


NARROW_CASES = [
    ((1, 6, 7, 24), (3, 3), 40, 1, (1, 1, 1, 1, 1, 1, 1, 1)),
    ((1, 4, 5, 64), (3, 3), 16, 1, (1, 1, 1, 1, 1, 1, 1, 1)),
    ((2, 7, 6, 32), (3, 3), 16, 2, (2, 2, 1, 1, 1, 1, 1, 1)),
    ((1, 17, 17, 72), (2, 2), 136, 1, (1, 1, 1, 1, 0, 0, 0, 0)),
    ((2, 6, 9, 16), (3, 3), 16, 16, (1, 1, 1, 1, 1, 1, 1, 1)),
    *[CASES[name] for name in ("few channels", "ragged channels", "strides and dilation", "narrow groups", "1x1")],
    *[CASES[name] for name in ("whole image", "chains of pixels", "parts of chains", "empty batch", "volumes")],
    *[CASES[name] for name in ("strides beyond the kernel", "volumes, strides", "depthwise, chains")],
]


@pytest.mark.parametrize("kind", NARROW)
@pytest.mark.parametrize("case", NARROW_CASES, ids=str)
def test_convolution_of_16_bit_numbers(case: Any, kind: str) -> None:
    x_shape, kernel, filters, groups, window = case
    w_shape = (*kernel, x_shape[-1] // groups, filters)
    y_shape = (x_shape[0], *output_size(x_shape, kernel, window), filters)
    shapes = {"x": x_shape, "w": w_shape, "dy": y_shape, "bias": (filters,)}
    given = {name: rounded(numbers(shape, np.float32, i), kind) for i, (name, shape) in enumerate(shapes.items())}
    named = {"window": list(window), "groups": groups, "mode": DIRECT}
    calls = [
        ("conv2d_forward", "y", y_shape, ["x", "w", "bias"], {"activation": 1}),
        ("conv2d_backward_input", "dx", x_shape, ["dy", "w"], {}),
        ("conv2d_backward_kernel", "dw", w_shape, ["x", "dy"], {}),
    ]
    for name, output, shape, inputs, more in calls:
        expected = np.empty(shape, np.float32)
        getattr(_cpu, name)(**{i: given[i][1] for i in inputs}, **{output: expected}, **named, **more)
        arrays = {i: given[i][0] for i in inputs}
        check_narrow(name, expected, kind, output, **arrays, **named, **more, schedules=FEW)
