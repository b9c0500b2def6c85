"""Optimizers: how gradients change weights."""

from __future__ import annotations

from typing import Any

from lamina.optimizers.adam import Adam as Adam
from lamina.optimizers.optimizer import Optimizer as Optimizer
from lamina.optimizers.sgd import SGD as SGD

_classes: dict[str, type[Optimizer]] = {"SGD": SGD, "Adam": Adam}


def get(identifier: Any) -> Optimizer:
    """An optimizer by name (in any case), by configuration, or as it is.

    Raises:
        ValueError: for an unknown name.
    """
    if isinstance(identifier, Optimizer):
        return identifier
    config: dict[str, Any] = {}
    name = identifier
    if isinstance(identifier, dict):
        name, config = identifier.get("class_name"), identifier.get("config", {})
    for known, cls in _classes.items():
        if isinstance(name, str) and known.lower() == name.lower():
            return cls.from_config(config)
    raise ValueError(f"optimizers: expected one of {sorted(_classes)}, got {identifier!r}")


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """A configuration that `get` takes back.

    Raises:
        ValueError: for optimizers of the user's own.
    """
    if type(optimizer).__name__ not in _classes:
        raise ValueError(f"optimizers: {optimizer.name} cannot be saved; use one of {sorted(_classes)}")
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}
