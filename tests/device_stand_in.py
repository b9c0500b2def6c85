"""A stand-in for a GPU: modules `cupy` and `lamina._cuda` over NumPy, for machines that have none.

Its arrays are as strict as CuPy's: they do not mix with NumPy's, nothing makes a NumPy array of them but `get()` and
`asnumpy`, and the module has only names and arguments that CuPy has. Fresh memory holds NaN. The kernels are those of
`lamina._cpu` on the memory inside, with the stream as one more argument; `install(kernels)` takes others, as the
emulated CUDA kernels.

Unlike CuPy's, these arrays do not take NumPy's functions either (`np.add(x, x)`): array code shall go through
`backend.array_module`.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

import stream_stand_in as streams
from lamina import _cpu, backend


def words(text: str) -> list[str]:
    return text.split()


WAITING = {"argwhere", "bincount", "flatnonzero", "histogram", "nonzero", "unique"}  # for how much there is of a result

# What the module has of NumPy's functions, as of CuPy 13; for some, arguments that CuPy lacks.
UFUNCS = words("""
    abs absolute add arctan2 bitwise_and bitwise_or bitwise_xor cbrt ceil cos cosh divide equal exp expm1 floor
    floor_divide fmod frexp greater greater_equal hypot invert isfinite isinf isnan ldexp less less_equal log
    log10 log1p log2 logaddexp logical_and logical_not logical_or logical_xor maximum minimum mod multiply
    negative not_equal positive power reciprocal remainder right_shift left_shift rint sign signbit sin sinh
    sqrt square subtract tan tanh true_divide trunc
""")
FUNCTIONS = words("""
    all amax amin any append arange argmax argmin argsort argwhere array_equal atleast_1d bincount
    broadcast_arrays broadcast_to clip column_stack concatenate copyto count_nonzero cumprod cumsum diag
    diagonal diff digitize dot einsum expand_dims eye fill_diagonal flatnonzero flip full full_like histogram
    hstack identity indices isclose isin linspace matmul max may_share_memory mean meshgrid min moveaxis nonzero ones
    ones_like outer pad prod ravel repeat reshape roll round searchsorted sort split squeeze stack std sum swapaxes take
    take_along_axis tensordot tile transpose tri tril triu unique unravel_index vstack var where zeros
    zeros_like
""")
REFUSED = {
    "take": {"mode"},
    "count_nonzero": {"keepdims"},
    "prod": {"initial", "where"},
    "sum": {"initial", "where"},
    "max": {"initial", "where"},
    "min": {"initial", "where"},
    "mean": {"where"},
    "any": {"where"},
    "all": {"where"},
}
METHODS = words("""
    all any argmax argmin argsort astype clip copy cumprod cumsum diagonal dot flatten max mean min nonzero prod
    ravel repeat reshape round squeeze std sum swapaxes take trace transpose var view
""")
OPERATORS = words("""
    add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow matmul rmatmul and rand or
    ror xor rxor lshift rlshift rshift rrshift lt le gt ge eq ne neg pos invert abs
""")
IN_PLACE = words("""
    iadd isub imul itruediv ifloordiv imod ipow iand ior ixor ilshift irshift
""")


class Capsule:
    """What a kernel takes an array from."""

    def __init__(self, host: np.ndarray) -> None:
        self.host = host


class ndarray:
    """An array "on the GPU"."""

    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]
    __slots__ = ("__weakref__", "_host")

    def __init__(self, host: np.ndarray) -> None:
        self._host = host

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def get(self) -> np.ndarray:
        streams.waits()
        return self._host.copy()

    @property
    def device(self) -> str:
        return "<CUDA Device 0>"

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {**self._host.__array_interface__, "version": 3, "stream": streams.current().ptr}

    def __dlpack__(self, *, stream: Any = None, **kwargs: Any) -> Any:
        self.ordered(stream)
        return Capsule(self._host) if stream == -1 else self._host.__dlpack__(**kwargs)

    def ordered(self, stream: int | None = None) -> None:
        """The order that __dlpack__ makes: without a word about it the default stream waits for the current one."""
        if stream != -1 and streams.current().ptr != streams.DEFAULT:
            streams.waits()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)

    def item(self, *args: int) -> Any:
        streams.waits()
        return self._host.item(*args)

    def tolist(self) -> Any:
        streams.waits()
        return self._host.tolist()

    def fill(self, value: Any) -> None:
        streams.done(self._host.fill, _inside(value), writes=[self._host])

    def set(self, array: np.ndarray, stream: Any = None) -> None:
        streams.waits()
        assert isinstance(array, np.ndarray)
        assert (array.dtype, array.shape) == (self.dtype, self.shape)
        self._host[...] = array

    def sort(self, axis: int = -1) -> None:
        streams.done(self._host.sort, axis=axis, kind="stable", writes=[self._host])

    def __len__(self) -> int:
        return len(self._host)

    def __bool__(self) -> bool:
        streams.waits()
        return bool(self._host)

    def __int__(self) -> int:
        streams.waits()
        return int(self._host)

    def __float__(self) -> float:
        streams.waits()
        return float(self._host)

    def __index__(self) -> int:
        streams.waits()
        return self._host.__index__()

    def __repr__(self) -> str:
        streams.waits()
        return repr(self._host)

    def __iter__(self) -> Any:
        return (_outside(self._host[i, ...]) for i in range(len(self._host)))

    def __getitem__(self, key: Any) -> ndarray:
        inside = _inside(key)
        if any(part.dtype == bool for part in streams.arrays_in(inside if isinstance(inside, tuple) else [inside])):
            streams.waits()
        return _outside(streams.done(np.ndarray.__getitem__, self._host, inside))

    def __setitem__(self, key: Any, value: Any) -> None:
        streams.done(self._host.__setitem__, _inside(key), _inside(value), writes=[self._host])

    def __copy__(self) -> ndarray:
        return ndarray(streams.done(np.ndarray.copy, self._host))

    def __deepcopy__(self, memo: Any) -> ndarray:
        return ndarray(streams.done(np.ndarray.copy, self._host))

    def __reduce__(self) -> Any:
        streams.waits()
        return ndarray, (self._host,)


def _inside(value: Any) -> Any:
    """NumPy's arrays for stand-in arrays, in lists too; a NumPy array is an error."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, tuple | list):
        return type(value)([_inside(item) for item in value])
    if isinstance(value, slice):
        return slice(*[None if i is None else i.__index__() for i in (value.start, value.stop, value.step)])
    allowed = int | float | str | np.generic | np.dtype | type | type(Ellipsis) | None
    if not isinstance(value, allowed) and not hasattr(value, "__index__"):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def _outside(value: Any) -> Any:
    """Stand-in arrays for what NumPy gave: CuPy has no scalars of its own."""
    if isinstance(value, np.ndarray | np.generic):
        return ndarray(np.asarray(value))
    if isinstance(value, tuple | list):
        return (
            type(value)([_outside(item) for item in value])
            if type(value) in (tuple, list)
            else tuple(_outside(item) for item in value)
        )
    return value


def _without_warnings(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    def quiet(*args: Any, **kwargs: Any) -> Any:
        with np.errstate(all="ignore"):  # a GPU warns of nothing
            return function(*args, **kwargs)

    out = kwargs.get("out")
    return streams.done(quiet, *args, **kwargs, writes=streams.arrays_in(out))


def _taken(name: str, ufunc: bool = False) -> Callable[..., Any]:
    function = getattr(np, name)
    refused = {"where", "casting", "order"} if ufunc else REFUSED.get(name, set())

    def call(*args: Any, **kwargs: Any) -> Any:
        wrong = refused & kwargs.keys()
        if wrong:
            raise TypeError(f"{name}() got an unexpected keyword argument {wrong}")
        _check_kind(kwargs)
        if name in WAITING:
            streams.waits()
        out = kwargs.get("out")
        result = _without_warnings(
            function, *[_inside(a) for a in args], **{key: _inside(value) for key, value in kwargs.items()}
        )
        return _outside(result) if out is None else out

    call.__name__ = name
    return call


def _check_kind(kwargs: dict[str, Any]) -> None:
    if kwargs.get("kind") not in (None, "stable"):
        raise ValueError("kind can only be None or 'stable'")


def _method(name: str) -> Callable[..., Any]:
    refused = REFUSED.get(name, set()) | ({"kind"} if name == "argsort" else set())

    def call(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        wrong = refused & kwargs.keys()
        if wrong:
            raise TypeError(f"{name}() got an unexpected keyword argument {wrong}")
        if name == "argsort":
            kwargs["kind"] = "stable"
        out = kwargs.get("out")
        result = _without_warnings(
            lambda host, *args, **kwargs: getattr(host, name)(*args, **kwargs),
            self._host,
            *[_inside(a) for a in args],
            **{key: _inside(value) for key, value in kwargs.items()},
        )
        return _outside(result) if out is None else out

    return call


def _quiet_operator(host: np.ndarray, name: str, others: list[Any], writes: list[np.ndarray]) -> Any:
    def operate() -> Any:
        with np.errstate(all="ignore"):
            return getattr(host, name)(*others)

    return streams.done(lambda _, __: operate(), host, others, writes=writes)


def _operator(name: str, in_place: bool = False) -> Callable[..., Any]:
    def call(self: ndarray, *others: Any) -> Any:
        if others and not isinstance(others[0], ndarray | int | float | np.generic):
            if isinstance(others[0], np.ndarray | list | tuple):
                raise TypeError(f"Unsupported type {type(others[0])}")
            return NotImplemented
        writes = [self._host] if in_place else []
        inside = [_inside(o) for o in others]
        result = _quiet_operator(self._host, name, inside, writes)
        if result is NotImplemented:
            return result
        return self if in_place else _outside(result)

    return call


for _name in METHODS:
    setattr(ndarray, _name, _method(_name))
for _name in OPERATORS:
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
for _name in IN_PLACE:
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__", in_place=True))
for _name in words("shape dtype ndim size nbytes itemsize strides"):
    setattr(ndarray, _name, property(lambda self, name=_name: getattr(self._host, name)))
ndarray.flags = property(  # type: ignore[attr-defined]  without "writeable": all arrays are
    lambda self: SimpleNamespace(
        c_contiguous=self._host.flags.c_contiguous,
        f_contiguous=self._host.flags.f_contiguous,
        owndata=self._host.flags.owndata,
    )
)
ndarray.T = property(lambda self: ndarray(self._host.T))  # type: ignore[attr-defined]


# The module


def asarray(a: Any, dtype: Any = None) -> ndarray:
    if isinstance(a, ndarray):
        return a if dtype is None else a.astype(dtype, copy=False)
    if isinstance(a, list | tuple) and any(isinstance(item, ndarray) for item in a):
        return ndarray(streams.done(np.stack, [_inside(asarray(item)) for item in a]))
    streams.waits()
    return ndarray(np.array(a, dtype=dtype, order="C"))


def array(a: Any, dtype: Any = None, copy: bool = True) -> ndarray:
    found = asarray(a, dtype)
    return found.copy() if copy and found is a else found


def asnumpy(a: Any) -> np.ndarray:
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


def ascontiguousarray(a: ndarray, dtype: Any = None) -> ndarray:
    return ndarray(streams.done(np.ascontiguousarray, a._host, dtype))


def empty(shape: Any, dtype: Any = float) -> ndarray:
    return ndarray(streams.allocated(np.empty(shape, dtype)))


def empty_like(a: ndarray, dtype: Any = None) -> ndarray:
    return empty(a.shape, a.dtype if dtype is None else dtype)


def from_dlpack(a: Any) -> ndarray:
    if isinstance(a, ndarray):
        return ndarray(a._host)
    return ndarray(np.from_dlpack(a))


def _ufunc_at(name: str) -> Callable[..., Any]:
    """cupy.add.at and its like; for floats, which a GPU would add in no fixed order, an error."""

    def at(a: ndarray, key: Any, values: Any) -> None:
        if name == "add" and a.dtype.kind == "f":
            raise TypeError("add.at: of floats, with atomics, is not deterministic")
        if a.dtype.name not in ("int32", "uint32", "uint64", "float32", "float64"):
            raise TypeError(f"{name}.at: not supported for {a.dtype}")
        streams.done(getattr(np, name).at, a._host, _inside(key), _inside(values), writes=[a._host])

    return at


def cupy_module() -> ModuleType:
    module = ModuleType("cupy")
    for name in FUNCTIONS:
        setattr(module, name, _taken(name))
    for name in UFUNCS:
        setattr(module, name, _taken(name, ufunc=True))
    for name in ("add", "maximum", "minimum"):
        getattr(module, name).at = _ufunc_at(name)
    for function in (asarray, array, asnumpy, ascontiguousarray, empty, empty_like, from_dlpack):
        setattr(module, function.__name__, function)
    module.ndarray = ndarray
    for name in ("bool_", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "dtype",
                 "inf", "nan", "pi", "newaxis", "result_type", "issubdtype", "iinfo", "finfo"):  # fmt: skip
        setattr(module, name, getattr(np, name))
    sliding = _taken_from(np.lib.stride_tricks.sliding_window_view)
    module.lib = SimpleNamespace(stride_tricks=SimpleNamespace(sliding_window_view=sliding))
    module.cuda = SimpleNamespace(
        get_current_stream=streams.current,
        Stream=streams.Stream,
        MemoryPool=streams.MemoryPool,
        using_allocator=streams.using_allocator,
        Device=lambda number=0: SimpleNamespace(id=number, synchronize=lambda: None),
    )
    return module


def _taken_from(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: _outside(
        function(*[_inside(a) for a in args], **{key: _inside(value) for key, value in kwargs.items()})
    )


def kernels_module(kernels: ModuleType = _cpu, emulated: bool = False) -> ModuleType:
    """lamina._cuda over the kernels of another module, which take NumPy's arrays: the CPU's, or emulated ones."""
    module = ModuleType("lamina._cuda")

    def status() -> dict[str, Any]:
        return {"device_count": 1, "message": "", "runtime_version": 13000, "driver_version": 13000}

    def on_stream(name: str) -> Callable[..., Any]:
        kernel = getattr(kernels, name)

        def run(*args: Any, **kwargs: Any) -> Any:
            if emulated:
                return kernel(*_with_bits(args), **_with_bits(kwargs), stream=0)
            return kernel(*_of_the_host(name, args), **kwargs)

        def call(*args: Any, stream: int, **kwargs: Any) -> Any:
            assert stream == streams.current().ptr, f"{name}: stream {stream}"
            inside = {key: _taken_in(value) for key, value in kwargs.items()}
            given = [_taken_in(a) for a in args]
            return streams.done(run, *given, **inside, writes=streams.arrays_in([given, inside]))

        return call

    for name in dir(kernels):
        if not name.startswith("_") and callable(getattr(kernels, name)) and name not in HOST_ONLY:
            setattr(module, name, on_stream(name))
    module.status = status
    module.sixteen_bit = getattr(kernels, "sixteen_bit", dict)
    module.device_count = lambda: 1
    return module


def _taken_in(value: Any) -> Any:
    """An argument as the module takes it: arrays by DLPack, capsules as they are."""
    if isinstance(value, Capsule):
        return value.host
    if isinstance(value, ndarray):
        value.ordered()
    if isinstance(value, tuple | list):
        return type(value)([_taken_in(item) for item in value])
    return _inside(value)


def _with_bits(value: Any) -> Any:
    """Arrays of bfloat16 as those of uint16, which the emulated kernels take for it: NumPy hands none on."""
    if isinstance(value, dict):
        return {key: _with_bits(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)([_with_bits(item) for item in value])
    bits = isinstance(value, np.ndarray) and value.dtype.name == "bfloat16"
    return value.view(np.uint16) if bits else value


def _of_the_host(name: str, args: tuple[Any, ...]) -> list[Any]:
    """The arguments of a CPU's kernel, which takes numbers for settings that a GPU's takes in device memory."""
    given = list(args)
    if name == "adafactor_step":
        given[4:6] = [float(a.item()) if isinstance(a, np.ndarray) else a for a in given[4:6]]
    elif name.endswith("_step") and len(given) > 4 and isinstance(given[0], list):
        if isinstance(given[3], np.ndarray):
            given[3:5] = tuple(given[3][:6].tolist()), int(given[3][6])
        given[5:7] = [a.tolist() if isinstance(a, np.ndarray) else a for a in given[5:7]]
    elif "cross_entropy" in name and isinstance(given[3], np.ndarray):
        given[3] = float(given[3].item())
    return [_number(a) for a in given]


def _number(value: Any) -> Any:
    """Seeds in memory as numbers, in tuples too."""
    if type(value) is tuple and any(isinstance(item, np.ndarray) for item in value):
        return tuple([_number(item) for item in value])
    seed = isinstance(value, np.ndarray) and value.dtype == np.uint64 and value.size == 1
    return int(value.item()) if seed else value


HOST_ONLY = {"empty", "empty_like", "contiguous", "isa", "isas", "set_isa", "num_threads", "set_num_threads",
             "pool_stats", "sixteen_bit"}  # fmt: skip


def install(kernels: ModuleType | None = None) -> None:
    """Makes the device "cuda" that of the stand-in: before Lamina asks for it."""
    sys.modules["cupy"] = cupy_module()
    sys.modules["lamina._cuda"] = kernels_module() if kernels is None else kernels_module(kernels, emulated=True)


@functools.cache
def emulated_kernels() -> ModuleType | None:
    """lamina._cuda_emulated: LAMINA_EMULATED_MODULE, or what tools/build_emulator.sh built; None if it is not.

    LAMINA_EMULATED_MODULE=none: none is looked for, as where one is being built.
    """
    named = os.environ.get("LAMINA_EMULATED_MODULE")
    if named == "none":
        return None
    folder = Path(__file__).parents[1] / "build" / "emulator"
    found = [Path(named)] if named else sorted(folder.glob("_cuda_emulated*.so"))
    if not found:
        return None
    loader = importlib.machinery.ExtensionFileLoader("_cuda_emulated", str(found[-1]))
    spec = importlib.util.spec_from_loader("_cuda_emulated", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    sys.modules["_cuda_emulated"] = module
    return module


@functools.cache
def at_hand() -> str:
    """What "cuda" is in this process: "GPU" where there is one, else "stand-in", which is installed.

    With LAMINA_EMULATOR=1 it is "emulator": the stand-in's arrays with the CUDA kernels as the emulator runs them.
    """
    if os.environ.get("LAMINA_EMULATOR") == "1":
        kernels = emulated_kernels()
        if kernels is None:
            raise RuntimeError("LAMINA_EMULATOR=1: lamina._cuda_emulated is not built: tools/build_emulator.sh")
        install(kernels)
        return "emulator"
    if backend.cuda_status()["device_count"] and importlib.util.find_spec("cupy"):
        return "GPU"
    install()
    return "stand-in"
