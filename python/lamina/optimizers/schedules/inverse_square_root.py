"""A rate that rises along a line, then falls with the square root of time."""

from __future__ import annotations

import math
from typing import ClassVar

from lamina.optimizers.checks import at_least_zero, positive
from lamina.optimizers.schedules.schedule import LearningRateSchedule, register


@register
class InverseSquareRoot(LearningRateSchedule):
    """factor hidden_dim^-0.5 min(n^-0.5, n warmup_steps^-1.5) for step n = 1, 2, ...: the Transformer's schedule.

    The rate is highest, factor / sqrt(hidden_dim warmup_steps), after warmup_steps.

    Args:
        hidden_dim: the length of the model's vectors.
        warmup_steps: how long the rate rises; positive.
        factor: what the rate is multiplied by.
        name: what it is called.

    Example:
        >>> import lamina as lm
        >>> rate = lm.optimizers.schedules.InverseSquareRoot(hidden_dim=512, warmup_steps=4000)
        >>> [round(rate(step), 6) for step in (0, 1999, 3999, 15999)]
        [0.0, 0.000349, 0.000699, 0.000349]

    Reference:
        Vaswani et al. 2017, arXiv:1706.03762, section 5.3.
    """

    arguments: ClassVar[tuple[str, ...]] = ("hidden_dim", "warmup_steps", "factor", "name")

    def __init__(
        self, hidden_dim: float, warmup_steps: float = 4000, factor: float = 1.0, name: str = "InverseSquareRoot"
    ) -> None:
        self.name = name
        self.hidden_dim = positive(hidden_dim, name, "hidden_dim")
        self.warmup_steps = positive(warmup_steps, name, "warmup_steps")
        self.factor = at_least_zero(factor, name, "factor")

    def __call__(self, step: int) -> float:
        n, warm = step + 1, self.warmup_steps
        rate = min(1 / math.sqrt(n), n / (warm * math.sqrt(warm)))  # of roots alone: equal bits everywhere
        return self.factor / math.sqrt(self.hidden_dim) * rate
