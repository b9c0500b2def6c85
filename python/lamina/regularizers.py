"""Penalties on weights, added to the loss: L1, L2, and both."""

from __future__ import annotations

import math
from typing import Any

from lamina import ops
from lamina.autograd.tensor import Tensor


class Regularizer:
    """A penalty on a weight: ``__call__(x)`` gives a scalar tensor."""

    def __call__(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}.__call__")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self.__dict__)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        return cls(**config)


class L1L2(Regularizer):
    """l1 * sum(|x|) + l2 * sum(x^2).

    Args:
        l1: factor of the absolute values, not negative.
        l2: factor of the squares, not negative.

    Example:
        >>> import lamina as lm
        >>> lm.regularizers.L1L2(l1=0.5, l2=0.25)(lm.tensor([1.0, -2.0])).item()
        2.75
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = _factor(l1, "l1")
        self.l2 = _factor(l2, "l2")

    def __call__(self, x: Tensor) -> Tensor:
        if self.l1 and self.l2:
            return ops.sum(ops.abs(x)) * self.l1 + ops.sum(ops.square(x)) * self.l2
        if self.l1:
            return ops.sum(ops.abs(x)) * self.l1
        return ops.sum(ops.square(x)) * self.l2


class L1(L1L2):
    """l1 * sum(|x|): pulls weights to exactly zero."""

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1=l1)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(L1L2):
    """l2 * sum(x^2): keeps weights small."""

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(l2=l2)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


def _factor(value: float, name: str) -> float:
    value = float(value)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"regularizers: {name} must be a finite number of at least 0, got {value}")
    return value


_classes: dict[str, type[Regularizer]] = {"L1": L1, "L2": L2, "L1L2": L1L2}
_names: dict[str, type[Regularizer]] = {"l1": L1, "l2": L2, "l1l2": L1L2, "l1_l2": L1L2} | _classes


def get(identifier: Any) -> Any:
    """A regularizer by name, by configuration, or as it is; None stays None.

    Raises:
        ValueError: for an unknown name, or anything that cannot be called.
    """
    if identifier is None or callable(identifier):
        return identifier
    if isinstance(identifier, str) and identifier in _names:
        return _names[identifier]()
    if isinstance(identifier, dict) and identifier.get("class_name") in _classes:
        return _classes[identifier["class_name"]].from_config(identifier.get("config", {}))
    raise ValueError(f"regularizers: expected one of {sorted(_names)}, got {identifier!r}")


def serialize(regularizer: Any) -> Any:
    """A configuration that `get` takes back."""
    if regularizer is None:
        return None
    if type(regularizer).__name__ not in _classes:
        raise ValueError(f"regularizers: {regularizer!r} cannot be saved; use one of {sorted(_classes)}")
    return {"class_name": type(regularizer).__name__, "config": regularizer.get_config()}
