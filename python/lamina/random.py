"""The seed, and who draws next. Each draw takes a stream of its own from Lamina's counter-based generator, so that no
draw depends on how many numbers another took."""

from __future__ import annotations

_seed = 0
_stream = 0


def set_seed(seed: int) -> None:
    """Starts all random numbers anew: weights, shuffling, dropout.

    Args:
        seed: any integer; its lowest 64 bits count.
    """
    global _seed, _stream
    _seed, _stream = int(seed) & 0xFFFF_FFFF_FFFF_FFFF, 0


def get_seed() -> int:
    """The seed in force."""
    return _seed


def next_stream() -> int:
    """The number of the next draw, from 1 on after `set_seed`."""
    global _stream
    _stream += 1
    return _stream
