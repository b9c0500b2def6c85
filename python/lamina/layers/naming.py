"""Automatic names of layers: dense, dense_1, dense_2."""

from __future__ import annotations

import re

_name_counts: dict[str, int] = {}


def snake_case(name: str) -> str:
    """MaxPooling2D -> max_pooling2d."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[^_])(?=[A-Z][a-z])", "_", name).lower()


def unique_name(base: str) -> str:
    """dense, dense_1, dense_2: the base and how often it was asked for before."""
    count = _name_counts.get(base, 0)
    _name_counts[base] = count + 1
    return f"{base}_{count}" if count else base


def reset_names() -> None:
    """Starts the counts of automatic names again."""
    _name_counts.clear()
