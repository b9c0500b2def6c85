"""class_weight: the weights of samples by their classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.layers.checks import real
from lamina.models.compiling import by_names, is_array, only


def class_weights(y: Any, class_weight: Any, names: list[str] | None) -> Any:
    """The weight of each sample's class; classes that are not named weigh 1.

    Args:
        y: class numbers or one-hot, or a list or dictionary of them by output.
        class_weight: {class: weight}, or of several outputs {name: {class: weight}}.
        names: the outputs' names.

    Raises:
        ValueError: for weights below 0, unknown names, or targets with no single class a sample.
    """
    if not isinstance(class_weight, dict):
        raise TypeError(f"fit: class_weight must be a dictionary {{class: weight}}, got {class_weight!r}")
    if any(isinstance(value, dict) for value in class_weight.values()):
        known = names or (list(y) if isinstance(y, dict) else [])
        unknown = [key for key in class_weight if key not in known]
        if unknown:
            raise ValueError(f"fit: class_weight has unknown names {unknown}; the outputs are {known}")
        targets = dict(zip(known, by_names(y, known, "y") if len(known) > 1 else [only(y, known[0])], strict=True))
        found = {name: _class_weights(targets[name], table) for name, table in class_weight.items()}
        return found if len(known) > 1 else found[known[0]]
    if isinstance(y, dict | list | tuple) and len(y) != 1 and any(is_array(v) for v in _values(y)):
        raise ValueError(f"fit: class_weight for several outputs must be by name, {{name: {{class: weight}}}}; "
                         f"the outputs are {names}")  # fmt: skip
    return _class_weights(only(y, ""), class_weight)


def _values(y: Any) -> Any:
    return y.values() if isinstance(y, dict) else y


def _class_weights(y: Any, table: dict[Any, float]) -> Any:
    labels = y if backend.is_array(y) else np.asarray(y)
    shape = labels.shape
    strange = [key for key in table if isinstance(key, bool) or not hasattr(key, "__index__")]
    if strange:
        raise ValueError(f"fit: class_weight must be by class numbers, {{0: 1.0, 1: 2.0}}, got the keys {strange}")
    wrong = {
        key: weight for key, weight in table.items() if not (real(weight) and math.isfinite(weight) and weight >= 0)
    }
    if wrong:
        raise ValueError(f"fit: class_weight must hold finite numbers of at least 0, got {wrong}")
    if labels.ndim > 1 and labels.shape[-1] > 1:
        labels = labels.argmax(axis=-1)
    if labels.ndim == 0 or labels.size != labels.shape[0]:
        raise ValueError(f"fit: class_weight needs one class a sample, got y of shape {shape}")
    return _looked_up(labels.reshape(-1).astype(np.int64), {int(key): float(table[key]) for key in sorted(table)})


def _looked_up(classes: Any, table: dict[int, float]) -> Any:
    """The table's value for each class, 1 for those that it lacks, on their device: nobody waits for a GPU."""
    if not table:
        return backend.full(classes.shape, 1, backend.float32, classes)
    known = backend.moved(np.array(list(table), np.int64), classes)
    weights = backend.moved(np.array(list(table.values()), np.float32), classes)
    xp = backend.array_module(classes)
    places = xp.searchsorted(known, classes).clip(0, len(table) - 1)
    return xp.where(known[places] == classes, weights[places], np.float32(1))
