"""Which element of a Dataset a thread is at work on, and the random numbers that belong to it.

A function in `Dataset.map` may run in any thread, and elements overtake one another there. So randomness goes by the
element: seed, pass and place in the data give a seed of its own, whichever thread comes to it when.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from lamina.data.sampling import WORD, generator


class _Current(threading.local):
    seed: int | None = None
    draws = 0


_current = _Current()


def mixed(*numbers: int) -> int:
    """64 bits made of integers, in their order; one changed bit changes about half of the result.

    Reference:
        Steele, Lea & Flood 2014, "Fast Splittable Pseudorandom Number Generators" (the finaliser of SplitMix64).
    """
    state = 0
    for number in numbers:
        state = (state + (number & WORD) + 0x9E3779B97F4A7C15) & WORD
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & WORD
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & WORD
        state ^= state >> 31
    return state


def run(function: Callable[..., Any], arguments: tuple[Any, ...], seed: int) -> Any:
    """function(*arguments), all random numbers drawn for the element of this seed."""
    before = _current.seed, _current.draws
    _current.seed, _current.draws = seed, 0
    try:
        return function(*arguments)
    finally:
        _current.seed, _current.draws = before


def next_draw() -> tuple[int, int] | None:
    """The element's seed, and the number of the draw within it; None outside of `Dataset.map`."""
    if _current.seed is None:
        return None
    _current.draws += 1
    return _current.seed, _current.draws


def random_generator() -> np.random.Generator:
    """NumPy's random numbers for the element that `Dataset.map` is at: the same for any number of threads.

    Raises:
        RuntimeError: outside of Dataset.map.

    Example:
        >>> import lamina as lm
        >>> noise = lm.data.Dataset.range(3).map(lambda i: lm.data.random_generator().random(), threads=2)
        >>> again = lm.data.Dataset.range(3).map(lambda i: lm.data.random_generator().random())
        >>> list(noise) == list(again)
        True
    """
    draw = next_draw()
    if draw is None:
        raise RuntimeError("random_generator: is for functions within Dataset.map")
    return generator(*draw)
