"""fit's step as a CUDA graph."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from lamina import backend, recording
from lamina.autograd.variable import Variable
from lamina.capture import Graphs, taken_apart
from lamina.metrics.metric import MeanMetricWrapper
from lamina.models.batches import map_arrays, placed
from lamina.models.compiling import Objective, number_of

Array = Any


class CapturedStep:
    """A training step that is captured for each shape of a batch, and replayed: what ``jit_compile=True`` is on a GPU.

    The sums that logs are made of lie in memory of their own, to which each graph adds. Metrics that work on the CPU
    take in a batch behind the graph.

    Args:
        model: whose step it is, compiled.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.graphs: Graphs | None = None
        self._sums: dict[tuple[int, str], tuple[Any, Array]] = {}  # by owner and attribute
        self._weights: tuple[list[Variable], tuple[int, ...]] = ([], ())

    def __reduce__(self) -> Any:
        return CapturedStep, (self.model,)

    def __call__(self, x: Any, y: Any, sample_weight: Any, weights: list[Variable] | None) -> Any:
        """One step; the loss, an array on the GPU."""
        model, objective = self.model, self.model._check_compiled("fit")
        if weights is None:
            weights = model.trainable_weights
            model._look_at(weights)
            for v in weights:  # what a backward of the user's own left, or a step that was broken off
                v.grad_array = None
        if self._weights[0] is not weights:
            self._weights = weights, tuple(map(id, weights))
        batch = x, y, sample_weight
        arrays: list[Array] = []
        key = taken_apart(batch, arrays), self._weights[1]
        inside = _stays_there(objective)

        def run(given: list[Array]) -> Any:
            rest = iter(given)
            here = map_arrays(lambda _: next(rest), batch)
            value, y_pred = self._step(here[0], here[1], here[2], weights)
            if inside:
                self._update(objective, value, here, y_pred)
            return value, y_pred, here, objective.parts

        if any(array.dtype.kind == "U" for array in arrays):  # strings: layers look them up on the CPU
            x, y, sample_weight = (placed(part, model._device) for part in batch)
            value, y_pred = self._step(x, y, sample_weight, weights)
            objective.update(value, y, y_pred, sample_weight)
            return value
        if inside:
            self._settle()
        if self.graphs is None:
            accumulated = model.optimizer.gradient_accumulation_steps or 1  # steps of as many kinds
            self.graphs = Graphs(1 + accumulated, 16, "fit")
        value, y_pred, (_, y, sample_weight), parts = self.graphs(key, arrays, run)
        if not inside:
            objective.parts = parts
            objective.update(value, y, y_pred, sample_weight)
        return value

    def _step(self, x: Any, y: Any, sample_weight: Any, weights: list[Variable]) -> tuple[Any, Any]:
        model = self.model
        y_pred = model(x, training=True)
        loss = model.compute_loss(x, y, y_pred, sample_weight)
        loss.backward()
        model.optimizer.step(weights)
        return number_of(loss), y_pred

    # Sums for the logs

    def _settle(self) -> None:
        """Has the sums lie where the graphs add to them: a reset has put numbers in their place."""
        for (_, name), (owner, total) in self._sums.items():
            value = getattr(owner, name)
            if value is total:
                continue
            if backend.is_array(value):
                total[...] = backend.moved(value, total)
            else:
                total.fill(value)
            setattr(owner, name, total)

    def _update(self, objective: Objective, value: Any, batch: tuple[Any, ...], y_pred: Any) -> None:
        """Takes a batch into the logs; in a captured step, so that each replay does."""
        recorder = recording.state.recorder
        before = {(id(owner), name): known for owner, name, known in _numbers(objective)}
        objective.update(value, batch[1], y_pred, batch[2])
        for owner, name, now in _numbers(objective):
            key = id(owner), name
            if key in self._sums:
                total = self._sums[key][1]
                if recorder is not None and now is not total:
                    total[...] = now
                    setattr(owner, name, total)
            elif backend.is_array(now) and not backend.on_host(now):
                if recorder is not None:
                    recording.refused(f"{type(owner).__name__}: sums that were numbers in the steps before")
                self._sums[key] = owner, now.copy()
            elif recorder is not None and now != before[key]:
                recorder.act(partial(_add, owner, name, now - before[key]))


def _stays_there(objective: Objective) -> bool:
    """Whether the metrics take in what is on a GPU without waiting for it."""
    return all(isinstance(metric, MeanMetricWrapper) and metric.anywhere for metric in objective.all_metrics())


def _numbers(objective: Objective) -> Iterator[tuple[Any, str, Any]]:
    """All that batches add to: owner, attribute and value."""
    for owner in (objective, *objective.outputs, *objective.all_metrics()):
        for name, value in list(vars(owner).items()):
            of_owner = name in ("total", "count") or owner not in (objective, *objective.outputs)
            if of_owner and not isinstance(value, bool) and (isinstance(value, int | float) or backend.is_array(value)):
                yield owner, name, value


def _add(owner: Any, name: str, change: float) -> None:
    setattr(owner, name, getattr(owner, name) + change)
