"""What `compile` was told, for one output or several: losses, their weights, metrics, and the logs that they give.

With one output the logs are "loss" and the metrics' names. With several there are also "<output>_loss", and the metrics
are "<output>_<metric>".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend, losses, metrics, ops
from lamina.autograd.tensor import Tensor
from lamina.autograd.variable import Variable

Logs = dict[str, float]


class Output:
    """One output of a model: its loss, the loss's weight, its metrics."""

    def __init__(self, name: str, loss: Any, weight: float, plain: list[Any], weighted: list[Any]) -> None:
        self.name, self.loss, self.weight = name, loss, weight
        self.plain, self.weighted = plain, weighted
        self.total: Any = 0.0

    def update(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        """Hands a batch to the metrics."""
        for group, weights in ((self.plain, None), (self.weighted, sample_weight)):
            for i, metric in enumerate(group):
                if isinstance(metric, Accuracy):
                    group[i] = metric = metrics.accuracy_for(np.shape(y), y_pred.shape, metric.name)
                if weights is None:
                    metric.update_state(y, y_pred)
                else:
                    metric.update_state(y, y_pred, weights)


class Objective:
    """Losses and metrics by outputs.

    Args:
        loss, loss_weights, metrics, weighted_metrics: as `compile` takes them.
        names: the outputs' names, where they are known already.

    Raises:
        ValueError: for unknown names, or another number of entries than outputs.
    """

    def __init__(
        self, loss: Any, loss_weights: Any, metrics: Any, weighted_metrics: Any, names: list[str] | None
    ) -> None:
        self.loss = each(losses.get, loss)
        self.loss_weights = each(lambda weight: None if weight is None else _number(weight), loss_weights)
        self.metrics, self.weighted_metrics = each(_metric, metrics), each(_metric, weighted_metrics)
        self.outputs: list[Output] = []
        self.total: Any = 0.0
        self.count = 0.0
        self.parts: list[Tensor | None] = []  # of the last loss, output by output
        if names is not None:
            self.resolve(names)

    def resolve(self, names: list[str]) -> None:
        """Gives every output its own."""
        several = len(names) > 1
        if several and not isinstance(self.loss, list | tuple | dict):
            shared = [self.loss] * len(names)
        else:
            shared = _by_output(self.loss, names, "loss")
        weights = [_number(w) for w in _by_output(self.loss_weights, names, "loss_weights")]
        groups = [
            [_flat(m) for m in (_by_output(value, names, what) if several else [_only(value, names, what)])]
            for value, what in ((self.metrics, "metrics"), (self.weighted_metrics, "weighted_metrics"))
        ]
        self.outputs = [Output(*parts) for parts in zip(names, shared, weights, *groups, strict=True)]

    @property
    def has_metrics(self) -> bool:
        return any(output.plain or output.weighted for output in self.outputs)

    def all_metrics(self) -> list[Any]:
        """The metrics in the order of the logs; "accuracy" only once shapes have said which."""
        if not self.outputs:
            found = [m for value in (self.metrics, self.weighted_metrics) for m in _flat(value)]
        else:
            found = [m for output in self.outputs for m in output.plain]
            found += [m for output in self.outputs for m in output.weighted]
        return [m for m in found if not isinstance(m, Accuracy)]

    # A batch

    def __call__(self, y: Any, y_pred: Any, sample_weight: Any) -> Tensor:
        """The weighted sum of the outputs' losses."""
        outputs = self.outputs
        if not outputs:
            self.resolve([name for name, _ in named_leaves(y_pred)])
            outputs = self.outputs
        if len(outputs) == 1:
            output = outputs[0]
            if type(y_pred) is not Tensor:
                y_pred = named_leaves(y_pred)[0][1]
            loss = _value(output, only(y, output.name), y_pred, only(sample_weight, output.name))
            return loss if output.weight == 1.0 else loss * output.weight
        total: Tensor | None = None
        self.parts = []
        names = [output.name for output in outputs]
        predictions = [leaf for _, leaf in named_leaves(y_pred)]
        targets, weights = self.targets(y), by_names(sample_weight, names, "sample_weight")
        for output, t, p, w in zip(outputs, targets, predictions, weights, strict=True):
            if output.loss is None:
                self.parts.append(None)
                continue
            if t is None:
                raise ValueError(f"fit: the loss of the output {output.name!r} needs targets y")
            part = _value(output, t, p, w)
            self.parts.append(part)
            if output.weight != 1.0:
                part = part * output.weight
            if total is not None and part.array.dtype != total.array.dtype:
                part = ops.cast(part, total.array.dtype)
            total = part if total is None else total + part
        if total is None:
            raise RuntimeError("fit: compile was given no loss; give one, or override compute_loss or train_step")
        return total

    def targets(self, y: Any) -> list[Any]:
        """The targets, one an output; None for outputs without a loss that got none."""
        names = [output.name for output in self.outputs]
        with_loss = [i for i, output in enumerate(self.outputs) if output.loss is not None]
        if isinstance(y, list | tuple) and len(y) == len(with_loss) < len(names):
            return [y[with_loss.index(i)] if i in with_loss else None for i in range(len(names))]
        if y is not None and not isinstance(y, list | tuple | dict):
            raise ValueError(f"fit: y must hold targets for the outputs {names}, got one array of shape {np.shape(y)}")
        return by_names(y, names, "y")

    def update(self, loss: Any, y: Any, y_pred: Any, sample_weight: Any) -> None:
        """Takes a batch into the logs."""
        outputs = self.outputs
        if len(outputs) == 1:
            n = y_pred.shape[0] if type(y_pred) is Tensor and y_pred.array.ndim else 1
            self.total += loss * n
            self.count += n
            output = outputs[0]
            if output.plain or output.weighted:
                prediction = y_pred if type(y_pred) is Tensor else named_leaves(y_pred)[0][1]
                output.update(only(y, output.name), prediction, only(sample_weight, output.name))
            return
        if not outputs:  # a compute_loss of the user's own
            self.resolve([name for name, _ in named_leaves(y_pred)])
            self.update(loss, y, y_pred, sample_weight)
            return
        predictions = [leaf for _, leaf in named_leaves(y_pred)]
        n = predictions[0].shape[0]
        self.total += loss * n
        self.count += n
        names = [output.name for output in outputs]
        targets, weights = self.targets(y), by_names(sample_weight, names, "sample_weight")
        for output, part in zip(outputs, self.parts, strict=False):
            if part is not None:
                output.total += number_of(part) * n
        for output, t, p, w in zip(outputs, targets, predictions, weights, strict=True):
            output.update(t, p, w)

    # For a run that goes on after a break

    def get_state(self) -> dict[str, Any]:
        """What has been gathered since the last reset, as values that JSON takes."""
        return {
            "total": float(self.total),
            "count": self.count,
            "outputs": [
                {
                    "name": output.name,
                    "total": float(output.total),
                    "plain": [_metric_state(m) for m in output.plain],
                    "weighted": [_metric_state(m) for m in output.weighted],
                }
                for output in self.outputs
            ],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes back what `get_state` told."""
        if not self.outputs:
            self.resolve([entry["name"] for entry in state["outputs"]])
        self.total, self.count = state["total"], state["count"]
        for output, entry in zip(self.outputs, state["outputs"], strict=True):
            output.total = entry["total"]
            for group, told in ((output.plain, entry["plain"]), (output.weighted, entry["weighted"])):
                for i, (kind, values) in enumerate(told):
                    if isinstance(group[i], Accuracy) and kind != Accuracy.__name__:
                        group[i] = metrics.get({"class_name": kind, "config": {"name": group[i].name}})
                    for name, value in values.items():
                        array = np.array(value["values"], value["dtype"]) if isinstance(value, dict) else value
                        if isinstance(getattr(group[i], name, None), Variable):
                            getattr(group[i], name).assign(array)
                        else:
                            setattr(group[i], name, array)

    # Logs

    def reset(self) -> None:
        self.total = self.count = 0.0
        for output in self.outputs:
            output.total = 0.0
            for metric in (*output.plain, *output.weighted):
                if not isinstance(metric, Accuracy):
                    metric.reset_state()

    def logs(self) -> Logs:
        """The means over all batches since the last reset."""
        logs = {"loss": float(self.total) / self.count if self.count else 0.0}
        several = len(self.outputs) > 1
        if several and sum(output.loss is not None for output in self.outputs) > 1:
            for output in self.outputs:
                if output.loss is not None:
                    logs[f"{output.name}_loss"] = float(output.total) / self.count if self.count else 0.0
        for weighted in (False, True):
            for output in self.outputs:
                for metric in output.weighted if weighted else output.plain:
                    if isinstance(metric, Accuracy):
                        continue
                    name = f"{output.name}_{metric.name}" if several else metric.name
                    if name in logs and weighted:
                        name = f"{output.name}_weighted_{metric.name}" if several else f"weighted_{metric.name}"
                    base, i = name, 0
                    while name in logs:
                        i += 1
                        name = f"{base}_{i}"
                    logs[name] = _plain(metric.result())
        return logs


def number_of(loss: Tensor) -> Any:
    """A loss as a number: a float; on a GPU an array of float64, so that the program need not wait for it."""
    array = loss.array
    return array.item() if backend.on_host(array) else array.astype(backend.float64).reshape(())


def _plain(result: Any) -> Any:
    """A metric's result off the tape: a variable goes on changing, logs do not."""
    if not isinstance(result, Tensor):
        return result
    return result.array.item() if result.array.size == 1 else np.array(result.numpy())


class Accuracy:
    """The metric "accuracy" until shapes say which is meant."""

    def __init__(self, name: str) -> None:
        self.name = name

    def reset_state(self) -> None:
        """Nothing has come yet."""


def _metric(identifier: Any) -> Any:
    if identifier is None:
        return None
    if isinstance(identifier, str) and identifier in ("accuracy", "acc"):
        return Accuracy(identifier)
    return metrics.get(identifier)


def _metric_state(metric: Any) -> tuple[str, dict[str, Any]]:
    """A metric's class and its numbers."""
    values: dict[str, Any] = {}
    for name, value in vars(metric).items():
        if backend.is_array(value) and value.ndim == 0:
            value = value.item()
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
            values[name] = {"values": value.tolist(), "dtype": value.dtype.name}
        elif isinstance(value, Variable):
            values[name] = {"values": value.array.tolist(), "dtype": value.dtype.name}
        elif isinstance(value, int | float):
            values[name] = value
    return type(metric).__name__, values


def _value(output: Output, y: Any, y_pred: Any, sample_weight: Any) -> Tensor:
    if output.loss is None:
        raise RuntimeError("fit: compile was given no loss; give one, or override compute_loss or train_step")
    if y is None:
        raise ValueError("fit: the loss needs targets y")
    loss: Tensor = output.loss(y, y_pred, sample_weight)
    if loss.array.ndim:
        raise ValueError(f'fit: the loss must be one number, got shape {loss.shape} (reduction="none"?)')
    return loss


# Structures


def named_leaves(y: Any, name: str = "") -> list[tuple[str, Any]]:
    """The tensors of an output's structure, each with a name by its place."""
    if isinstance(y, dict):
        return [
            found for key, value in y.items() for found in named_leaves(value, f"{name}_{key}" if name else str(key))
        ]
    if isinstance(y, list | tuple):
        begin = name or "output"
        return [found for i, value in enumerate(y, 1) for found in named_leaves(value, f"{begin}_{i}")]
    return [(name or "output", y)]


def by_names(value: Any, names: list[str], what: str) -> list[Any]:
    """What belongs to each output: by name, by order, or the same for all.

    Raises:
        ValueError: for unknown names, or another number.
    """
    if isinstance(value, dict):
        flat = dict(named_leaves(value)) if any(_holds(v) for v in value.values()) else value
        unknown = [key for key in flat if key not in names]
        if unknown:
            raise ValueError(f"fit: {what} has unknown names {unknown}; the outputs are {names}")
        return [flat.get(name) for name in names]
    if isinstance(value, list | tuple):
        items = [leaf for _, leaf in named_leaves(value)] if any(_holds(v) for v in value) else list(value)
        if len(items) != len(names):
            raise ValueError(f"fit: {what} must have one entry for each of the outputs {names}, got {len(items)}")
        return items
    return [value] * len(names)


def only(value: Any, name: str) -> Any:
    """What belongs to a single output."""
    if value is None or type(value) is np.ndarray or backend.is_array(value):
        return value
    if isinstance(value, dict):
        if list(value) != [name] and len(value) != 1:
            raise ValueError(f"fit: there is one output, {name!r}, got entries for {list(value)}")
        return next(iter(value.values()))
    if isinstance(value, list | tuple) and len(value) == 1 and is_array(value[0]):
        return value[0]
    if isinstance(value, list | tuple) and any(is_array(v) for v in value):
        raise ValueError(f"fit: there is one output, {name!r}, got {len(value)} arrays of targets")
    return value


def is_array(value: Any) -> bool:
    return isinstance(value, Tensor) or backend.is_array(value)


def _holds(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list | tuple) and any(is_array(v) for v in value))


def _by_output(value: Any, names: list[str], what: str) -> list[Any]:
    """The entries of compile's arguments, one an output.

    Raises:
        ValueError: for unknown names, or another number.
    """
    if isinstance(value, dict):
        if len(names) == 1 and len(value) == 1 and names[0] in ("", "output"):
            return list(value.values())
        unknown = [key for key in value if key not in names]
        if unknown:
            raise ValueError(f"compile: {what} has unknown names {unknown}; the outputs are {names}")
        return [value.get(name) for name in names]
    if isinstance(value, list | tuple):
        if len(value) != len(names):
            raise ValueError(f"compile: {what} must have one entry for each of the outputs {names}, got {len(value)}")
        return list(value)
    if len(names) > 1 and what in ("loss_weights", "metrics", "weighted_metrics") and value is not None:
        raise ValueError(f"compile: {what} must be a list or a dictionary by the outputs {names}, got {value!r}")
    return [value] * len(names)


def _only(value: Any, names: list[str], what: str) -> Any:
    """Metrics of a single output: a list, a list of one list, or a dictionary of one name."""
    if isinstance(value, dict):
        return _by_output(value, names, what)[0]
    return _flat(value)


def _number(weight: Any) -> float:
    if weight is None:
        return 1.0
    if isinstance(weight, str) or np.ndim(weight) or not math.isfinite(weight):
        raise ValueError(f"compile: loss_weights must be finite numbers, got {weight!r}")
    return float(weight)


def each(function: Any, value: Any) -> Any:
    """The function of each entry of lists and of dictionaries by output; a configuration is an entry."""
    if isinstance(value, list | tuple):
        return [each(function, item) for item in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {key: each(function, item) for key, item in value.items()}
    return function(value)


def _flat(value: Any) -> list[Any]:
    """All entries of lists and dictionaries but None."""
    if value is None:
        return []
    if isinstance(value, dict):
        return [item for entry in value.values() for item in _flat(entry)]
    if isinstance(value, list | tuple):
        return [item for entry in value for item in _flat(entry)]
    return [value]
