"""check_op: from an op, its inputs and a NumPy reference, every test that an op must pass.

Each part is a function of its own, for ops that need only some of them or other inputs for one:

- check_forward: the reference's values, on every ISA and in both dtypes
- check_gradients: central differences, in float64
- check_single_gradients: those in float32 are those in float64, but for rounding
- check_layouts: any strides, byte order and alignment give the bits of a contiguous array; nothing is written to
- check_empty_batch: an empty result and zero gradients
- check_same_bits: outputs and gradients for 1, 2 and 4 threads, on every ISA, run after run
- check_rows_alone: a sample gives the same bits alone and in the batch
- check_devices: outputs and gradients on the device "cuda" (a GPU, or its stand-in) are those of the CPU
- check_narrow: in float16 and bfloat16 the op gives what it gives in float32, rounded; gradients too

Kernels do not fork below some 20 us of work: to mean something for threads, inputs must be large enough (about 10^5
elements for an elementwise op). Differences are measured at a few random places of every input. With LAMINA_ISA in the
environment, "every ISA" is that one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import device_stand_in
import lamina
from lamina import _cpu, backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor

FLOATS = (np.float32, np.float64)
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
THREADS = (1, 2, 4)
RUNS = (1,) if os.environ.get("LAMINA_SANITIZED") else (1, 2)  # a sanitizer sees no more in the second
DEVICE = device_stand_in.at_hand()


def check_op(
    op: Callable[..., Any],
    inputs: Sequence[Any],
    reference: Callable[..., Any],
    *,
    gradients: bool = True,
    batch_axis: int | None = 0,
    batched: Sequence[int] = (0,),
    dtypes: Sequence[Any] = FLOATS,
    tolerance: dict[Any, float] | None = None,
    layouts: bool = True,
    places: int = 24,
    narrow: bool = True,
) -> None:
    """Checks op(*tensors) in every way that this file knows.

    Args:
        op: takes a tensor (or None) an input, returns a tensor or a tuple of them.
        inputs: arrays; those of floating point are prototypes in float64, others are handed on as they are; or None.
        reference: the same in NumPy; takes float64 arrays, returns an array or a tuple of them.
        gradients: whether the op has gradients with respect to all its floating inputs.
        batch_axis: the axis of samples in the inputs named in `batched` and in all outputs; None: it has none.
        batched: which inputs have the batch axis. Gradients of the others (weights) are sums over the batch.
        dtypes: those to check in.
        tolerance: by dtype, the most that |y - reference| / max(1, |reference|) may be.
        layouts: whether inputs of any layout must give the same bits.
        places: how many places of an input to measure differences at.
        narrow: whether to check the op in 16 bits, too: not where numbers between several ops leave their range.
    """
    check_forward(op, inputs, reference, dtypes=dtypes, tolerance=tolerance)
    if gradients:
        check_gradients(op, inputs, places=places)
        if np.float32 in dtypes:
            check_single_gradients(op, inputs, tolerance=10 * (TOLERANCE | (tolerance or {}))[np.float32])
    for dtype in dtypes:
        typed = _typed(inputs, dtype)
        check_devices(op, typed, gradients=gradients)
        check_same_bits(op, typed, gradients=gradients)
        if layouts:
            check_layouts(op, typed, gradients=gradients)
        if batch_axis is not None:
            check_rows_alone(op, typed, batch_axis=batch_axis, batched=batched, gradients=gradients)
            check_empty_batch(op, typed, batch_axis=batch_axis, batched=batched, gradients=gradients)
    if narrow and np.float32 in dtypes:
        check_narrow(op, inputs, gradients=gradients)


# The parts


def check_forward(
    op: Callable[..., Any],
    inputs: Sequence[Any],
    reference: Callable[..., Any],
    *,
    dtypes: Sequence[Any] = FLOATS,
    tolerance: dict[Any, float] | None = None,
) -> None:
    """The op gives the values, shapes and dtypes of the reference on every ISA."""
    tolerance = TOLERANCE | (tolerance or {})
    for dtype in dtypes:
        typed = _typed(inputs, dtype)
        expected = _as_tuple(reference(*_typed(typed, np.float64)))
        for isa in _each_isa():
            outputs = _as_tuple(op(*_tensors(typed, False)))
            assert len(outputs) == len(expected), f"{len(outputs)} outputs, the reference has {len(expected)}"
            for y, wanted in zip(outputs, expected, strict=True):
                where = f"forward in {np.dtype(dtype).name} on {isa}"
                wanted = np.asarray(wanted)
                assert y.shape == wanted.shape, f"{where}: shape {y.shape}, the reference has {wanted.shape}"
                if wanted.dtype.kind != "f":
                    np.testing.assert_array_equal(y.array, wanted, err_msg=where)
                    continue
                assert y.dtype == dtype, f"{where}: gives {y.dtype}"
                _assert_close(y.array, wanted, tolerance[dtype], where)


def check_gradients(op: Callable[..., Any], inputs: Sequence[Any], *, places: int = 24) -> None:
    """The op's gradients are those of central differences, in float64."""
    lamina.grad_check(op, inputs, places=places)


def check_single_gradients(op: Callable[..., Any], inputs: Sequence[Any], *, tolerance: float = 1e-4) -> None:
    """The gradients in float32 are those in float64, which check_gradients measures, but for rounding."""
    single = _typed(inputs, np.float32)
    got = _run(op, single, True)
    double = _typed(single, np.float64)
    directions = [u.astype(np.float64) if u.dtype.kind == "f" else u for u in got.directions]
    expected = _run(op, double, True, directions)
    for i, (a, b) in enumerate(zip(got.grads, expected.grads, strict=True)):
        if b is not None:
            scale = max(1.0, float(np.sqrt(np.mean(b**2)))) if b.size else 1.0
            _assert_close(a / scale, b / scale, tolerance, f"gradient of input {i} in float32")


def check_same_bits(op: Callable[..., Any], inputs: Sequence[Any], *, gradients: bool = True) -> None:
    """Outputs and gradients have the same bits for any number of threads, on every ISA, run after run."""
    expected = _run(op, inputs, gradients)
    with _threads_restored():
        for isa in _each_isa():
            for threads in THREADS:
                lamina.set_num_threads(threads)
                for run in RUNS:
                    got = _run(op, inputs, gradients)
                    _assert_same(got, expected, f"same bits: {isa}, {threads} threads, run {run}")


def check_devices(
    op: Callable[..., Any],
    inputs: Sequence[Any],
    *,
    gradients: bool = True,
    tolerance: dict[Any, float] | None = None,
) -> None:
    """On "cuda" the op gives what it gives on the CPU, and leaves outputs and gradients there."""
    expected = _run(op, inputs, gradients)
    try:
        got = _run(op, inputs, gradients, expected.directions, device="cuda")
    except NotImplementedError:  # the stand-in has every kernel; a GPU has not yet
        assert DEVICE != "stand-in"
        return
    tolerance = {np.float32: 2e-5, np.float64: 1e-11} | (tolerance or {})
    for what in ("outputs", "grads"):
        for i, (a, b) in enumerate(zip(getattr(got, what), getattr(expected, what), strict=True)):
            if b is not None and b.dtype.kind == "f":
                _assert_close(a, b, tolerance[b.dtype.type], f"on the {DEVICE}: {what[:-1]} {i}")
            elif b is not None:
                np.testing.assert_array_equal(a, b)
    return


NARROW = {"float16": 2.0**-10, "bfloat16": 2.0**-7}


def check_narrow(op: Callable[..., Any], inputs: Sequence[Any], *, gradients: bool = True, exact: bool = False) -> None:
    """In float16 and bfloat16 the op gives what it gives in float32 for the same numbers, but for rounding.

    One op of lamina.ops rounds once: its bits are those of the float32 result, rounded (`exact`). What is made of
    several rounds in between.
    """
    before = backend.narrow
    try:
        for name, eps in NARROW.items():
            dtype = backend.dtype_of(name)
            given = [None if x is None else _in(np.asarray(x), dtype) for x in inputs]
            got = _run(op, given, gradients)
            wide = [None if x is None else _in(x, np.float32) for x in given]
            expected = _run(op, wide, gradients, [_in(u, np.float32) for u in got.directions])
            for what in ("outputs", "grads"):
                for i, (a, b) in enumerate(zip(getattr(got, what), getattr(expected, what), strict=True)):
                    where = f"in {name}: {what[:-1]} {i}"
                    if b is None or b.dtype.kind != "f":
                        np.testing.assert_array_equal(a, b, err_msg=where)
                        continue
                    assert a.dtype in (dtype, *FLOATS), f"{where}: gives {a.dtype}"  # wider floats win beside 16 bits
                    b = _in(b, a.dtype)
                    if exact:
                        assert a.dtype == dtype, f"{where}: gives {a.dtype}"
                        _assert_same_bits(a, b, where)
                    a, b = a.astype(np.float32), b.astype(np.float32)
                    finite = b[np.isfinite(b)]
                    scale = (
                        max(1.0, float(np.sqrt(np.mean(np.square(finite, dtype=np.float64))))) if finite.size else 1.0
                    )
                    _assert_close(a / scale, b / scale, 8 * eps, where)
    finally:
        backend.narrow = before


def _in(x: np.ndarray, dtype: Any) -> np.ndarray:
    """Floats in another dtype, anything else as it is."""
    if not backend.is_float(x.dtype):
        return x
    with np.errstate(all="ignore"):
        return np.array(x.astype(dtype), order="C")


def check_rows_alone(
    op: Callable[..., Any],
    inputs: Sequence[Any],
    *,
    batch_axis: int = 0,
    batched: Sequence[int] = (0,),
    gradients: bool = True,
) -> None:
    """Samples alone, or a few together, have the bits that they have in the batch: outputs and inputs' gradients."""
    whole = _run(op, inputs, gradients)
    count = inputs[batched[0]].shape[batch_axis]
    cuts = {(0, 1), (count - 1, count), (count // 2, count // 2 + 1), (1, min(count, 4)), (0, count // 2)}
    for begin, end in sorted(cuts):
        if begin >= end:
            continue
        rows = (slice(None),) * batch_axis + (slice(begin, end),)
        few = [np.ascontiguousarray(x[rows]) if i in batched else x for i, x in enumerate(inputs)]
        directions = [u[rows] for u in whole.directions]
        got = _run(op, few, gradients, directions)
        wanted = _Result(
            [y[rows] for y in whole.outputs],
            [None if g is None or i not in batched else g[rows] for i, g in enumerate(whole.grads)],
            directions,
        )
        got.grads = [g if i in batched else None for i, g in enumerate(got.grads)]
        _assert_same(got, wanted, f"rows alone: samples {begin} to {end} of {count}")


def check_empty_batch(
    op: Callable[..., Any],
    inputs: Sequence[Any],
    *,
    batch_axis: int = 0,
    batched: Sequence[int] = (0,),
    gradients: bool = True,
) -> None:
    """A batch of no samples gives empty outputs and zero gradients."""
    none = (slice(None),) * batch_axis + (slice(0, 0),)
    whole = _run(op, inputs, False)
    empty = [x[none] if i in batched else x for i, x in enumerate(inputs)]
    got = _run(op, empty, gradients)
    for y, full in zip(got.outputs, whole.outputs, strict=True):
        shape = full[none].shape
        assert y.shape == shape, f"empty batch: output of shape {y.shape}, expected {shape}"
    for i, (x, grad) in enumerate(zip(empty, got.grads, strict=True)):
        if grad is not None:
            assert grad.shape == x.shape, f"empty batch: gradient {i} of shape {grad.shape}, expected {x.shape}"
            assert not grad.any(), f"empty batch: gradient {i} is not zero"


def check_layouts(op: Callable[..., Any], inputs: Sequence[Any], *, gradients: bool = True) -> None:
    """Inputs and incoming gradients of any layout give the bits of contiguous ones, and none is written to."""
    for i, x in enumerate(inputs):
        if x is None:
            continue
        for name, make in LAYOUTS.items():
            odd = make(x)
            plain = np.array(odd, dtype=x.dtype, order="C")
            expected = _run(op, [*inputs[:i], plain.copy(), *inputs[i + 1 :]], gradients)
            got = _run(op, [*inputs[:i], odd, *inputs[i + 1 :]], gradients, expected.directions)
            where = f"layouts: input {i} {name}"
            assert np.array_equal(odd, plain, equal_nan=x.dtype.kind == "f"), f"{where} was written to"
            _assert_same(got, expected, where)
    if gradients:
        _check_gradient_layouts(op, inputs)


def _check_gradient_layouts(op: Callable[..., Any], inputs: Sequence[Any]) -> None:
    for name, make in LAYOUTS.items():
        if name == "big-endian":  # gradients come from other ops, and those are native
            continue
        odd = [make(u) for u in _run(op, inputs, False).directions]
        plain = [np.array(u, order="C") for u in odd]
        expected = _run(op, inputs, True, [u.copy() for u in plain])
        got = _run(op, inputs, True, odd)
        where = f"layouts: incoming gradient {name}"
        for u, before in zip(odd, plain, strict=True):
            assert np.array_equal(u, before), f"{where} was written to"
        _assert_same(got, expected, where)


# Layouts: arrays of the same values (broadcast: of the first row's), laid out in other ways


def _sliced(x: np.ndarray) -> np.ndarray:
    wide = np.zeros([2 * n + 1 for n in x.shape], x.dtype)
    view = wide[(..., *[slice(1, None, 2)] * x.ndim)]
    view[...] = x
    return view


def _reversed(x: np.ndarray) -> np.ndarray:
    back = (..., *[slice(None, None, -1)] * x.ndim)
    return np.array(x[back], order="C")[back]


def _read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


def _misaligned(x: np.ndarray) -> np.ndarray:
    view = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    view[...] = x
    return view


def _broadcast(x: np.ndarray) -> np.ndarray:
    return np.broadcast_to(x[:1].copy(), x.shape) if x.ndim else x


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sliced": _sliced,
    "in Fortran order": lambda x: np.array(x, order="F"),
    "with negative strides": _reversed,
    "read-only": _read_only,
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "misaligned": _misaligned,
    "broadcast with zero strides": _broadcast,
}


# Running an op


class _Result:
    def __init__(self, outputs: list[Any], grads: list[Any], directions: list[Any]) -> None:
        self.outputs, self.grads, self.directions = outputs, grads, directions


class _Given(Function):
    """The identity; its backward gives an array as it is laid out."""

    def forward(self, y: Any, gradient: Any) -> Any:
        self.saved = gradient
        return y

    def backward(self, dy: Any) -> Any:
        return self.saved


def _run(
    op: Callable[..., Any], inputs: Sequence[Any], gradients: bool, directions: Any = None, device: str = "cpu"
) -> _Result:
    """Copies of outputs, the gradients of floating inputs (None for others), the outputs' gradients used."""
    tensors = _tensors(inputs, gradients, device)
    outputs = _as_tuple(op(*tensors))
    for i, y in enumerate(outputs):
        assert y.device == device, f"output {i} is on {y.device}, the inputs are on {device}"
    if directions is None:
        random = np.random.default_rng(1)
        directions = [np.asarray(random.uniform(-1, 1, y.shape), y.dtype) for y in outputs]
    grads: list[Any] = [None] * len(inputs)
    if gradients:
        for y, direction in zip(outputs, directions, strict=True):
            if y.requires_grad:
                given = backend.moved(direction, y.array)
                _Given.apply((y,), given).backward(np.zeros(y.shape), retain_graph=True)
        for i, t in enumerate(tensors):
            if t is not None and t.requires_grad:
                grads[i] = np.zeros(t.shape, t.dtype) if t.grad is None else np.array(t.grad)
                assert grads[i].shape == t.shape, f"gradient {i}: shape {grads[i].shape}, expected {t.shape}"
                assert grads[i].dtype == t.dtype, f"gradient {i}: {grads[i].dtype}, expected {t.dtype}"
    return _Result([np.array(y.numpy(), order="C") for y in outputs], grads, directions)


def _typed(inputs: Sequence[Any], dtype: Any) -> list[Any]:
    arrays = [None if x is None else np.asarray(x) for x in inputs]
    return [x if x is None or x.dtype.kind != "f" else np.array(x, dtype, order="C") for x in arrays]


def _tensors(inputs: Sequence[Any], gradients: bool, device: str = "cpu") -> list[Tensor | None]:
    return [None if x is None else lamina.tensor(x, gradients and backend.is_float(x.dtype), device) for x in inputs]


def _as_tuple(values: Any) -> tuple[Any, ...]:
    return values if isinstance(values, tuple) else (values,)


def _each_isa() -> Iterator[str]:
    before = lamina.isa()
    try:
        for isa in [before] if "LAMINA_ISA" in os.environ else _cpu.isas():
            lamina.set_isa(isa)
            yield isa
    finally:
        lamina.set_isa(before)


@contextmanager
def _threads_restored() -> Iterator[None]:
    before = lamina.num_threads()
    try:
        yield
    finally:
        lamina.set_num_threads(before)


# Assertions


def _assert_same(got: _Result, expected: _Result, where: str) -> None:
    for i, (a, b) in enumerate(zip(got.outputs, expected.outputs, strict=True)):
        _assert_same_bits(a, b, f"{where}: output {i}")
    for i, (a, b) in enumerate(zip(got.grads, expected.grads, strict=True)):
        if a is not None and b is not None:
            _assert_same_bits(a, b, f"{where}: gradient of input {i}")


def _assert_same_bits(got: np.ndarray, expected: np.ndarray, where: str) -> None:
    assert got.shape == expected.shape, f"{where}: shape {got.shape}, expected {expected.shape}"
    assert got.dtype == expected.dtype, f"{where}: {got.dtype}, expected {expected.dtype}"
    unsigned = np.dtype(f"u{got.dtype.itemsize}")
    different = np.array(got, order="C").view(unsigned) != np.array(expected, order="C").view(unsigned)
    if different.any():
        place = tuple(int(p) for p in np.argwhere(different)[0])
        raise AssertionError(
            f"{where}: {different.sum()} of {different.size} differ, "
            f"first at {place}: {got[place]!r}, expected {expected[place]!r}"
        )


def _assert_close(got: np.ndarray, expected: np.ndarray, tolerance: float, where: str) -> None:
    with np.errstate(invalid="ignore"):
        error = np.abs(got - expected) / np.maximum(1, np.abs(expected))
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))  # infinities, NaN
    bad = ~same & ~(error <= tolerance)
    if bad.any():
        place = tuple(int(p) for p in np.unravel_index(np.argmax(np.where(bad, error, -1)), bad.shape))
        raise AssertionError(
            f"{where}: {bad.sum()} of {bad.size} are off, at {place}: {got[place]!r}, expected {expected[place]!r}"
        )
