"""A warm-up before another schedule."""

from __future__ import annotations

from typing import Any

from lamina.optimizers.checks import at_least_zero, whole
from lamina.optimizers.schedules.schedule import LearningRateSchedule, deserialize, register, serialize


@register
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
