"""Checks of layers' arguments. An error names the layer, what was expected and what came."""

from __future__ import annotations

import math
from typing import Any

from lamina.kinds import is_integer


def positive(value: Any, owner: str, name: str) -> int:
    """value as a positive integer.

    Raises:
        TypeError: if it is no integer.
        ValueError: if it is not positive.
    """
    if not is_integer(value):
        raise TypeError(f"{owner}: {name} must be a positive integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{owner}: {name} must be a positive integer, got {value!r}")
    return int(value)


def share(value: Any, owner: str, name: str) -> float:
    """value as a number from 0 to 1.

    Raises:
        TypeError: if it is no number.
        ValueError: if it lies outside.
    """
    if not real(value):
        raise TypeError(f"{owner}: {name} must be a number from 0 to 1, got {value!r}")
    if not 0 <= value <= 1:
        raise ValueError(f"{owner}: {name} must be from 0 to 1, got {value}")
    return float(value)


def number(value: Any, owner: str, name: str) -> float:
    """value as a number.

    Raises:
        TypeError: if it is none.
    """
    if not real(value):
        raise TypeError(f"{owner}: {name} must be a number, got {value!r}")
    return float(value)


def above_zero(value: Any, owner: str, name: str) -> float:
    """value as a finite number above 0.

    Raises:
        TypeError: if it is no number.
        ValueError: if it lies outside.
    """
    if not 0 < number(value, owner, name) < math.inf:
        raise ValueError(f"{owner}: {name} must be positive, got {value}")
    return float(value)


def real(value: Any) -> bool:
    """Whether this is one number, Python's or NumPy's, and no truth value."""
    return not isinstance(value, bool | str | bytes) and hasattr(value, "__float__") and getattr(value, "ndim", 0) == 0


def several(value: Any, owner: str, name: str) -> tuple[Any, ...]:
    """The values of a list or tuple.

    Raises:
        TypeError: if it is neither.
    """
    if not isinstance(value, tuple | list):
        raise TypeError(f"{owner}: {name} must be a list or tuple, got {value!r}")
    return tuple(value)


def mask_sizes(noise_shape: Any, owner: str) -> tuple[int | None, ...] | None:
    """The shape of a dropout's mask, sizes or None; None for that of x.

    Raises:
        TypeError: if it is no list or tuple of them.
    """
    if noise_shape is None:
        return None
    sizes = several(noise_shape, owner, "noise_shape")
    return tuple([None if n is None else positive(n, owner, "noise_shape") for n in sizes])


def seed_of(seed: Any, owner: str) -> int | None:
    """A seed: an integer, or None.

    Raises:
        TypeError: for anything else.
    """
    if seed is not None and (not is_integer(seed)):
        raise TypeError(f"{owner}: seed must be an integer or None, got {seed!r}")
    return None if seed is None else int(seed)


def channels_last(data_format: str | None, owner: str) -> None:
    """Raises ValueError for any layout but (N, ..., C)."""
    if data_format == "channels_first":
        raise ValueError(
            f'{owner}: data_format="channels_first" is not supported: arrays are (N, H, W, C). '
            "Transpose first: x = np.moveaxis(x, 1, -1)"
        )
    if data_format not in (None, "channels_last"):
        raise ValueError(f'{owner}: data_format must be "channels_last", got {data_format!r}')


def choice(value: Any, known: tuple[str, ...], owner: str, name: str) -> str:
    """value, if it is one of the known words.

    Raises:
        ValueError: otherwise.
    """
    if value not in known:
        raise ValueError(f"{owner}: {name} must be {' or '.join(repr(word) for word in known)}, got {value!r}")
    return str(value)
