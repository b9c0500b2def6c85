"""What fit, evaluate and predict show: a progress bar in the terminal or notebook, or a line an epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

Logs = dict[str, float]

INTERVAL = 0.1  # seconds between two looks of the bar
MOST = 8  # values of one metric that are shown


class Progress:
    """The progress of one pass over the data.

    Args:
        title: what the bar begins with: "Epoch 2/5".
        total: batches to come; 0 if that is not known.
        verbose: 0 for nothing, 1 for a bar, 2 for one line at the end.
        delay: seconds before a bar appears at all.
    """

    def __init__(self, title: str, total: int, verbose: int, delay: float = 0.0) -> None:
        self.title, self.verbose = title, verbose
        self.batches = 0
        self._bar: Any = None
        self._began = self._shown = time.perf_counter()
        if verbose == 1:
            from tqdm.auto import tqdm

            self._bar = tqdm(
                total=total or None, desc=title, unit="batch", dynamic_ncols=True, delay=delay, mininterval=INTERVAL
            )

    def advance(self, logs: Callable[[], Logs]) -> None:
        """One batch is done. The logs are only asked for when there is time to show them."""
        self.batches += 1
        if self._bar is not None:
            now = time.perf_counter()
            if now - self._shown >= INTERVAL:
                self._shown = now
                self._show(logs())

    def close(self, logs: Logs | None = None, left: float = 0.0) -> None:
        """The pass is over; without logs it was broken off. left: the seconds that the passes to come may take."""
        if self._bar is not None:
            if logs is not None:
                self._show(logs)
            self._bar.close()
        elif self.verbose == 2 and logs is not None:
            seconds = time.perf_counter() - self._began
            rate = f"{self.batches / max(seconds, 1e-9):.0f} a second"
            end = f", {left:.0f} s left" if left >= 1 else ""
            print(f"{self.title}: {self.batches} batches, {seconds:.1f} s, {rate}, {_text(logs)}{end}")

    def _show(self, logs: Logs) -> None:
        self._bar.set_postfix_str(_text(logs), refresh=False)
        self._bar.update(self.batches - self._bar.n)


def verbosity(verbose: Any, who: str) -> int:
    """0, 1 or 2; "auto" is 1."""
    if verbose == "auto":
        return 1
    if verbose not in (0, 1, 2):
        raise ValueError(f'{who}: verbose must be 0, 1, 2 or "auto", got {verbose!r}')
    return int(verbose)


def _text(logs: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_number(value)}" for name, value in logs.items())


def _number(value: Any) -> str:
    """A number in a few digits; of a metric with several, each; of a large array its shape."""
    if np.ndim(value) == 0:
        return f"{value:.4g}" if abs(value) < 1e-3 else f"{value:.4f}"
    if np.ndim(value) == 1 and len(value) <= MOST:
        return "[" + " ".join(_number(v) for v in value) + "]"
    return f"array{np.shape(value)}"
