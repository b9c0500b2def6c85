"""The seed, and who draws next. Each draw takes a stream of its own from Lamina's counter-based generator, so that no
draw depends on how many numbers another took, nor on threads or device."""

from __future__ import annotations

import threading

_lock = threading.Lock()
_seed = 0
_stream = 0


def set_seed(seed: int) -> None:
    """Starts all random numbers anew: weights, shuffling, dropout. The same script then gives the same bits.

    Args:
        seed: any integer; its lowest 64 bits count.

    Raises:
        TypeError: if it is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.set_seed(7)
        >>> lm.random.get_seed(), lm.random.next_stream(), lm.random.next_stream()
        (7, 1, 2)
    """
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise TypeError(f"set_seed: expected an integer, got {seed!r}")
    global _seed, _stream
    with _lock:
        _seed, _stream = seed.__index__() & 0xFFFF_FFFF_FFFF_FFFF, 0


def get_seed() -> int:
    """The seed in force."""
    return _seed


def next_stream() -> int:
    """The number of the next draw, from 1 on after `set_seed`; never the same twice, whichever thread asks."""
    global _stream
    with _lock:
        _stream += 1
        return _stream


def get_state() -> tuple[int, int]:
    """The seed and the number of the last draw: what `set_state` goes on from.

    Example:
        >>> import lamina as lm
        >>> lm.set_seed(7)
        >>> state = lm.random.get_state()
        >>> lm.random.next_stream()
        1
        >>> lm.random.set_state(state)
        >>> lm.random.next_stream()
        1
    """
    with _lock:
        return _seed, _stream


def set_state(state: tuple[int, int]) -> None:
    """Goes on with the random numbers from where `get_state` was called."""
    global _seed, _stream
    seed, stream = state
    with _lock:
        _seed, _stream = int(seed) & 0xFFFF_FFFF_FFFF_FFFF, int(stream)
