"""lstm over whole sequences, and over sequences of lengths 1 to 100: (steps, batch, features, units)."""

from __future__ import annotations

from bench.case import Case
from bench.ops.recurrent import cases_of


def cases(smoke: bool) -> list[Case]:
    return cases_of("lstm", smoke)
