"""Rates along a cosine, once or again and again."""

from __future__ import annotations

import math

from lamina.optimizers.checks import at_least_zero, cosine_of_pi, integer_power, logarithm, positive, whole
from lamina.optimizers.schedules.schedule import LearningRateSchedule, register


@register
class CosineDecay(LearningRateSchedule):
    """rate * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha), after a linear warm-up if there is one.

    Args:
        initial_learning_rate: the first rate.
        decay_steps: how long the decay lasts, in steps; positive.
        alpha: the last rate, as a share of the one that the decay began from.
        name: what it is called.
        warmup_target: the rate at the end of the warm-up, where the decay begins; None for no warm-up.
        warmup_steps: how long the warm-up lasts.

    Example:
        >>> import lamina as lm
        >>> rate = lm.optimizers.schedules.CosineDecay(0.0, 100, warmup_target=0.5, warmup_steps=10)
        >>> [round(rate(step), 6) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.25, 0.5, 0.25, 0.0]

    Reference:
        Loshchilov & Hutter 2017, arXiv:1608.03983.
    """

    arguments = ("initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target", "warmup_steps")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.name = name
        self.initial_learning_rate = at_least_zero(initial_learning_rate, name, "initial_learning_rate")
        self.decay_steps = positive(decay_steps, name, "decay_steps")
        self.alpha = at_least_zero(alpha, name, "alpha")
        self.warmup_target = None if warmup_target is None else at_least_zero(warmup_target, name, "warmup_target")
        self.warmup_steps = whole(warmup_steps, name, "warmup_steps", 0)

    def __call__(self, step: int) -> float:
        rate, target = self.initial_learning_rate, self.warmup_target
        if target is not None:
            if step < self.warmup_steps:
                return rate + (target - rate) * (step / self.warmup_steps)
            rate, step = target, step - self.warmup_steps
        cosine = cosine_of_pi(min(step, self.decay_steps) / self.decay_steps)
        return rate * ((1 - self.alpha) * 0.5 * (1 + cosine) + self.alpha)


@register
class CosineDecayRestarts(LearningRateSchedule):
    """Cosine decays one after the other: each t_mul times as long as the one before, and m_mul times as high.

    Args:
        initial_learning_rate: the first rate.
        first_decay_steps: how long the first decay lasts, in steps; positive.
        t_mul: at least 1.
        m_mul: at least 0.
        alpha: the lowest rate, as a share of the first.
        name: what it is called.

    Example:
        >>> import lamina as lm
        >>> rate = lm.optimizers.schedules.CosineDecayRestarts(0.5, 10)
        >>> [round(rate(step), 6) for step in (0, 5, 10, 20, 30)]
        [0.5, 0.25, 0.5, 0.25, 0.5]

    Reference:
        Loshchilov & Hutter 2017, arXiv:1608.03983.
    """

    arguments = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.name = name
        self.initial_learning_rate = at_least_zero(initial_learning_rate, name, "initial_learning_rate")
        self.first_decay_steps = positive(first_decay_steps, name, "first_decay_steps")
        self.t_mul = at_least_zero(t_mul, name, "t_mul")
        if self.t_mul < 1:
            raise ValueError(f"{name}: t_mul must be at least 1, got {t_mul}")
        self.m_mul = at_least_zero(m_mul, name, "m_mul")
        self.alpha = at_least_zero(alpha, name, "alpha")

    def __call__(self, step: int) -> float:
        done = step / self.first_decay_steps
        if self.t_mul == 1:
            restarts = math.floor(done)
            done -= restarts
        else:
            ratio = self.t_mul
            restarts = math.floor(logarithm(1 + done * (ratio - 1)) / logarithm(ratio))
            # rounding of the logarithms must not put a restart on the wrong side
            restarts += done >= _length(ratio, restarts + 1)
            restarts -= done < _length(ratio, restarts)
            done = (done - _length(ratio, restarts)) / integer_power(ratio, restarts)
        height = 0.5 * integer_power(self.m_mul, restarts) * (1 + cosine_of_pi(done))
        return self.initial_learning_rate * ((1 - self.alpha) * height + self.alpha)


def _length(ratio: float, count: int) -> float:
    """1 + ratio + ratio^2 + ..., `count` terms."""
    return (integer_power(ratio, count) - 1) / (ratio - 1)
