"""Arrays and devices: the only place that asks "which device?".

Arrays are NumPy's on the CPU and CuPy's on an NVIDIA GPU. Python allocates, kernels fill: `empty` takes its memory from
Lamina's caching pool, because fresh memory costs more than most work done on it.
"""

from __future__ import annotations

import importlib
from types import TracebackType
from typing import Any

import numpy as np

from lamina import _cpu, cuda_arrays, recording
from lamina.cuda_arrays import CUDA, MANAGED, Cuda

Array = Any  # numpy.ndarray or cupy.ndarray
float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)
int64 = np.dtype(np.int64)
float16 = np.dtype(np.float16)
narrow = False  # whether floats of 16 bits are in use: somebody asked for some, and ops look out for them from then on
ndarray = np.ndarray


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


# Dtypes


def dtype_of(value: Any) -> np.dtype[Any]:
    """NumPy's dtype of a name, a type or a dtype; for "bfloat16" that of the package ml_dtypes.

    Raises:
        TypeError: if there is none.
    """
    if isinstance(value, str) and value == "bfloat16":
        value = importlib.import_module("ml_dtypes").bfloat16
    dtype: np.dtype[Any] = np.dtype(value)
    if is_narrow(dtype):
        use_narrow()
    return dtype


def is_float(dtype: np.dtype[Any]) -> bool:
    """Whether it is one of floats, bfloat16 among them, which is none of NumPy's own."""
    return dtype.kind == "f" or dtype.name == "bfloat16"


def is_narrow(dtype: np.dtype[Any]) -> bool:
    """Whether it is one of floats of 16 bits: float16 or bfloat16."""
    return dtype.itemsize == 2 and dtype.name in ("bfloat16", "float16")


def state_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What statistics of arrays of this dtype are kept in: float32 for 16 bits, else the dtype itself."""
    return dtype if dtype.itemsize > 2 else float32


def use_narrow() -> None:
    """Has ops look out for floats of 16 bits from now on: see autograd/narrow.py."""
    global narrow
    narrow = True


def cast(array: Array, dtype: np.dtype[Any]) -> Array:
    """The array in another dtype, itself if it has it. What does not fit into 16 bits becomes infinite."""
    if array.dtype == dtype:
        return array
    if dtype.itemsize != 2:
        return array.astype(dtype)
    if not on_host(array):
        _cuda_array(array).check(dtype)
    with np.errstate(all="ignore"):
        return array.astype(dtype)


# Devices

cuda: Cuda | None = None  # the GPU, once a program has asked for it
here: Array | None = None  # stands for the default device: an empty array there, None for the CPU


def cuda_status() -> dict[str, Any]:
    """What there is of CUDA: `built` (the optional module lamina._cuda), `device_count`, `message` (why there is none).

    Where the module is built, also `runtime_version` and `driver_version`, as CUDA numbers them (13000: 13.0).
    """
    return cuda_arrays.cuda_status()


def _gpu() -> Cuda:
    global cuda
    if cuda is None:
        cuda = Cuda()
    return cuda


def on(name: str) -> Array | None:
    """What stands for the device of this name as a `like`: None for "cpu", an empty array for "cuda".

    Raises:
        ValueError: for an unknown name.
        RuntimeError: if there is no GPU, or what it needs is missing: says what to install.
    """
    return None if device_name(name) == "cpu" else _gpu().here


def device_name(name: str) -> str:
    """ "cpu" or "cuda", also for Keras's and PyTorch's other names of these.

    Raises:
        ValueError: for an unknown name.
    """
    if name == "cpu":
        return "cpu"
    if name in ("cuda", "cuda:0", "gpu", "gpu:0"):
        return "cuda"
    raise ValueError(f'expected device "cpu" or "cuda", got {name!r}')


class device:
    """Sets the device on which tensors, weights and random numbers are made: "cpu", as it is at first, or "cuda".

    Called by itself it holds for the rest of the program, in a `with` until its end; for all threads. Data stay NumPy
    arrays in memory until a model or an op takes them.

    Args:
        name: "cpu" or "cuda".

    Raises:
        ValueError: for an unknown name.
        RuntimeError: if there is no GPU, or what it needs is missing: says what to install.

    Example:
        >>> import lamina as lm
        >>> with lm.device("cpu"):
        ...     x = lm.tensor([1.0, 2.0])
        >>> x.device
        'cpu'
    """

    def __init__(self, name: str) -> None:
        global here
        self.name = device_name(name)
        self._before = here
        here = on(name)

    def __enter__(self) -> device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global here
        here = self._before

    def __repr__(self) -> str:
        return f'device("{self.name}")'


def _cuda_array(array: Array) -> Cuda:
    """The GPU that the array is on.

    Raises:
        TypeError: if it is no array of NumPy or CuPy.
    """
    if cuda is not None and isinstance(array, cuda.array_type):
        return cuda
    if type(array).__module__.partition(".")[0] == "cupy":  # made before Lamina was asked for the device
        return _gpu()
    raise TypeError(f"expected a NumPy or CuPy array, got {type(array).__name__}")


def is_array(value: Any) -> bool:
    """Whether it is an array of NumPy, or of CuPy."""
    if isinstance(value, np.ndarray):
        return True
    if cuda is not None:
        return isinstance(value, cuda.array_type)
    return type(value).__module__.partition(".")[0] == "cupy" and hasattr(value, "__cuda_array_interface__")


def on_host(array: Array) -> bool:
    """Whether it is NumPy's."""
    return isinstance(array, np.ndarray | np.generic)


def kernels(array: Array) -> Any:
    """The kernels that take this array: those of lamina._cpu, or of lamina._cuda on the current stream."""
    if type(array) is ndarray or isinstance(array, ndarray):
        return _cpu
    return _cuda_array(array).kernels


def array_module(array: Array) -> Any:
    """numpy or cupy, whichever the array belongs to."""
    if type(array) is ndarray or isinstance(array, np.ndarray | np.generic):
        return np
    return _cuda_array(array).module


def device_of(array: Array) -> str:
    """The name of the array's device: "cpu" or "cuda"."""
    return "cpu" if isinstance(array, np.ndarray | np.generic) else "cuda"


def refuse_mixed(op: str, **arrays: Array) -> None:
    """Raises TypeError unless all arrays (of those that are not None) are on one device."""
    first = None
    for name, array in arrays.items():
        if array is None:
            continue
        found = device_of(array)
        if first is None:
            first, first_name = found, name
        elif found != first:
            raise TypeError(f"{op}: {first_name} is on {first}, {name} on {found}: move one with .to(...)")


def moved(array: Array, like: Array | None) -> Array:
    """The array on the device of `like` (None: the CPU): itself where it is there already, else a copy.

    To the GPU it is copied on the current stream; to the CPU, the program waits for the GPU.
    """
    if like is None or isinstance(like, np.ndarray):
        return to_host(array)
    gpu = _cuda_array(like)
    if narrow:
        gpu.check(array.dtype)
    if not isinstance(array, np.ndarray | np.generic):
        return array
    recorder = recording.state.recorder
    return gpu.module.asarray(array) if recorder is None else recorder.constant(array)


def to_host(array: Array) -> Array:
    """The array as NumPy's: itself, or a copy of what is on the GPU, for which the program waits."""
    return array if isinstance(array, np.ndarray | np.generic) else array.get()


def from_dlpack(value: Any) -> Array:
    """An array over the memory of another library's, in the order of the current stream: no copy."""
    kind = value.__dlpack_device__()[0]
    return _gpu().module.from_dlpack(value) if kind in (CUDA, MANAGED) else np.from_dlpack(value)


# Memory


def empty(shape: int | tuple[int, ...], dtype: Any = float32, like: Array | None = None) -> Array:
    """An uninitialised array from the pool, on the device of `like` (the CPU without it)."""
    if type(like) is ndarray or like is None or isinstance(like, ndarray):
        try:
            return _cpu.empty(shape, dtype)
        except OverflowError:
            raise MemoryError(f"empty: cannot allocate an array of shape {shape}: its sizes pass 64 bits") from None
    gpu = _cuda_array(like)
    if narrow:
        gpu.check(dtype)
    return gpu.module.empty(shape, dtype)


def empty_like(array: Array) -> Array:
    """An uninitialised C-contiguous array of the same shape, dtype and device."""
    if type(array) is ndarray or isinstance(array, ndarray):
        return _cpu.empty_like(array)
    return _cuda_array(array).module.empty(array.shape, array.dtype)


def zeros(shape: int | tuple[int, ...], dtype: Any = float32, like: Array | None = None) -> Array:
    """An array of zeros from the pool, on the device of `like`."""
    array = empty(shape, dtype, like)
    array.fill(0)
    return array


def full(shape: int | tuple[int, ...], value: float, dtype: Any = float32, like: Array | None = None) -> Array:
    """An array of one value from the pool, on the device of `like`."""
    array = empty(shape, dtype, like)
    array.fill(value)
    return array


def scalar(value: float, like: Array, dtype: Any = None) -> Array:
    """An array without axes of one number, on the device of `like` and without another dtype of its own."""
    dtype = like.dtype if dtype is None else dtype
    if type(like) is ndarray or isinstance(like, np.ndarray | np.generic):
        return np.asarray(value, dtype)
    return full((), value, dtype, like)


def contiguous(array: Array) -> Array:
    """The array itself if a kernel can read it, else a copy that one can: C-contiguous, aligned, native byte order."""
    if type(array) is ndarray or isinstance(array, np.ndarray | np.generic):
        return _cpu.contiguous(array)
    return array if array.flags.c_contiguous else _cuda_array(array).module.ascontiguousarray(array)


def as_array(value: Any, dtype: Any = None, floats: Any = float32, like: Array | None = None) -> Array:
    """An array of any array-like. Arrays keep their dtype, and so do lists that hold any.

    Args:
        value: an array, a number, or nested lists of them.
        dtype: another dtype than the value's own.
        floats: the dtype of Python floats, and of lists of them.
        like: what is not on a GPU yet goes to the device of this array. Arrays of the GPU stay there.

    Raises:
        TypeError: if the values are no numbers (object, complex, longdouble, strings).
    """
    if type(value) is ndarray and dtype is None and (like is None or type(like) is ndarray):
        found = value.dtype
        if found is float32 or found is float64 or found is int64:  # as most are
            return value
    if dtype is not None:
        dtype = dtype_of(dtype)
    if not isinstance(value, np.ndarray) and not _in_python(value):
        found = _on_gpu(value)
        if found is not None:
            _check_numbers(found.dtype)
            return found if dtype is None else cast(found, dtype)
    array = np.asarray(value)
    _check_numbers(array.dtype)
    if dtype is not None:
        _check_numbers(dtype)
        array = cast(array, dtype)
    elif array.dtype == np.float64 and array.dtype != floats and _without_dtype(value):
        array = array.astype(floats)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array if like is None or type(like) is ndarray else moved(array, like)


def _in_python(value: Any) -> bool:
    return isinstance(value, float | int | list | tuple)


def _on_gpu(value: Any) -> Array | None:
    """An array of the GPU's for what is there, another library's included (DLPack); None for anything else."""
    if is_array(value):
        return value
    where = getattr(value, "__dlpack_device__", None)
    if where is None or isinstance(value, np.generic):
        return None
    return from_dlpack(value) if where()[0] in (CUDA, MANAGED) else None


def _check_numbers(dtype: np.dtype[Any]) -> None:
    if dtype is float32 or dtype is float64:
        return
    if is_narrow(dtype):
        use_narrow()
    elif dtype.kind not in "fiub" or dtype.itemsize > 8:
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
    copy = empty(array.shape, array.dtype, array)
    copy[...] = array
    return copy
