"""Checks of optimizers' arguments, and arithmetic with the same bits on every machine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend


def number(value: Any, owner: str, name: str) -> float:
    """value as a finite number.

    Raises:
        TypeError: if it is no number.
        ValueError: if it is infinite or NaN.
    """
    if isinstance(value, bool | str) or not hasattr(value, "__float__"):
        raise TypeError(f"{owner}: {name} must be a number, got {value!r}")
    value = float(value)
    if not math.isfinite(value):
        raise ValueError(f"{owner}: {name} must be a finite number, got {value}")
    return value


def at_least_zero(value: Any, owner: str, name: str) -> float:
    """value as a finite number of at least 0."""
    value = number(value, owner, name)
    if value < 0:
        raise ValueError(f"{owner}: {name} must be at least 0, got {value}")
    return value


def positive(value: Any, owner: str, name: str) -> float:
    """value as a finite number greater than 0."""
    value = number(value, owner, name)
    if value <= 0:
        raise ValueError(f"{owner}: {name} must be greater than 0, got {value}")
    return value


def fraction(value: Any, owner: str, name: str) -> float:
    """value as a number of at least 0 and less than 1."""
    value = number(value, owner, name)
    if not 0 <= value < 1:
        raise ValueError(f"{owner}: {name} must be at least 0 and less than 1, got {value}")
    return value


def whole(value: Any, owner: str, name: str, minimum: int) -> int:
    """value as an integer of at least `minimum`."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{owner}: {name} must be an integer, got {value!r}")
    if value < minimum:
        raise ValueError(f"{owner}: {name} must be at least {minimum}, got {value}")
    return int(value)


# The C library's pow and cos differ between machines in the last bit


def integer_power(base: float, exponent: int) -> float:
    """base ** exponent, by squaring."""
    result = 1.0
    while exponent > 0:
        if exponent % 2:
            result *= base
        base *= base
        exponent //= 2
    return result


def power(base: float, exponent: float) -> float:
    """base ** exponent, for base of at least 0."""
    if exponent == 0:
        return 1.0
    if base == 0:
        return 0.0 if exponent > 0 else math.inf
    if exponent == int(exponent) and 0 < exponent < 2**31:
        return integer_power(base, int(exponent))
    if exponent == 0.5:
        return math.sqrt(base)
    return _kernel("exp_forward", exponent * logarithm(base))


def logarithm(value: float) -> float:
    """The natural logarithm."""
    return _kernel("log_forward", value)


def _kernel(name: str, value: float) -> float:
    x, y = np.array([value]), np.empty(1)
    getattr(backend.kernels(x), name)(x, y)
    return float(y[0])


def cosine_of_pi(x: float) -> float:
    """cos(pi x): the Taylor series after a reduction to an eighth of a turn."""
    x = abs(x) % 2.0
    if x > 1:
        x = 2 - x
    sign = 1.0
    if x > 0.5:
        x, sign = 1 - x, -1.0
    if x <= 0.25:
        return sign * _series(math.pi * x, 1.0, 0)
    return sign * _series(math.pi * (0.5 - x), math.pi * (0.5 - x), 1)


def _series(angle: float, term: float, start: int) -> float:
    """cos (term 1, start 0) or sin (term angle, start 1) of an angle up to pi / 4."""
    square, total = angle * angle, term
    for k in range(start + 1, 20, 2):
        term *= -square / (k * (k + 1))
        total += term
    return total
