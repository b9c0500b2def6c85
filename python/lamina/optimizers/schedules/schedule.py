"""What all schedules share, and their configurations."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

ScheduleType = TypeVar("ScheduleType", bound="type[LearningRateSchedule]")
_classes: dict[str, type[LearningRateSchedule]] = {}


def register(cls: ScheduleType) -> ScheduleType:
    """A schedule that configurations may name."""
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
