"""Checks of what users pass to data sets. An error names the step, what was expected and what came."""

from __future__ import annotations

from typing import Any

from lamina.kinds import is_integer


def positive(value: Any, what: str) -> int:
    """value as an integer of at least 1; ValueError otherwise."""
    if not is_integer(value) or value < 1:
        raise ValueError(f"{what} must be a positive integer, got {value!r}")
    return int(value)


def height_and_width(value: Any, what: str) -> tuple[int, int]:
    """A picture's size as two integers of at least 1; ValueError otherwise."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError(f"{what} must be (height, width), got {value!r}")
    height, width = (positive(n, f"{what}'s height and width") for n in value)
    return height, width


def not_negative(value: Any, what: str) -> None:
    """Raises ValueError unless this is an integer of at least 0."""
    if not is_integer(value) or value < 0:
        raise ValueError(f"{what} must be an integer of at least 0, got {value!r}")


def seed_of(value: Any, who: str) -> int:
    """A seed as an integer; TypeError otherwise."""
    if not is_integer(value):
        raise TypeError(f"{who}: seed must be an integer, got {value!r}")
    return int(value)


def check_function(function: Any, who: str) -> None:
    """Raises TypeError unless this can be called."""
    if not callable(function):
        raise TypeError(f"{who}: expected a function, got {function!r}")
