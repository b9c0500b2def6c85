"""Numbers of 16 bits: how they are widened and rounded, and which kernels take them.

check_kernel runs every kernel that is given float32 in 16 bits too: against the CPU's float32 kernel for the widened
numbers, rounded, if the kernel is listed; it must refuse them else.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from kernel_testing import NARROW, check_sixteen_bits, emulated, numbers, rounded, widened, written


def test_the_list_names_kernels_and_their_arrays() -> None:
    listed = emulated().sixteen_bit()
    assert set(listed) >= {"gemm", "conv2d_forward", "relu_forward", "softmax_cross_entropy"}
    for name, wide in listed.items():
        signature = getattr(emulated(), name).__doc__.splitlines()[0]
        assert all(re.search(rf"\b{array}: ", signature) for array in wide), name
    assert listed["relu_forward"] == ()
    assert "gamma" in listed["row_norm_forward"]
    assert "sin_forward" not in listed


@pytest.mark.parametrize("kind", NARROW)
def test_all_numbers_are_read_and_written(kind: str) -> None:
    x = np.arange(1 << 16, dtype=np.uint16).view(np.float16 if kind == "float16" else np.uint16)
    y, zero = np.empty_like(x), rounded(np.full(1, -0.0), kind)[0]
    emulated().add(x, zero, y, 0)
    same = (y.view(np.uint16) == x.view(np.uint16)) | (np.isnan(widened(x)) & np.isnan(widened(y)))
    assert same.all()


@pytest.mark.parametrize("kind", NARROW)
def test_rounding_to_nearest_halves_to_even(kind: str) -> None:
    patterns = np.arange(1 << 16, dtype=np.uint16)
    narrow = widened(patterns.view(np.float16) if kind == "float16" else patterns)
    narrow = narrow[np.isfinite(narrow)].astype(np.float64)
    ordered = np.unique(narrow)
    halves = ((ordered[1:] + ordered[:-1]) / 2).astype(np.float32)
    beyond = np.array([65519, 65520, 3.3961e38, np.inf, np.nan, 1e-30, 1e-42], np.float32)
    near = [np.nextafter(halves, np.float32(np.inf)), np.nextafter(halves, np.float32(-np.inf))]
    x = np.concatenate([halves, *near, beyond, -beyond])
    x = np.concatenate([x, np.random.default_rng(0).integers(0, 1 << 32, 50_000, np.uint32).view(np.float32)])
    wanted, _ = rounded(x, kind)
    ones = rounded(np.ones((x.size, 1)), kind)[0]
    y = np.empty_like(ones)
    emulated().scale_rows(ones, x, y, 0)
    got = y.reshape(-1)
    same = (got.view(np.uint16) == wanted.view(np.uint16)) | (np.isnan(widened(got)) & np.isnan(widened(wanted)))
    assert same.all(), x[~same]


def test_a_kernel_that_is_not_listed_refuses_them() -> None:
    x = numbers(5, np.float32)
    check_sixteen_bits("sin_forward", x=x, y=written(5, np.float32))
    with pytest.raises(TypeError, match="float32 or float64"):
        emulated().sin_forward(x.astype(np.float16), x.astype(np.float16), 0)


def test_mixed_dtypes_are_refused() -> None:
    x = numbers((4, 8), np.float32)
    with pytest.raises(TypeError, match="dtype"):
        emulated().add(x.astype(np.float16), x, x.astype(np.float16), 0)
    gamma, mean, inverse = np.ones(8, np.float16), np.ones(4, np.float32), np.ones(4, np.float32)
    with pytest.raises(TypeError, match="dtype"):
        emulated().row_norm_forward(x.astype(np.float16), gamma, None, mean, inverse, x.astype(np.float16), 0, 1e-5, 0)
