"""Values in tuples and dictionaries: samples and batches, as steps of a Dataset hand them on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lamina import backend

Array = Any


def map_leaves(function: Callable[[Any], Any], values: Any) -> Any:
    """The function of each array in tuples and dictionaries."""
    if isinstance(values, dict):
        return {key: map_leaves(function, value) for key, value in values.items()}
    if isinstance(values, tuple):
        return tuple([map_leaves(function, value) for value in values])
    return function(values)


def leaves(values: Any) -> list[Any]:
    """All arrays in tuples and dictionaries."""
    found: list[Any] = []
    map_leaves(found.append, values)
    return found


def checked_array(values: Any) -> Array:
    """Rows as an array: lists of Python's floats become float32. Raises ValueError for a single number."""
    array = values if isinstance(values, np.ndarray) else np.asarray(values)
    if array.dtype == np.float64 and not hasattr(values, "dtype"):
        array = array.astype(np.float32)
    if array.ndim == 0:
        raise ValueError(f"from_arrays: expected arrays of rows, got {values!r}")
    return array


def row(values: Any, i: Any) -> Any:
    """Row i of each array."""
    return map_leaves(lambda a: a[i], values)


def rows(values: Any, places: Array) -> Any:
    """Some rows of each array."""
    return map_leaves(lambda a: taken(a, places), values)


def taken(array: Array, places: Array) -> Array:
    """Some rows, in the pool's memory where they are numbers."""
    if array.dtype.kind not in "biuf" or not array.dtype.isnative:
        return array[places]
    chosen = backend.empty((len(places), *array.shape[1:]), array.dtype)
    return array.take(places, axis=0, out=chosen, mode="clip")


def stacked(part: list[Any]) -> Any:
    """Samples as one batch. Raises ValueError if they differ in shape."""
    first = part[0]
    if isinstance(first, dict):
        return {key: stacked([value[key] for value in part]) for key in first}
    if isinstance(first, tuple):
        return tuple([stacked([value[i] for value in part]) for i in range(len(first))])
    arrays = [value.numpy() if hasattr(value, "numpy") else np.asarray(value) for value in part]
    if any(a.shape != arrays[0].shape for a in arrays):
        raise ValueError(f"batch: elements differ in shape: {sorted({a.shape for a in arrays})}")
    if isinstance(first, float) and not hasattr(first, "dtype"):
        arrays = [a.astype(np.float32) for a in arrays]
    dtype = np.result_type(*{a.dtype for a in arrays})
    if dtype.kind not in "biuf":
        return np.stack(arrays)
    return np.stack(arrays, out=backend.empty((len(arrays), *arrays[0].shape), dtype))
