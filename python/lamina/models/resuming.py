"""Where training goes on after a break."""

from __future__ import annotations

from typing import Any, NamedTuple


class Resume(NamedTuple):
    """Where training goes on.

    Attributes:
        epoch: the epoch.
        batch: how many of its batches are done.
        epoch_random: the random numbers at the beginning of the epoch.
        random: the same after those batches.
        logs: what the losses and metrics had gathered by then.
        callbacks: what callbacks take back, once all have begun.
    """

    epoch: int
    batch: int
    epoch_random: tuple[int, int]
    random: tuple[int, int]
    logs: dict[str, Any]
    callbacks: dict[Any, dict[str, Any]]
