"""zeros, ones, full, arange, linspace, eye, meshgrid and the like: tensors from nothing but numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.broadcast_to import broadcast_to
from lamina.ops.broadcasting import broadcast_shape
from lamina.ops.checks import integer, sizes
from lamina.ops.shapes import reshape


def zeros(shape: int | tuple[int, ...], dtype: Any = "float32") -> Tensor:
    """A tensor of zeros.

    Args:
        shape: sizes.
        dtype: booleans, integers, or floats of up to 64 bits.

    Raises:
        ValueError: for negative sizes.
        TypeError: for another dtype, or sizes that are no integers.

    Example:
        >>> import lamina as lm
        >>> lm.ops.zeros((1, 2)).numpy().tolist()
        [[0.0, 0.0]]
    """
    return Tensor(filled("zeros", shape, 0, dtype, backend.here))


def ones(shape: int | tuple[int, ...], dtype: Any = "float32") -> Tensor:
    """A tensor of ones; see `zeros`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.ones((1, 2)).numpy().tolist()
        [[1.0, 1.0]]
    """
    return Tensor(filled("ones", shape, 1, dtype, backend.here))


def full(shape: int | tuple[int, ...], fill_value: Any, dtype: Any = None) -> Tensor:
    """A tensor of one value, or of values that broadcast to the shape; see `zeros`. Without a dtype it has that of the
    value (Python floats: float32).

    Example:
        >>> import lamina as lm
        >>> lm.ops.full((1, 2), 7.0).numpy().tolist()
        [[7.0, 7.0]]
    """
    value = as_tensor(fill_value).array
    return Tensor(filled("full", shape, value, value.dtype if dtype is None else dtype, value))


def zeros_like(x: Any, dtype: Any = None) -> Tensor:
    """Zeros of the shape of x, and of its dtype without another.

    Example:
        >>> import lamina as lm
        >>> lm.ops.zeros_like(lm.tensor([1.0, 2.0])).numpy().tolist()
        [0.0, 0.0]
    """
    array = as_tensor(x).array
    return Tensor(filled("zeros_like", array.shape, 0, array.dtype if dtype is None else dtype, array))


def ones_like(x: Any, dtype: Any = None) -> Tensor:
    """Ones of the shape of x, and of its dtype without another.

    Example:
        >>> import lamina as lm
        >>> lm.ops.ones_like(lm.tensor([1.0, 2.0])).numpy().tolist()
        [1.0, 1.0]
    """
    array = as_tensor(x).array
    return Tensor(filled("ones_like", array.shape, 1, array.dtype if dtype is None else dtype, array))


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """One value, or values that broadcast, in the shape of x, and in its dtype without another.

    Example:
        >>> import lamina as lm
        >>> lm.ops.full_like(lm.tensor([1.0, 2.0]), 7).numpy().tolist()
        [7.0, 7.0]
    """
    x = as_tensor(x)
    value = as_tensor(fill_value, like=x).array
    return Tensor(filled("full_like", x.shape, value, x.dtype if dtype is None else dtype, x.array))


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Tensor:
    """The numbers start, start + step, ... before stop; with one argument those from 0 before it.

    Args:
        start: the first number, or with no stop where to stop.
        stop: where to stop; that number is not among them.
        step: the difference, not 0.
        dtype: without one int64 for Python's integers, float32 for its floats.

    Raises:
        ValueError: if step is 0, or one is no single number.

    Example:
        >>> import lamina as lm
        >>> lm.ops.arange(1, 7, 2).numpy().tolist()
        [1, 3, 5]
    """
    if stop is None:
        start, stop = 0, start
    bounds = [backend.to_host(as_tensor(v).array) for v in (start, stop, step)]
    if any(b.ndim for b in bounds):
        raise ValueError(f"arange: start, stop and step must be numbers, got {start!r}, {stop!r} and {step!r}")
    if step == 0:
        raise ValueError("arange: step must not be 0")
    if dtype is None:
        floats = [b.dtype for b in bounds if b.dtype.kind == "f"]
        dtype = np.result_type(*(floats or bounds))
    return _made(np.arange(*[b.item() for b in bounds]).astype(_dtype("arange", dtype)))


def linspace(start: float, stop: float, num: int = 50, endpoint: bool = True, dtype: Any = None) -> Tensor:
    """Numbers from start to stop, at equal distances.

    Args:
        start: the first number.
        stop: the last number.
        num: how many.
        endpoint: whether stop is among them; if not, it would be the next one.
        dtype: float32 without one.

    Raises:
        ValueError: if num is negative.

    Example:
        >>> import lamina as lm
        >>> lm.ops.linspace(0, 1, 5).numpy().tolist()
        [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    num = integer(num, "linspace", "num", 0)
    bounds = [as_tensor(v).array for v in (start, stop)]
    if any(b.ndim for b in bounds):
        raise ValueError(f"linspace: start and stop must be numbers, got {start!r} and {stop!r}")
    first, last = (float(b) for b in bounds)
    return _made(np.linspace(first, last, num, endpoint).astype(_dtype("linspace", dtype or np.float32)))


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = "float32") -> Tensor:
    """Ones on a diagonal, zeros elsewhere.

    Args:
        N: how many rows.
        M: how many columns; N without it.
        k: which diagonal: 0 is the main one, 1 the one above it.
        dtype: booleans, integers, or floats of up to 64 bits.

    Raises:
        ValueError: for negative sizes.

    Example:
        >>> import lamina as lm
        >>> lm.ops.eye(2, 3, k=1).numpy().tolist()
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    rows, columns = sizes((N, N if M is None else M), "eye")
    return _made(np.eye(rows, columns, integer(k, "eye", "k"), _dtype("eye", dtype)))


def identity(n: int, dtype: Any = "float32") -> Tensor:
    """The identity matrix of n rows; see `eye`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.identity(2).numpy().tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    return eye(n, dtype=dtype)


def meshgrid(*x: Any, indexing: str = "xy") -> tuple[Tensor, ...]:
    """The coordinates of a grid's points: from n sequences, n tensors of n axes, each with its sequence along one axis.

    Args:
        *x: tensors of shape (n_i,).
        indexing: "xy": the first two axes change places (rows are y); "ij": axis i is that of sequence i.

    Returns:
        Tuple of tensors; gradients flow back to the sequences.

    Raises:
        ValueError: for another indexing, or sequences of more than one axis.

    Example:
        >>> import lamina as lm
        >>> [g.numpy().tolist() for g in lm.ops.meshgrid([1, 2], [3, 4])]
        [[[1, 2], [1, 2]], [[3, 3], [4, 4]]]
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f'meshgrid: indexing must be "xy" or "ij", got {indexing!r}')
    tensors = [as_tensor(t) for t in x]
    for t in tensors:
        if t.ndim > 1:
            raise ValueError(f"meshgrid: expected tensors of shape (n,), got {t.shape}")
    order = list(range(len(tensors)))
    if indexing == "xy" and len(order) > 1:
        order[:2] = [1, 0]
    shape = tuple([tensors[i].size for i in order])
    grids = []
    for i, t in enumerate(tensors):
        along = tuple([t.size if j == i else 1 for j in order])
        grids.append(broadcast_to(reshape(t, along), shape))
    return tuple(grids)


def _made(array: Any) -> Tensor:
    """A tensor on the default device of what was made on the CPU."""
    return Tensor(array if backend.here is None else backend.moved(array, backend.here))


def _dtype(op: str, dtype: Any) -> np.dtype[Any]:
    dtype = backend.dtype_of(dtype)
    if (dtype.kind not in "fiub" or dtype.itemsize > 8) and not backend.is_narrow(dtype):
        raise TypeError(f"{op}: dtype must be bool, integer or float up to 64 bits, got {dtype}")
    return dtype


def filled(op: str, shape: Any, value: Any, dtype: Any, like: Any) -> Any:
    """An array of one value, or of an array that broadcasts, on the device of `like`, for the op of this name."""
    shape = sizes(shape, op)
    if not backend.is_array(value) or (value.ndim == 0 and backend.on_host(value)):
        return backend.full(shape, value, _dtype(op, dtype), like)
    if len(shape) < value.ndim or broadcast_shape(op, value.shape, shape) != shape:
        raise ValueError(f"{op}: fill_value of shape {value.shape} does not broadcast to {shape}")
    array = backend.empty(shape, _dtype(op, dtype), like)
    array[...] = value
    return array
