"""Arrays and devices: the only place that asks "which device?".

Arrays are NumPy's on the CPU and CuPy's on an NVIDIA GPU. Python allocates, kernels fill: `empty` takes its memory from
Lamina's caching pool, because fresh memory costs more than most work done on it.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import numpy as np

from lamina import _cpu

Array = Any  # numpy.ndarray or cupy.ndarray
float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)


def isa() -> str:
    """The instruction set that kernels use: "v4" (AVX-512), "v3" (AVX2 and FMA) or "portable".

    Example:
        >>> import lamina as lm
        >>> lm.isa() in ("v4", "v3", "portable")
        True
    """
    return _cpu.isa()


def set_isa(name: str) -> None:
    """Chooses the instruction set for all kernels from now on; results have the same bits on each.

    Args:
        name: "v4", "v3" or "portable".

    Raises:
        ValueError: if this processor lacks it.

    Example:
        >>> import lamina as lm
        >>> lm.set_isa("portable")
        >>> lm.isa()
        'portable'
    """
    _cpu.set_isa(name)


def num_threads() -> int:
    """How many threads kernels run on: LAMINA_NUM_THREADS, OMP_NUM_THREADS, or the processors that are allowed.

    Example:
        >>> import lamina as lm
        >>> lm.num_threads() >= 1
        True
    """
    return _cpu.num_threads()


def set_num_threads(count: int) -> None:
    """Sets how many threads kernels run on; results have the same bits for any number.

    Args:
        count: from 1 to 256.

    Raises:
        ValueError: for any other number.

    Example:
        >>> import lamina as lm
        >>> lm.set_num_threads(2)
        >>> lm.num_threads()
        2
    """
    _cpu.set_num_threads(count)


def kernels(array: Array) -> ModuleType:
    """The extension module whose kernels take this array."""
    if isinstance(array, np.ndarray):
        return _cpu
    raise TypeError(f"expected a NumPy array, got {type(array).__name__}")


def array_module(array: Array) -> ModuleType:
    """numpy or cupy, whichever the array belongs to."""
    return np if isinstance(array, np.ndarray | np.generic) else kernels(array)


def device_of(array: Array) -> str:
    """The name of the array's device: "cpu" or "cuda"."""
    return "cpu" if isinstance(array, np.ndarray | np.generic) else "cuda"


def cuda_status() -> dict[str, Any]:
    """What there is of CUDA: `built` (the optional module lamina._cuda), `device_count`, `message` (why there is none).

    Where the module is built, also `runtime_version` and `driver_version`, as CUDA numbers them (13000: 13.0).
    """
    try:
        module = importlib.import_module("lamina._cuda")
    except ImportError as error:
        return {"built": False, "device_count": 0, "message": f"the CUDA module is not built ({error})"}
    return {"built": True, **module.status()}


def _pooled(shape: int | tuple[int, ...], dtype: Any) -> Array:
    try:
        return _cpu.empty(shape, dtype)
    except OverflowError:
        raise MemoryError(f"empty: cannot allocate an array of shape {shape}: its sizes pass 64 bits") from None


def empty(shape: int | tuple[int, ...], dtype: Any = float32, like: Array | None = None) -> Array:
    """An uninitialised array from the pool, on the device of `like` (the CPU without it)."""
    return _pooled(shape, dtype)


def empty_like(array: Array) -> Array:
    """An uninitialised C-contiguous array of the same shape, dtype and device."""
    return _cpu.empty_like(array)


def zeros(shape: int | tuple[int, ...], dtype: Any = float32, like: Array | None = None) -> Array:
    """An array of zeros from the pool."""
    array = _pooled(shape, dtype)
    array.fill(0)
    return array


def full(shape: int | tuple[int, ...], value: float, dtype: Any = float32, like: Array | None = None) -> Array:
    """An array of one value from the pool."""
    array = _pooled(shape, dtype)
    array.fill(value)
    return array


def contiguous(array: Array) -> Array:
    """The array itself if a kernel can read it, else a copy that one can: C-contiguous, aligned, native byte order."""
    return _cpu.contiguous(array)


def as_array(value: Any, dtype: Any = None, floats: Any = float32) -> Array:
    """An array of any array-like. Arrays keep their dtype, and so do lists that hold any.

    Args:
        value: an array, a number, or nested lists of them.
        dtype: another dtype than the value's own.
        floats: the dtype of Python floats, and of lists of them.

    Raises:
        TypeError: if the values are no numbers (object, complex, longdouble, strings).
    """
    array = np.asarray(value)
    _check_numbers(array.dtype)
    if dtype is not None:
        array = array.astype(dtype, copy=False)
        _check_numbers(array.dtype)
    elif array.dtype == np.float64 and array.dtype != floats and _without_dtype(value):
        array = array.astype(floats)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def _check_numbers(dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise TypeError(f"expected an array of numbers (bool, integer or float up to 64 bits), got dtype {dtype}")


def _without_dtype(value: Any) -> bool:
    """Whether a number, or nested lists, are Python's throughout."""
    if isinstance(value, list | tuple):
        return set(map(type, value)) <= {float, int, bool} or all(map(_without_dtype, value))
    return not hasattr(value, "dtype")


def as_strings(value: Any) -> Array:
    """An array of strings (dtype kind "U") of any array-like of them, bytes as UTF-8; None if it holds none.

    Raises:
        TypeError: if strings come together with something else.
    """
    array = np.asarray(value)
    if array.dtype.kind == "O" and any(item is None or isinstance(item, str | bytes) for item in array.flat):
        wrong = [item for item in array.flat if not isinstance(item, str | bytes)]
        if wrong:
            raise TypeError(f"expected strings, got {wrong[0]!r} among them")
        texts = [item.decode() if isinstance(item, bytes) else str(item) for item in array.flat]
        return np.array(texts, dtype=str).reshape(array.shape)
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8")
    return array if array.dtype.kind == "U" else None


def from_pool(array: Array) -> Array:
    """A copy in the pool's memory, 64-byte aligned: for arrays that kernels read again and again."""
    copy = _cpu.empty(array.shape, array.dtype)
    copy[...] = array
    return copy
