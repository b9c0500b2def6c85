"""An optimizer's part of a step that is captured as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lamina import recording

SETTINGS = 6  # numbers that the kernels of the rules take, the step behind them


def told(numbers: Callable[[], list[float]]) -> Any:
    """The numbers; in a captured step an array on the device, told anew before each replay."""
    recorder = recording.state.recorder
    return numbers() if recorder is None else recorder.floats(numbers)


def settings(values: Callable[[], tuple[float, ...]], step: Callable[[], int] = lambda: 1) -> Any:
    """A rule's settings; in a captured step with the step, on the device."""
    recorder = recording.state.recorder
    if recorder is None:
        return values()

    def numbers() -> list[float]:
        found = values()
        return [*found, *[0.0] * (SETTINGS - len(found)), float(step())]

    return recorder.floats(numbers)


def watch(optimizer: Any) -> None:
    """A step was captured: replays count it, and ask first whether the next step is of the same kind.

    Raises:
        RuntimeError: if `update` is the user's own: what it computes on the host would stay as it is.
    """
    if not type(optimizer).update.__module__.startswith("lamina.optimizers."):
        recording.refused(f"{optimizer.name}: an update of its own")
    recorder = recording.state.recorder
    assert recorder is not None
    before = recorder.steps.get(optimizer, 0)  # the optimizer's steps earlier in the graph
    recorder.steps[optimizer] = before + 1
    kind, groups = _kind(optimizer, optimizer._calls), optimizer._groups

    def same() -> bool:
        return _kind(optimizer, optimizer._calls + before) == kind

    def count() -> None:
        optimizer._calls += 1

    recorder.guard(lambda: optimizer._groups is groups, lasting=True)  # with their weights and slots
    recorder.guard(same)
    recorder.act(count)


def _kind(optimizer: Any, calls: int) -> tuple[Any, ...]:
    """What decides which kernels a step launches, after so many calls."""
    steps = optimizer.gradient_accumulation_steps or 1
    iterations, every = calls // steps, optimizer.ema_overwrite_frequency
    return (
        (calls + 1) % steps == 0,
        optimizer.use_ema and (bool(iterations), bool(every) and (iterations + 1) % every == 0),
        optimizer.weight_decay,
        optimizer.clipnorm,
        optimizer.clipvalue,
        optimizer.global_clipnorm,
        optimizer.loss_scale_factor,
    )
