"""Random numbers from counters: the same on every processor and device, for any number of threads.

A random array is a function of (seed, stream, shape): Philox4x32-10 with the element's index as counter. The global
generator is a seed and a count of the streams that were taken.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from lamina import backend

WORD = (1 << 64) - 1


class _Generator:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seed = int.from_bytes(os.urandom(8), "little")
        self.stream = 0


_generator = _Generator()


def set_seed(seed: int) -> None:
    """Seeds initial weights, dropout and shuffling: the same script then gives the same bits.

    Until it is called, the seed comes from the operating system.

    Args:
        seed: integer; its lower 64 bits count.

    Raises:
        TypeError: if it is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.set_seed(7)
        >>> first = lm.random.normal((2,))
        >>> lm.set_seed(7)
        >>> (lm.random.normal((2,)) == first).all().item()
        True
    """
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise TypeError(f"set_seed: expected an integer, got {seed!r}")
    with _generator.lock:
        _generator.seed = seed.__index__() & WORD
        _generator.stream = 0


def next_stream() -> tuple[int, int]:
    """The global seed and a stream that nobody else has: what a random op takes.

    Example:
        >>> import lamina as lm
        >>> lm.set_seed(7)
        >>> lm.random.next_stream(), lm.random.next_stream()
        ((7, 0), (7, 1))
    """
    with _generator.lock:
        stream = _generator.stream
        _generator.stream += 1
        return _generator.seed, stream


def _source(seed: int | None) -> tuple[int, int]:
    return next_stream() if seed is None else (seed & WORD, 0)


def uniform(
    shape: int | tuple[int, ...], low: float = 0.0, high: float = 1.0, dtype: Any = backend.float32, seed: Any = None
) -> Any:
    """An array of numbers spread evenly over [low, high].

    Args:
        shape: its shape.
        low: the lower bound.
        high: the upper bound.
        dtype: float32 or float64.
        seed: an integer for an array that depends on it alone; None takes the next stream of the global seed.

    Example:
        >>> import lamina as lm
        >>> lm.random.uniform((3,), seed=1).round(2).tolist()
        [0.8899999856948853, 0.6700000166893005, 0.25]
    """
    y = backend.empty(shape, dtype)
    backend.kernels(y).random_uniform(y, *_source(seed), low, high)
    return y


def normal(
    shape: int | tuple[int, ...], mean: float = 0.0, stddev: float = 1.0, dtype: Any = backend.float32, seed: Any = None
) -> Any:
    """An array of normally distributed numbers, by the transform of Box and Muller.

    Args:
        shape: its shape.
        mean: their mean.
        stddev: their standard deviation.
        dtype: float32 or float64.
        seed: an integer for an array that depends on it alone; None takes the next stream of the global seed.

    Example:
        >>> import lamina as lm
        >>> abs(float(lm.random.normal((1000,), mean=5.0, seed=1).mean()) - 5) < 0.1
        True
    """
    y = backend.empty(shape, dtype)
    backend.kernels(y).random_normal(y, *_source(seed), mean, stddev)
    return y


def truncated_normal(
    shape: int | tuple[int, ...], mean: float = 0.0, stddev: float = 1.0, dtype: Any = backend.float32, seed: Any = None
) -> Any:
    """An array of normally distributed numbers, those farther than two standard deviations from the mean drawn again.

    Args:
        shape: its shape.
        mean: the mean before truncation, and after it.
        stddev: the standard deviation before truncation; 0.87962566 of it is left.
        dtype: float32 or float64.
        seed: an integer for an array that depends on it alone; None takes the next stream of the global seed.

    Example:
        >>> import lamina as lm
        >>> bool(abs(lm.random.truncated_normal((1000,), seed=1)).max() <= 2)
        True
    """
    y = backend.empty(shape, dtype)
    source, stream = _source(seed)
    kernels = backend.kernels(y)
    kernels.random_normal(y, source, stream, 0.0, 1.0)
    flat, again = y.reshape(-1), 0
    far = (abs(flat) > 2).nonzero()[0]
    while far.size:
        again += 1  # one element in 22 a time; streams from the far end, which nobody else counts up to
        fresh = backend.empty(far.size, dtype)
        kernels.random_normal(fresh, source, (stream + (again << 48)) & WORD, 0.0, 1.0)
        flat[far] = fresh
        far = far[abs(fresh) > 2]
    y *= stddev
    y += mean
    return y
