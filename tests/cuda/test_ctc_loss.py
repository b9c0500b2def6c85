"""Connectionist temporal classification: the CPU's bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernel_testing import FLOATS, check_kernel, emulated, numbers, written


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("blank", [0, 2])
def test_ctc_loss(blank: int, dtype: Any) -> None:
    random = np.random.default_rng(0)
    for batch, time, classes, labels in [(1, 1, 3, 0), (3, 6, 4, 2), (4, 20, 19, 9), (1, 12, 3, 20), (0, 3, 4, 2)]:
        targets = random.integers(0, 2, (batch, labels)) + (blank == 0)
        lengths = random.integers(0, labels + 1, batch)
        steps = random.integers(0, time + 1, batch)
        lengths[:1], steps[:1] = labels, time
        x = numbers((batch, time, classes), dtype, scale=2)
        for zero_infinity in (False, True):
            named = {"x": x, "targets": targets, "target_lengths": lengths, "input_lengths": steps, "blank": blank}
            named |= {"zero_infinity": zero_infinity, "losses": written(batch, dtype)}
            check_kernel("ctc_loss", **named, dx=written(x.shape, dtype))
            check_kernel("ctc_loss", **named, dx=None)


@pytest.mark.parametrize("dtype", FLOATS)
def test_what_is_out_of_range_gives_nan(dtype: Any) -> None:
    x = numbers((5, 4, 3), dtype)
    targets = np.array([[1, 2], [1, 3], [1, -1], [1, 2], [1, 2]])
    lengths, steps = np.array([2, 2, 2, 3, 2]), np.array([4, 4, 4, 4, 5])
    losses, dx = np.zeros(5, dtype), np.zeros_like(x)
    emulated().ctc_loss(x, targets, lengths, steps, 0, False, losses, dx, 0)
    np.testing.assert_array_equal(np.isnan(losses), [False, True, True, True, True])
    np.testing.assert_array_equal(np.isnan(dx).all(axis=(1, 2)), [False, True, True, True, True])
    assert not np.isnan(dx[0]).any()
