"""Where training goes on after a break."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Resume:
    """Where training goes on.

    Attributes:
        epoch: the epoch.
        batch: how many of its batches are done.
        epoch_random: the random numbers at the beginning of the epoch.
        random: the same after those batches.
        callbacks: what callbacks take back, once all have begun.
    """

    epoch: int
    batch: int
    epoch_random: tuple[int, int]
    random: tuple[int, int]
    callbacks: dict[Any, dict[str, Any]]
