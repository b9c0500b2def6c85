"""check_kernel: one call of a CUDA kernel, run by the emulator, against the CPU's kernel of the same name.

    check_kernel("relu_backward", y=y, dy=dy, dx=written(y.shape, y.dtype))

calls lamina._cpu's and lamina._cuda_emulated's `relu_backward` with these arguments and compares what they write, bit
by bit or within a tolerance. The emulator runs it forwards, backwards and in random order, with asynchronous copies
late and at once; with arrays on 16-byte boundaries and one element behind one. Around every array lie bytes that must
stay as they are, and inputs must not change. docs/cuda_emulator.md says what else the emulator sees.

The module is looked for at LAMINA_EMULATED_MODULE, then in build/emulator (tools/build_emulator.sh makes it).
LAMINA_SCHEDULES=2 runs the first two schedules alone, and the arrays off their boundaries; 1 the first: for sanitizers.
LAMINA_SHARED_KILOBYTES=64 gives a block as much shared memory as sm_75 has, 99 as sm_86, 163 as sm_80.
LAMINA_KERNEL_TESTS=gpu takes lamina._cuda on the GPU that is here in the emulator's place (gpu_kernels.py).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import device_stand_in
import gpu_kernels
from lamina import _cpu

FLOATS = (np.float32, np.float64)
#: Kernels whose sums of 16-bit numbers have another order than the CPU's in float32: they have tests of their own.
OTHER_ORDER = {
    "attention_backward", "attention_forward", "conv2d_backward_input", "conv2d_backward_kernel", "conv2d_forward",
    "gemm", "gemm_batched", "recurrent_backward", "recurrent_forward",
}  # fmt: skip
#: (schedule, whether asynchronous copies are late)
SCHEDULES = (
    ("forward", True),
    ("forward", False),
    ("reverse", True),
    ("reverse", False),
    ("random:1", True),
    ("random:2", False),
)
MARGIN = 64  # bytes around an array
SHARED = int(os.environ.get("LAMINA_SHARED_KILOBYTES", 227))  # of a block
BOUNDARY = 64  # of an array that is not shifted: packs of 16-bit numbers have 32 bytes once they are float32
SANITIZED = bool(os.environ.get("LAMINA_SANITIZED"))  # AddressSanitizer looks after the ends of arrays itself


@functools.cache
def emulated() -> Any:
    """lamina._cuda_emulated; skips the test where it is not built."""
    if os.environ.get("LAMINA_KERNEL_TESTS") == "gpu":
        return gpu_kernels.kernels()
    module = device_stand_in.emulated_kernels()
    if module is None:
        pytest.skip("lamina._cuda_emulated is not built: tools/build_emulator.sh")
    return module


@dataclass
class Output:
    """An array that a kernel writes; `start` is what it holds before."""

    start: np.ndarray


@dataclass
class Same:
    """The array of another argument, which this one shares."""

    name: str


def written(shape: Any, dtype: Any) -> Output:
    """An array that a kernel writes wholly: what it held must not matter. It holds NaN, or the largest number."""
    dtype = np.dtype(dtype)
    return Output(np.full(shape, np.nan if dtype.kind == "f" else np.iinfo(dtype).max, dtype))


def updated(array: np.ndarray) -> Output:
    """An array that a kernel reads and writes."""
    return Output(array.copy())


def same_as(name: str) -> Same:
    """For a call in place: the array that argument `name` is."""
    return Same(name)


def check_kernel(
    name: str,
    *,
    tolerance: Mapping[Any, float] | float | None = None,
    reference: Callable[..., Any] | None = None,
    schedules: Any = SCHEDULES,
    narrow: Mapping[str, float] | float | None = None,
    **arguments: Any,
) -> None:
    """Compares a kernel in the emulator with the CPU's; of float32 arrays, the same in 16 bits too: check_sixteen_bits.

    Args:
        name: of the function in both modules.
        tolerance: the most that |y - reference| / max(1, |reference|) may be, by dtype or for all; None: equal bits.
        reference: called with the arguments in place of the CPU's function.
        schedules: (schedule, late copies) pairs to run it under.
        narrow: outputs are 16-bit numbers, and may be so far off (see check_narrow), all or by name; every run has
            the same bits.
        arguments: by the names that the function gives them, without `stream`: arrays, written(...), updated(...),
            same_as(...), None and plain values; lists and tuples of these.
    """
    _compare(name, arguments, tolerance, reference, schedules, narrow)
    if reference is None and narrow is None and name not in OTHER_ORDER:
        check_sixteen_bits(name, **arguments)


def check_sixteen_bits(name: str, /, **arguments: Any) -> None:
    """The float32 among the arguments rounded to float16, and to bfloat16: a kernel that the module lists in
    `sixteen_bit` has the results of the CPU's kernel for these numbers in float32, rounded. Others refuse them."""
    wide = emulated().sixteen_bit().get(name)
    if not any(a.dtype == np.float32 for value in arguments.values() for a in _arrays(value)):
        return
    for kind in NARROW:

        def narrowed(array: np.ndarray, kind: str = kind) -> np.ndarray:
            return rounded(array, kind)[0] if array.dtype == np.float32 else array

        given = {key: value if key in (wide or ()) else mapped(value, narrowed) for key, value in arguments.items()}
        if wide is not None:
            _compare(name, given, None, functools.partial(in_float32, name, kind), SCHEDULES[4:5], None)
        else:
            with pytest.raises(TypeError):
                getattr(emulated(), name)(**_place(given, 0).values, stream=0)


def in_float32(name: str, kind: str, /, **arguments: Any) -> None:
    """The CPU's kernel for numbers of 16 bits: in float32, its results rounded."""
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # by id, as an output may be an input

    def widely(array: np.ndarray) -> np.ndarray:
        wide = _floats(array)
        return array if wide is array else found.setdefault(id(array), (array, wide))[1]

    with np.errstate(all="ignore"):
        getattr(_cpu, name)(**{key: mapped(value, widely) for key, value in arguments.items()})
    for array, wide in found.values():
        array[...] = rounded(wide, kind)[0]


def _floats(array: np.ndarray) -> np.ndarray:
    """The array, in float32 if it is one of 16 bits."""
    return np.asarray(widened(array)) if array.dtype in (np.float16, np.uint16) else array


def mapped(value: Any, change: Callable[[np.ndarray], np.ndarray]) -> Any:
    """An argument with `change` done to its arrays."""
    if isinstance(value, Output):
        return Output(change(value.start))
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(item, change) for item in value)
    return change(value) if isinstance(value, np.ndarray) else value


def _arrays(value: Any) -> list[np.ndarray]:
    found: list[np.ndarray] = []

    def keep(array: np.ndarray) -> np.ndarray:
        found.append(array)
        return array

    mapped(value, keep)
    return found


def _compare(
    name: str,
    arguments: Mapping[str, Any],
    tolerance: Any,
    reference: Callable[..., Any] | None,
    schedules: Any,
    narrow: Mapping[str, float] | float | None,
) -> None:
    module = emulated()
    expected = _place(arguments, 0)
    first: dict[str, bytes] = {}
    (reference or getattr(_cpu, name))(**expected.values)
    runs = [(schedule, late, 0) for schedule, late in schedules] + [("forward", True, 1)]
    most = int(os.environ.get("LAMINA_SCHEDULES", len(runs)))
    runs = runs[:most] + (runs[-1:] if 1 < most < len(runs) else [])
    try:
        for schedule, late, shift in runs:
            module.emulator_configure(schedule=schedule, lazy_copies=late, shared_kilobytes=SHARED)
            where = f"{name}, {schedule}, copies {'late' if late else 'at once'}, shifted by {shift}"
            got = _place(arguments, shift)
            getattr(module, name)(**got.values, stream=0)
            got.check_untouched(where)
            for key, wanted in expected.outputs.items():
                if narrow is None:
                    _assert_same(_floats(got.outputs[key]), _floats(wanted), tolerance, f"{where}: {key}")
                else:
                    off = narrow[key] if isinstance(narrow, Mapping) else narrow
                    np.testing.assert_allclose(
                        widened(got.outputs[key]), widened(wanted), rtol=0, atol=off, err_msg=f"{where}: {key}"
                    )
                    assert first.setdefault(key, got.outputs[key].tobytes()) == got.outputs[key].tobytes(), where
    finally:
        module.emulator_configure()


class _Placed:
    """Arguments with arrays of their own."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.outputs: dict[str, np.ndarray] = {}
        self._inputs: list[tuple[str, np.ndarray, bytes]] = []
        self._margins: list[tuple[str, np.ndarray, bytes]] = []

    def copy(self, key: str, array: np.ndarray, shift: int) -> np.ndarray:
        """A copy of the array, `shift` elements behind a 16-byte boundary, between margins."""
        before = shift * array.itemsize if SANITIZED else MARGIN + shift * array.itemsize
        after = 0 if SANITIZED else MARGIN
        whole = np.empty(before + array.nbytes + after + BOUNDARY, np.uint8)
        start = -whole.ctypes.data % BOUNDARY
        if SANITIZED:  # the end of the memory is the end of the array: malloc's own boundary is one of 16 bytes
            whole, start = np.empty(before + array.nbytes, np.uint8), 0
            assert whole.ctypes.data % 16 == 0 or not whole.size
        whole[:] = 0xFF
        inside = whole[start + before : start + before + array.nbytes]
        placed = inside.view(array.dtype).reshape(array.shape) if array.nbytes else np.empty_like(array)
        placed[...] = array
        if not SANITIZED:
            self._margins += [
                (key, part, part.tobytes())
                for part in (whole[: start + before], whole[start + before + array.nbytes :])
            ]
        return placed

    def take(self, key: str, value: Any, shift: int) -> Any:
        if isinstance(value, Output):
            self.outputs[key] = self.copy(key, value.start, shift)
            return self.outputs[key]
        if isinstance(value, np.ndarray):
            placed = self.copy(key, value, shift)
            self._inputs.append((key, placed, placed.tobytes()))
            return placed
        if isinstance(value, (list, tuple)):
            return type(value)(self.take(f"{key}[{i}]", item, shift) for i, item in enumerate(value))
        return value

    def check_untouched(self, where: str) -> None:
        for key, margin, before in self._margins:
            assert margin.tobytes() == before, f"{where}: wrote beyond {key}"
        for key, array, before in self._inputs:
            assert array.tobytes() == before, f"{where}: wrote to {key}, which is an input"


def _place(arguments: Mapping[str, Any], shift: int) -> _Placed:
    placed = _Placed()
    shared = {a.name for a in arguments.values() if isinstance(a, Same)}
    for key, value in arguments.items():
        if key in shared and isinstance(value, np.ndarray):  # an input that is written to all the same
            value = Output(value)
        if not isinstance(value, Same):
            placed.values[key] = placed.take(key, value, shift)
    for key, value in arguments.items():
        if isinstance(value, Same):
            placed.values[key] = placed.values[value.name]
    placed.values = {key: placed.values[key] for key in arguments}
    return placed


def _assert_same(got: np.ndarray, wanted: np.ndarray, tolerance: Any, where: str) -> None:
    if isinstance(tolerance, Mapping):
        tolerance = tolerance[got.dtype.type]
    if got.dtype.kind != "f":
        np.testing.assert_array_equal(got, wanted, err_msg=where)
        return
    unsigned = f"u{got.itemsize}"
    same = (got.view(unsigned) == wanted.view(unsigned)) | (np.isnan(got) & np.isnan(wanted))
    if tolerance is not None:
        with np.errstate(invalid="ignore", over="ignore"):
            same |= np.abs(got - wanted) <= tolerance * np.maximum(1, np.abs(wanted))
    if not same.all():
        place = tuple(int(p) for p in np.argwhere(~same)[0])
        raise AssertionError(
            f"{where}: {(~same).sum()} of {same.size} are off, first at {place}: "
            f"{got[place]!r}, the CPU has {wanted[place]!r}"
        )


# Inputs


def numbers(shape: Any, dtype: Any, seed: int = 0, *, scale: float = 1.0, special: bool = False) -> np.ndarray:
    """Normal random numbers; special: NaN, infinities, zeros of both signs and denormals among them."""
    x = np.asarray(np.random.default_rng(seed).standard_normal(shape) * scale).astype(dtype)
    if special and x.size:
        values = [np.nan, np.inf, -np.inf, 0.0, -0.0, np.finfo(dtype).tiny / 8, np.finfo(dtype).max, -1.0, 1.0]
        places = np.random.default_rng(seed + 1).permutation(x.size)[: 2 * len(values)]
        x.reshape(-1)[places] = np.resize(np.array(values, dtype), places.size)
    return x


def sizes() -> Iterator[int]:
    """Lengths of arrays that meet every tail: none, one, around a pack, a warp, a block, more than a block."""
    yield from (0, 1, 3, 4, 5, 31, 33, 255, 257, 1024, 1031)


# Numbers of 16 bits: the emulated module takes bfloat16 as uint16, and so is it here.

#: The distance from 1 to the next number.
NARROW = {"float16": 2.0**-10, "bfloat16": 2.0**-7}


def rounded(x: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """x as 16-bit numbers, as the emulated module takes them, and what they stand for in float32."""
    if kind == "float16":
        with np.errstate(all="ignore"):
            half = np.asarray(x.astype(np.float16))
        return half, widened(half)
    bits = np.asarray(x, np.float32).reshape(-1).view(np.uint32)
    upper = np.where(bits << 1 > 0xFF000000, 0x7FC0, (bits + (0x7FFF + (bits >> 16 & 1))) >> 16)
    narrow = upper.astype(np.uint16).reshape(x.shape)
    return narrow, widened(narrow)


def widened(x: np.ndarray) -> np.ndarray:
    """16-bit numbers in float32, which stays."""
    if x.dtype == np.float32:
        return x
    return x.astype(np.float32) if x.dtype == np.float16 else (x.astype(np.uint32) << 16).view(np.float32)


def check_narrow(
    name: str, expected: np.ndarray, kind: str, output: str, *, exact: bool = False, **arguments: Any
) -> None:
    """Runs a kernel of 16-bit numbers and compares its output with the float32 result for the same, rounded, inputs:
    one rounding, and sums of float32 in another order (exact: whose order does not matter for these inputs)."""

    def store(**all_arguments: Any) -> None:
        all_arguments[output][...] = rounded(expected, kind)[0]

    narrow = None if exact else NARROW[kind] * float(np.abs(expected).max(initial=1))
    start = np.full(expected.shape, np.nan, np.float16) if kind == "float16" else np.full(expected.shape, 0x7FFF, "u2")
    arguments[output] = Output(start)
    check_kernel(name, reference=store, narrow=narrow, **arguments)
