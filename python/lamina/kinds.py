"""What kind of value something is: below all floors, so that every one asks in the same way."""

from __future__ import annotations

import operator
from typing import Any


def is_integer(value: Any) -> bool:
    """Whether this is one integer, Python's or NumPy's, and no truth value. Every array has an __index__."""
    if isinstance(value, int):
        return not isinstance(value, bool)
    if not hasattr(value, "__index__"):
        return False
    try:
        operator.index(value)
    except TypeError:
        return False
    return True
