"""Optimizers: how gradients change weights."""

from __future__ import annotations

from typing import Any

from lamina.optimizers import schedules as schedules
from lamina.optimizers.adafactor import Adafactor as Adafactor
from lamina.optimizers.adagrad import Adadelta as Adadelta
from lamina.optimizers.adagrad import Adagrad as Adagrad
from lamina.optimizers.adam import Adam as Adam
from lamina.optimizers.adam import AdamW as AdamW
from lamina.optimizers.adamax import Adamax as Adamax
from lamina.optimizers.adamax import Nadam as Nadam
from lamina.optimizers.ftrl import Ftrl as Ftrl
from lamina.optimizers.lamb import Lamb as Lamb
from lamina.optimizers.lion import Lion as Lion
from lamina.optimizers.loss_scale import LossScaleOptimizer as LossScaleOptimizer
from lamina.optimizers.optimizer import Optimizer as Optimizer
from lamina.optimizers.rmsprop import RMSprop as RMSprop
from lamina.optimizers.sgd import SGD as SGD

_classes: dict[str, type[Optimizer]] = {
    cls.__name__: cls
    for cls in (
        SGD, RMSprop, Adam, AdamW, Adagrad, Adadelta, Adamax, Nadam, Ftrl, Lion, Lamb, Adafactor, LossScaleOptimizer
    )
}  # fmt: skip


def get(identifier: Any) -> Optimizer:
    """An optimizer by name (in any case), by configuration, or as it is.

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> import lamina as lm
        >>> lm.optimizers.get("adamw").weight_decay
        0.004
    """
    if isinstance(identifier, Optimizer):
        return identifier
    config: dict[str, Any] = {}
    name = identifier
    if isinstance(identifier, dict):
        name, config = identifier.get("class_name"), identifier.get("config", {})
    for known, cls in _classes.items():
        if isinstance(name, str) and known.lower() == name.lower():
            optimizer: Optimizer = cls.from_config(config)
            return optimizer
    raise ValueError(f"optimizers: expected one of {sorted(_classes)}, got {identifier!r}")


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """A configuration that `get` takes back.

    Raises:
        ValueError: for optimizers of the user's own.

    Example:
        >>> import lamina as lm
        >>> lm.optimizers.serialize(lm.optimizers.SGD(0.5))["class_name"]
        'SGD'
    """
    if type(optimizer).__name__ not in _classes:
        raise ValueError(f"optimizers: {optimizer.name} cannot be saved; use one of {sorted(_classes)}")
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}
