"""Rates that fall by a power, a polynomial, the inverse of time, or in steps."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from itertools import pairwise
from typing import ClassVar

from lamina.optimizers.checks import at_least_zero, number, positive, power
from lamina.optimizers.schedules.schedule import LearningRateSchedule, register


@register
class ExponentialDecay(LearningRateSchedule):
    """initial_learning_rate * decay_rate ^ (step / decay_steps).

    Args:
        initial_learning_rate: the first rate.
        decay_steps: after how many steps the rate has changed by decay_rate; positive.
        decay_rate: a factor, at least 0.
        staircase: whether to stay at one rate for decay_steps.
        name: what it is called.

    Example:
        >>> import lamina as lm
        >>> rate = lm.optimizers.schedules.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)
        >>> rate(0), rate(20)
        (0.1, 0.025)
    """

    arguments: ClassVar[tuple[str, ...]] = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.name = name
        self.initial_learning_rate = at_least_zero(initial_learning_rate, name, "initial_learning_rate")
        self.decay_steps = positive(decay_steps, name, "decay_steps")
        self.decay_rate = at_least_zero(decay_rate, name, "decay_rate")
        self.staircase = bool(staircase)

    def __call__(self, step: int) -> float:
        p = step / self.decay_steps
        return self.initial_learning_rate * power(self.decay_rate, math.floor(p) if self.staircase else p)


@register
class StepDecay(ExponentialDecay):
    """initial_learning_rate * decay_rate ^ floor(step / decay_steps): every decay_steps steps, a drop.

    Args:
        initial_learning_rate: the first rate.
        decay_steps: how many steps a rate lasts; positive.
        decay_rate: the factor of a drop, at least 0.
        name: what it is called.

    Example:
        >>> import lamina as lm
        >>> rate = lm.optimizers.schedules.StepDecay(0.5, decay_steps=10, decay_rate=0.5)
        >>> [rate(step) for step in (0, 9, 10, 20)]
        [0.5, 0.5, 0.25, 0.125]
    """

    arguments = ("initial_learning_rate", "decay_steps", "decay_rate", "name")

    def __init__(
        self, initial_learning_rate: float, decay_steps: float, decay_rate: float = 0.1, name: str = "StepDecay"
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, True, name)


@register
class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to and with step boundaries[0], values[1] up to boundaries[1], and so on.

    Args:
        boundaries: steps, in growing order.
        values: rates, one more than there are boundaries.
        name: what it is called.

    Example:
        >>> import lamina as lm
        >>> rate = lm.optimizers.schedules.PiecewiseConstantDecay([10, 20], [0.5, 0.2, 0.1])
        >>> [rate(step) for step in (10, 11, 20, 21)]
        [0.5, 0.2, 0.2, 0.1]
    """

    arguments = ("boundaries", "values", "name")

    def __init__(self, boundaries: Iterable[float], values: Iterable[float], name: str = "PiecewiseConstant") -> None:
        self.name = name
        self.boundaries = [number(b, name, "boundaries") for b in boundaries]
        self.values = [at_least_zero(v, name, "values") for v in values]
        if len(self.boundaries) != len(self.values) - 1:
            raise ValueError(
                f"{name}: there must be one value more than boundaries, got {len(self.values)} and "
                f"{len(self.boundaries)}"
            )
        if any(a >= b for a, b in pairwise(self.boundaries)):
            raise ValueError(f"{name}: boundaries must grow, got {self.boundaries}")

    def __call__(self, step: int) -> float:
        return self.values[bisect_left(self.boundaries, step)]


@register
class PolynomialDecay(LearningRateSchedule):
    """(initial_learning_rate - end_learning_rate) * (1 - step / decay_steps) ^ power + end_learning_rate.

    Args:
        initial_learning_rate: the first rate.
        decay_steps: after how many steps the rate is end_learning_rate, where it stays; positive.
        end_learning_rate: the last rate.
        power: of the polynomial: 1 for a line; at least 0.
        cycle: whether to begin anew beyond decay_steps, with cycles twice, three times... as long.
        name: what it is called.

    Example:
        >>> import lamina as lm
        >>> rate = lm.optimizers.schedules.PolynomialDecay(0.5, decay_steps=10, end_learning_rate=0.25)
        >>> rate(0), rate(5), rate(10), rate(99)
        (0.5, 0.375, 0.25, 0.25)
    """

    arguments = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.name = name
        self.initial_learning_rate = at_least_zero(initial_learning_rate, name, "initial_learning_rate")
        self.decay_steps = positive(decay_steps, name, "decay_steps")
        self.end_learning_rate = at_least_zero(end_learning_rate, name, "end_learning_rate")
        self.power = at_least_zero(power, name, "power")
        self.cycle = bool(cycle)

    def __call__(self, step: int) -> float:
        steps = self.decay_steps
        if self.cycle:
            steps *= max(1, math.ceil(step / steps))
        left = 1 - min(step, steps) / steps
        change = self.initial_learning_rate - self.end_learning_rate
        return change * power(left, self.power) + self.end_learning_rate


@register
class InverseTimeDecay(LearningRateSchedule):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps).

    Args:
        initial_learning_rate: the first rate.
        decay_steps: the unit of time, in steps; positive.
        decay_rate: how much the divisor grows in one, at least 0.
        staircase: whether to stay at one rate for decay_steps.
        name: what it is called.

    Example:
        >>> import lamina as lm
        >>> rate = lm.optimizers.schedules.InverseTimeDecay(0.5, decay_steps=10, decay_rate=1.0)
        >>> rate(0), rate(10), rate(30)
        (0.5, 0.25, 0.125)
    """

    arguments = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        self.name = name
        self.initial_learning_rate = at_least_zero(initial_learning_rate, name, "initial_learning_rate")
        self.decay_steps = positive(decay_steps, name, "decay_steps")
        self.decay_rate = at_least_zero(decay_rate, name, "decay_rate")
        self.staircase = bool(staircase)

    def __call__(self, step: int) -> float:
        p = step / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * (math.floor(p) if self.staircase else p))
