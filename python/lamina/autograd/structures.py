"""Structures: lists, tuples and dictionaries, and what is inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def map_leaves(function: Callable[[Any], Any], data: Any) -> Any:
    """The function of everything in lists, tuples and dictionaries that is none of these."""
    if isinstance(data, dict):
        return {key: map_leaves(function, value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return type(data)([map_leaves(function, value) for value in data])
    return function(data)


def leaves_of(data: Any) -> list[Any]:
    """All leaves, in order."""
    found: list[Any] = []
    map_leaves(found.append, data)
    return found
