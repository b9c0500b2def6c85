"""Seeded: a layer that draws random numbers."""

from __future__ import annotations

from typing import Any

from lamina import random, recording
from lamina.layers.checks import seed_of
from lamina.layers.layer import Layer

WORD = (1 << 64) - 1


class Seeded(Layer):
    """A layer with a seed of its own, or None to go by `lamina.set_seed`.

    How often one with a seed has drawn is kept in ``_calls``: training that is resumed goes on from there.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed_of(seed, self.name)
        self._calls = 0

    def _stream(self) -> tuple[int, int]:
        """Seed and stream of the next draw."""
        if self.seed is None:
            return random.get_seed(), random.next_stream()
        return self.seed & WORD, recording.number(self._count, draws=True)

    def _count(self) -> int:
        self._calls += 1
        return self._calls - 1

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
