"""Random arrays and dropout: the CPU's bits."""

from __future__ import annotations

import functools
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


@pytest.mark.parametrize("dtype", FLOATS)
def test_seed_and_stream_in_device_memory(dtype: Any) -> None:
    seed, stream = np.array([2**63 + 5], np.uint64), np.array([2**40 + 1], np.uint64)

    def by_the_cpu(name: str, **arguments: Any) -> None:
        arguments |= {key: int(arguments[key].item()) for key in ("seed", "random_stream")}
        getattr(_cpu, name)(**arguments)

    for name, more in (
        ("random_uniform", {"y": written((300,), dtype), "low": -1.0, "high": 2.0}),
        ("random_normal", {"y": written((300,), dtype), "mean": 1.0, "stddev": 2.0}),
        ("random_words", {"y": written((301,), np.uint32), "first": 3}),
        ("dropout", {"x": numbers((1000,), dtype), "dropped": 20000, "y": written((1000,), dtype)}),
    ):
        tolerance = 1e-5 if name == "random_normal" and dtype == np.float32 else None
        check_kernel(
            name, seed=seed, random_stream=stream, reference=functools.partial(by_the_cpu, name), **more,
            tolerance=tolerance,
        )  # fmt: skip
