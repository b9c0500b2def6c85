"""Products take smaller tiles where a device has less shared memory: sm_75, sm_86 and sm_80 in place of sm_90."""

from __future__ import annotations

import numpy as np
import pytest

import kernel_testing
from kernel_testing import check_narrow, numbers, rounded
from lamina import _cpu

ONE = (("forward", True),)


@pytest.fixture(autouse=True, params=[64, 99, 163])
def shared_kilobytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_testing, "SHARED", request.param)


@pytest.mark.parametrize("transposed", [False, True])
def test_products_on_tensor_cores(transposed: bool) -> None:
    a, b = numbers((40, 260) if transposed else (260, 40), np.float16, 1), numbers((40, 136), np.float16, 2)
    expected = np.empty((260, 136), np.float32)
    _cpu.gemm(a.astype(np.float32), b.astype(np.float32), expected, transpose_a=transposed)
    check_narrow("gemm", expected, "float16", "c", a=a, b=b, transpose_a=transposed, schedules=ONE)


def test_gradient_of_a_kernel_on_tensor_cores() -> None:
    x, dy = (rounded(numbers((1, 9, 9, 72), np.float32, i), "float16") for i in range(2))
    named = {"window": [1, 1, 1, 1, 1, 1, 1, 1], "groups": 1, "mode": 0}
    expected = np.empty((3, 3, 72, 72), np.float32)
    _cpu.conv2d_backward_kernel(x[1], dy[1], expected, **named)
    check_narrow("conv2d_backward_kernel", expected, "float16", "dw", x=x[0], dy=dy[0], **named, schedules=ONE)
