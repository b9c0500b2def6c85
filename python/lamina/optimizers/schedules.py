"""Schedules: learning rates that change as training goes on. An optimizer takes one as its ``learning_rate``."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, ClassVar, TypeVar

from lamina.optimizers.checks import (
    at_least_zero,
    cosine_of_pi,
    integer_power,
    logarithm,
    number,
    positive,
    power,
    whole,
)

ScheduleType = TypeVar("ScheduleType", bound="type[LearningRateSchedule]")
_classes: dict[str, type[LearningRateSchedule]] = {}


def _register(cls: ScheduleType) -> ScheduleType:
    _classes[cls.__name__] = cls
    return cls


class LearningRateSchedule:
    """A function from the number of steps taken to the learning rate. Subclasses give `__call__` and `get_config`.

    Example:
        >>> import lamina as lm
        >>> class Halving(lm.optimizers.schedules.LearningRateSchedule):
        ...     def __call__(self, step):
        ...         return 1.0 / 2**step
        >>> optimizer = lm.optimizers.SGD(Halving())
        >>> w = lm.Variable([1.0])
        >>> for _ in range(2):
        ...     optimizer.apply([[1.0]], [w])
        >>> w.item(), optimizer.learning_rate
        (-0.5, 0.25)
    """

    arguments: ClassVar[tuple[str, ...]] = ()  # the constructor's: attributes of the same names

    def __call__(self, step: int) -> float:
        """The learning rate after `step` steps."""
        raise NotImplementedError(f"{type(self).__name__}.__call__")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {name: getattr(self, name) for name in self.arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A schedule made from what `get_config` gave."""
        return cls(**config)


@_register
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


@_register
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


@_register
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
        self.boundaries, self.values = list(boundaries), list(values)
        if len(self.boundaries) != len(self.values) - 1:
            raise ValueError(
                f"{name}: there must be one value more than boundaries, got {len(self.values)} and "
                f"{len(self.boundaries)}"
            )
        steps = [number(b, name, "boundaries") for b in self.boundaries]
        if any(a >= b for a, b in pairwise(steps)):
            raise ValueError(f"{name}: boundaries must grow, got {self.boundaries}")
        self.values = [at_least_zero(v, name, "values") for v in self.values]

    def __call__(self, step: int) -> float:
        return self.values[bisect_left(self.boundaries, step)]


@_register
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


@_register
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


@_register
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


@_register
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


@_register
class LinearWarmup(LearningRateSchedule):
    """From `start` along a line to what `after` gives, within `warmup_steps`; then `after`, which
    starts counting there.

    Args:
        after: the rate after the warm-up: a number or a schedule.
        warmup_steps: how long it takes, at least 1.
        start: the rate at step 0.
        name: what it is called.

    Example:
        >>> import lamina as lm
        >>> schedules = lm.optimizers.schedules
        >>> rate = schedules.LinearWarmup(schedules.StepDecay(0.5, 10, 0.5), warmup_steps=4)
        >>> [rate(step) for step in (0, 2, 4, 13, 14)]
        [0.0, 0.25, 0.5, 0.5, 0.25]

    Reference:
        Goyal et al. 2017, arXiv:1706.02677.
    """

    def __init__(self, after: Any, warmup_steps: int, start: float = 0.0, name: str = "LinearWarmup") -> None:
        self.name = name
        if isinstance(after, dict):
            after = deserialize(after)
        self.after = after if isinstance(after, LearningRateSchedule) else at_least_zero(after, name, "after")
        self.warmup_steps = whole(warmup_steps, name, "warmup_steps", 1)
        self.start = at_least_zero(start, name, "start")

    def __call__(self, step: int) -> float:
        left = max(0, step - self.warmup_steps)
        rate = self.after(left) if isinstance(self.after, LearningRateSchedule) else self.after
        if step >= self.warmup_steps:
            return rate
        return self.start + (rate - self.start) * (step / self.warmup_steps)

    def get_config(self) -> dict[str, Any]:
        after = serialize(self.after) if isinstance(self.after, LearningRateSchedule) else self.after
        return {"after": after, "warmup_steps": self.warmup_steps, "start": self.start, "name": self.name}


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """A configuration that `deserialize` takes back.

    Raises:
        ValueError: for a schedule of the user's own.

    Example:
        >>> import lamina as lm
        >>> schedules = lm.optimizers.schedules
        >>> schedules.serialize(schedules.StepDecay(0.5, 10))["class_name"]
        'StepDecay'
    """
    name = type(learning_rate_schedule).__name__
    if _classes.get(name) is not type(learning_rate_schedule):
        raise ValueError(f"schedules: {name} cannot be saved; use one of {sorted(_classes)}")
    return {"class_name": name, "config": learning_rate_schedule.get_config()}


def deserialize(config: Any) -> LearningRateSchedule:
    """The schedule of a configuration: {"class_name": ..., "config": ...}.

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> import lamina as lm
        >>> schedules = lm.optimizers.schedules
        >>> rate = schedules.deserialize(schedules.serialize(schedules.StepDecay(0.5, 10)))
        >>> rate(0)
        0.5
    """
    name = config.get("class_name") if isinstance(config, dict) else None
    if name not in _classes:
        raise ValueError(f"schedules: expected one of {sorted(_classes)}, got {config!r}")
    return _classes[name](**config.get("config", {}))
