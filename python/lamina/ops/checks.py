"""Checks of what users pass, shared by the ops. An error names the op, what was expected and what came."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.kinds import is_integer

SEVERAL = {1: "an integer", 2: "an integer or a pair of them", 3: "an integer or three of them"}


def float_tensor(x: Any, op: str, name: str = "x") -> Tensor:
    """x as a float32 or float64 tensor. Integers and booleans are cast to float32.

    Raises:
        TypeError: for any other dtype.
    """
    x = as_tensor(x)
    dtype = x.array.dtype
    if dtype is backend.float32 or dtype is backend.float64 or (dtype.kind == "f" and dtype.itemsize in (4, 8)):
        return x
    if dtype.kind in "iub":
        return Tensor(x.array.astype(backend.float32))
    if backend.is_narrow(dtype):
        backend.use_narrow()
        if not backend.on_host(x.array):  # of an op that runs on them as they are: see autograd/narrow.py
            return x
    raise TypeError(f"{op}: {name} must be float32 or float64, got {dtype}")


def beside(value: Any, x: Tensor, op: str, name: str) -> Tensor:
    """What goes with x, as a tensor: what is not on a device yet goes to that of x.

    Raises:
        TypeError: for a tensor on another device.
    """
    value = as_tensor(value, like=x)
    if type(value.array) is not type(x.array):
        backend.refuse_mixed(op, **{"x": x.array, name: value.array})
    return value


def in_place(value: Any, x: Tensor, op: str, name: str) -> Any:
    """The array of what goes with x: NumPy's, whose values can be looked at, or one on the device of x already.

    Raises:
        TypeError: for a tensor on another device.
    """
    if not isinstance(value, Tensor):
        return backend.as_array(value)
    if type(value.array) is not type(x.array):
        backend.refuse_mixed(op, **{"x": x.array, name: value.array})
    return value.array


def same_dtype(op: str, **tensors: Tensor | None) -> None:
    """Raises TypeError unless all (of those that are not None) have the dtype of the first."""
    first = None
    for name, t in tensors.items():
        if t is None:
            continue
        dtype = t.array.dtype
        if first is None:
            first, first_name = dtype, name
        elif dtype is not first and dtype != first:
            if dtype == backend.float32 and backend.is_narrow(first) and not backend.on_host(t.array):
                continue  # a scale beside 16 bits: see autograd/narrow.py
            raise TypeError(f"{op}: {name} must have the dtype of {first_name}, {first}, got {dtype}")


def integer(value: Any, op: str, name: str, minimum: int | None = None) -> int:
    """One integer, at least `minimum` if there is one.

    Raises:
        TypeError: if it is none.
        ValueError: if it is too small.
    """
    if not is_integer(value):
        raise TypeError(f"{op}: {name} must be an integer, got {value!r}")
    if minimum is not None and value < minimum:
        raise ValueError(f"{op}: {name} must be at least {minimum}, got {value}")
    return int(value)


def real_number(value: Any, op: str, name: str) -> float:
    """One number, Python's or NumPy's, as a float.

    Raises:
        TypeError: if it is none.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{op}: {name} must be a number, got {value!r}")
    return float(value)


def sizes(shape: Any, op: str, least: int | None = 0) -> tuple[int, ...]:
    """A shape from one size or several, each at least `least` if that is not None.

    Raises:
        TypeError: if they are no integers.
        ValueError: if one is too small.
    """
    given = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    for n in given:
        if not is_integer(n):
            raise TypeError(f"{op}: shape must be integers, got {shape!r}")
        if least is not None and n < least:
            raise ValueError(f"{op}: sizes must be at least {least}, got {shape!r}")
    return tuple([int(n) for n in given])


def integers(value: Any, count: int, op: str, name: str, minimum: int = 1) -> tuple[int, ...]:
    """`count` integers from one or as many, each at least `minimum`.

    Raises:
        TypeError: if they are no integers.
        ValueError: if there are neither one nor `count`, or one is too small.
    """
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * count
    if len(values) != count:
        raise ValueError(f"{op}: {name} must be {SEVERAL[count]}, got {value!r}")
    for v in values:
        if not is_integer(v):
            raise TypeError(f"{op}: {name} must be {SEVERAL[count]}, got {value!r}")
        if v < minimum:
            raise ValueError(f"{op}: {name} must be at least {minimum}, got {value!r}")
    return tuple([int(v) for v in values])


def pair(value: Any, op: str, name: str, minimum: int = 1) -> tuple[int, int]:
    """`integers` for two."""
    first, second = integers(value, 2, op, name, minimum)
    return first, second


def remembered(function: Any) -> Any:
    """A function of shapes and settings whose results are looked up for arguments that came before.

    What cannot be looked up (a list), or only looks like what came before (1.0 in a tuple, or True, for 1), is computed
    anew each time.
    """
    known = functools.lru_cache(maxsize=1024, typed=True)(function)

    @functools.wraps(function)
    def wrapped(*args: Any) -> Any:
        for arg in args:
            if type(arg) is tuple and not _of_integers(arg):
                break
        else:
            try:
                return known(*args)
            except TypeError:
                pass
        return function(*args)  # and what the arguments lack is said here

    return wrapped


def _of_integers(items: tuple[Any, ...]) -> bool:
    """Whether a tuple, or the tuples in it, hold nothing but integers."""
    kinds = set(map(type, items))
    return kinds <= {int} or (kinds == {tuple} and all(map(_of_integers, items)))
