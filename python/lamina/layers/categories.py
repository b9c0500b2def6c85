"""Numbers of categories, and vectors for them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend

Array = Any

ENCODINGS = ("one_hot", "multi_hot", "count")


def as_indices(values: Array, owner: str) -> Array:
    """Whole numbers as int64.

    Raises:
        TypeError: if they are no numbers.
        ValueError: if they are not whole.
    """
    if values.dtype.kind not in "iubf":
        raise TypeError(f"{owner}: x must be integers, got {values.dtype}")
    with np.errstate(invalid="ignore"):  # NaN is found below
        indices = values.astype(np.int64)
    if values.dtype.kind == "f" and not np.array_equal(indices, values):
        raise ValueError(f"{owner}: x must be whole numbers, got {values.ravel()[(indices != values).argmax()]}")
    return indices


def encode(indices: Array, mode: str, depth: int, dtype: Any, owner: str, weights: Array = None) -> Array:
    """Numbers from 0 to depth - 1 as vectors; -1 for "nothing" where weights or modes leave it out.

    Args:
        indices: int64 array (..., n).
        mode: "int" (as they are), "one_hot", "multi_hot" or "count".
        depth: how many categories.
        dtype: of the vectors.
        owner: the layer, for errors.
        weights: with "count", how much each counts, of the shape of indices.

    Raises:
        ValueError: if a number is outside.
    """
    if mode == "int":
        return indices
    check_range(indices, depth, owner)
    if indices.ndim == 0:
        indices = indices[None]
    if mode == "one_hot":
        if indices.ndim > 1 and indices.shape[-1] == 1:
            indices = indices[..., 0]
        return vectors(indices[..., None], depth, dtype, None, False)
    if weights is not None and weights.shape != indices.shape:
        raise ValueError(f"{owner}: count_weights must have the shape of x, {indices.shape}, got {weights.shape}")
    return vectors(indices, depth, dtype, weights, mode == "count")


def check_range(indices: Array, depth: int, owner: str) -> None:
    """Raises ValueError if a number is not from 0 to depth - 1."""
    wrong = (indices < 0) | (indices >= depth)
    if wrong.any():
        place = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), indices.shape))
        raise ValueError(f"{owner}: x must be from 0 to {depth - 1}, got {indices[place]} at {place}")


def vectors(indices: Array, depth: int, dtype: Any, weights: Array, count: bool) -> Array:
    """A vector for each row of numbers (..., n): 1 where a number came, or how often. Negative numbers are left out."""
    rows = indices.reshape(math.prod(indices.shape[:-1]), indices.shape[-1])
    y = backend.zeros((len(rows), depth), dtype)
    valid = rows >= 0
    row = np.broadcast_to(np.arange(len(rows))[:, None], rows.shape)[valid]
    if count:
        values = np.ones((), dtype) if weights is None else weights.reshape(rows.shape)[valid]
        np.add.at(y, (row, rows[valid]), values)
    else:
        y[row, rows[valid]] = 1
    return y.reshape(*indices.shape[:-1], depth)


def encoded_shape(input_shape: Any, mode: str, depth: Any) -> Any:
    """The shape of `encode`'s result."""
    if mode == "int":
        return tuple(input_shape)
    if mode == "one_hot" and not (len(input_shape) > 1 and input_shape[-1] == 1):
        return (*input_shape, depth)
    return (*input_shape[:-1], depth)
