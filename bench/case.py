"""What a benchmark is made of.

A family is a module with ``cases(smoke) -> list[Case]``; the worker of each library imports it, finds a case by its
name and prepares it. With ``DEFAULT_MALLOC = True`` the peer is measured a second time as users run it, without the
malloc settings that suit it best.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass
class Prepared:
    """A piece of work, ready to run.

    Attributes:
        run: does it once; this is what is timed.
        answer: does it once (or a few times, for steps that learn) and returns what came out.
    """

    run: Callable[[], Any]
    answer: Callable[[], Arrays]


@dataclass
class Case:
    """One row of a table.

    Attributes:
        name: unique within its family.
        inputs: makes the inputs; called in both processes, so it must give the same arrays (from a seed).
        lamina, torch: take the inputs and return the work.
        gradients: False runs the case under no_grad.
        flops: floating-point operations that the textbook algorithm does, padding counted.
        bytes: the least that must travel between memory and processor.
        tolerance: the largest difference of the answers, over the root mean square of the peer's.
        kinks: the share of places that may differ by anything: where relu's input is 0 but for rounding, its gradient
            is all or nothing.
        threads: numbers of threads that the peer may choose from (0: all cores); its best counts.
    """

    name: str
    inputs: Callable[[], Arrays]
    lamina: Callable[[Arrays], Prepared]
    torch: Callable[[Arrays], Prepared]
    gradients: bool = True
    flops: float = 0
    bytes: float = 0
    tolerance: float = 1e-4
    kinks: float = 0
    threads: tuple[int, ...] = (0,)
