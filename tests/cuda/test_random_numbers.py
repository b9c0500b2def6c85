"""Random arrays and dropout: the CPU's bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernel_testing import FLOATS, check_kernel, numbers, same_as, written
from lamina import _cpu

KEY = {"seed": 0x123456789ABCDEF0, "random_stream": 0xFEDCBA9876543210}


def on_the_cpu(name: str) -> Any:
    return lambda **arguments: getattr(_cpu, name)(*arguments.values())


def test_random_words() -> None:
    for n, first in [(0, 0), (1, 0), (4, 3), (1031, 0xFFFFFFFF), (10, 2**64 - 1)]:
        check_kernel("random_words", reference=on_the_cpu("random_words"), y=written(n, np.uint32), **KEY, first=first)


@pytest.mark.parametrize("dtype", FLOATS)
def test_random_arrays(dtype: Any) -> None:
    for n in (0, 1, 17, 33, 64, 130, 2500):
        y = written(n, dtype)
        check_kernel("random_uniform", reference=on_the_cpu("random_uniform"), y=y, **KEY, low=-0.3, high=1.7)
        check_kernel("random_normal", reference=on_the_cpu("random_normal"), y=y, **KEY, mean=0.1, stddev=2.5)


@pytest.mark.parametrize("dtype", FLOATS)
def test_dropout(dtype: Any) -> None:
    reference = on_the_cpu("dropout")
    for n in (0, 1, 17, 127, 128, 130, 1031):
        for dropped in (0, 1, 20000, 65535, 65536):
            x = numbers(n, dtype, special=True)
            check_kernel("dropout", reference=reference, x=x, dropped=dropped, **KEY, y=written(n, dtype))
    check_kernel("dropout", reference=reference, x=x, dropped=30000, **KEY, y=same_as("x"))
