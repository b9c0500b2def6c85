"""gpu_kernels, on the stand-in's arrays: the same results as the CPU's kernels, and writes beyond arrays are found."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import device_stand_in
from gpu_kernels import GpuKernels


@pytest.fixture
def cupy() -> Any:
    return device_stand_in.cupy_module()


def test_kernels_write_to_numpys_arrays(cupy: Any) -> None:
    module = GpuKernels(cupy, device_stand_in.kernels_module())
    module.emulator_configure(schedule="reverse")
    x = np.array([-1.0, 0.0, 2.0, np.nan], np.float32)[1:]
    y = np.full_like(x, 7)
    module.relu_forward(x=x, y=y, stream=0)
    np.testing.assert_array_equal(y, [0, 2, np.nan])
    module.relu_forward(x=x, y=x, stream=0)  # in place: one array there
    np.testing.assert_array_equal(x, [0, 2, np.nan])
    empty = np.empty((0, 3), np.float32)
    module.relu_forward(x=empty, y=empty, stream=0)
    assert "relu_forward" in dir(module)
    assert module.status()["device_count"] == 1


@pytest.mark.parametrize("place", [-1, 0, 4])
def test_what_is_written_beside_an_array_is_found(place: int, cupy: Any) -> None:
    def kernel(x: Any, stream: int) -> None:
        memory = x._host.base
        while memory.base is not None:
            memory = memory.base
        start = x._host.ctypes.data - memory.ctypes.data
        memory.reshape(-1).view(np.uint8)[start + place] ^= 1

    module = GpuKernels(cupy, ModuleType("fake"))
    module._module.kernel = kernel  # type: ignore[attr-defined]
    x = np.zeros(4, np.uint8)
    if place == 0:
        module.kernel(x, stream=0)
        assert x.tolist() == [1, 0, 0, 0]
    else:
        with pytest.raises(AssertionError, match=r"kernel wrote beyond an array of shape \(4,\)"):
            module.kernel(x, stream=0)


def test_arrays_keep_their_distance_from_a_boundary(cupy: Any) -> None:
    def kernel(arrays: Any, stream: int) -> None:
        for a in arrays:
            base = a._host.base
            while base.base is not None:
                base = base.base
            distances.append((a._host.ctypes.data - base.ctypes.data) % 64)

    distances: list[int] = []
    memory = np.zeros(256, np.uint8)
    start = -memory.ctypes.data % 64
    arrays = [memory[start + shift :] for shift in (0, 4, 17)]
    GpuKernels(cupy, SimpleNamespace(kernel=kernel)).kernel(arrays, stream=0)  # type: ignore[arg-type]
    assert distances == [0, 4, 17]
