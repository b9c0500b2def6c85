"""lamina._cuda on a GPU with the face of lamina._cuda_emulated: its functions take NumPy's arrays.

Each call copies its arrays to the GPU, as far from a boundary as they are in memory and between margins; runs the
kernel; copies all of them back, inputs too; and fails if a margin was written to. So the tests of kernels run on a GPU
as they are: LAMINA_KERNEL_TESTS=gpu.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

MARGIN = 256  # bytes before and behind an array; CuPy's memory begins on such a boundary
FILLING = 0xA5


class GpuKernels:
    """The kernels of `module` over the arrays of `cupy`."""

    def __init__(self, cupy: Any, module: ModuleType) -> None:
        self._cupy = cupy
        self._module = module

    def __dir__(self) -> list[str]:
        return [name for name in dir(self._module) if not name.startswith("__")]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):  # of the module itself: no kernel
            raise AttributeError(name)
        function = getattr(self._module, name)
        if name in ("status", "device_count", "sixteen_bit"):
            return function

        def call(*args: Any, **kwargs: Any) -> Any:
            there = _There(self._cupy, name)
            if "stream" in kwargs:
                kwargs["stream"] = self._cupy.cuda.get_current_stream().ptr
            result = function(*map(there.moved, args), **{key: there.moved(value) for key, value in kwargs.items()})
            self._cupy.cuda.Device().synchronize()
            there.back()
            return result

        call.__doc__ = function.__doc__
        return call

    def emulator_configure(self, **settings: Any) -> None:
        """A GPU has its own schedule."""


class _There:
    """The arrays of one call on the GPU; one that is given twice is there once."""

    def __init__(self, cupy: Any, name: str) -> None:
        self._cupy = cupy
        self._name = name
        self._arrays: dict[int, tuple[np.ndarray, Any, int, Any]] = {}  # by id: here, memory there, its start, there

    def moved(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            if id(value) not in self._arrays:
                self._arrays[id(value)] = self._placed(value)
            return self._arrays[id(value)][3]
        if isinstance(value, list | tuple):
            return type(value)([self.moved(item) for item in value])
        return value

    def _placed(self, array: np.ndarray) -> tuple[np.ndarray, Any, int, Any]:
        start = MARGIN + array.ctypes.data % 64
        whole = np.full(start + array.nbytes + MARGIN, FILLING, np.uint8)
        whole[start : start + array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        memory = self._cupy.asarray(whole)
        stored = np.dtype(np.int16) if array.dtype == np.uint16 else array.dtype
        if array.nbytes:
            there = memory[start : start + array.nbytes].view(stored).reshape(array.shape)
        else:
            there = self._cupy.empty(array.shape, stored)
        if array.dtype == np.uint16:  # stands for bfloat16, which CuPy hands on as PyTorch's
            torch = pytest.importorskip("torch")
            there = torch.from_dlpack(there).view(torch.bfloat16)
        return array, memory, start, there

    def back(self) -> None:
        for array, memory, start, _ in self._arrays.values():
            whole = self._cupy.asnumpy(memory)
            end = start + array.nbytes
            around = np.concatenate([whole[:start], whole[end:]])
            assert (around == FILLING).all(), f"{self._name} wrote beyond an array of shape {array.shape}"
            found = whole[start:end].view(array.dtype).reshape(array.shape)
            if found.tobytes() != array.tobytes():
                array[...] = found


def kernels() -> Any:
    """lamina._cuda on the GPU that is here."""
    import cupy

    from lamina import cuda_arrays

    return GpuKernels(cupy, cuda_arrays.cuda_module())
