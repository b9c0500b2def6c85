"""Constraints on weights, applied after a step: ``constraint(w)`` gives what the weight becomes.

A NumPy array gives a NumPy array, a tensor a tensor off the tape.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend, ops
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.ops import checks

Array = Any
EPSILON = 1e-7


class Constraint:
    """A constraint on a weight. A subclass gives ``constrain(w)`` over arrays.

    Example:
        >>> import numpy as np
        >>> import lamina as lm
        >>> class Halved(lm.constraints.Constraint):
        ...     def constrain(self, w):
        ...         return w / 2
        >>> Halved()(np.array([2.0, 4.0])).tolist()
        [1.0, 2.0]
    """

    def constrain(self, w: Array) -> Array:
        """What the array w becomes."""
        return w

    def __call__(self, w: Any) -> Any:
        if isinstance(w, Tensor):
            return Tensor(self.constrain(w.array))
        return self.constrain(w if backend.is_array(w) else np.asarray(w))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self.__dict__)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        return cls(**config)


class MaxNorm(Constraint):
    """Norms along an axis are made max_value where they are larger.

    Args:
        max_value: at least 0.
        axis: an axis or several: 0 for the vectors that enter each unit of a dense layer, (0, 1, 2) for each filter of
            a convolution.

    Example:
        >>> import numpy as np
        >>> import lamina as lm
        >>> lm.constraints.MaxNorm(1.0)(np.array([[3.0, 0.3], [4.0, 0.4]])).round(4).tolist()
        [[0.6, 0.3], [0.8, 0.4]]

    Reference:
        Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting".
    """

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value, self.axis = _not_negative(max_value, "MaxNorm", "max_value"), _axis(axis)

    def constrain(self, w: Array) -> Array:
        norms = _norms(w, self.axis)
        wanted = backend.array_module(norms).minimum(norms, norms.dtype.type(self.max_value))
        return w * (wanted / (norms + norms.dtype.type(EPSILON)))


class NonNeg(Constraint):
    """Values below 0 become 0.

    Example:
        >>> import numpy as np
        >>> import lamina as lm
        >>> lm.constraints.NonNeg()(np.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    def constrain(self, w: Array) -> Array:
        return backend.array_module(w).maximum(w, w.dtype.type(0))


class UnitNorm(Constraint):
    """Norms along an axis become 1.

    Args:
        axis: an axis or several; see `MaxNorm`.

    Example:
        >>> import numpy as np
        >>> import lamina as lm
        >>> lm.constraints.UnitNorm()(np.array([[3.0], [4.0]])).round(4).tolist()
        [[0.6], [0.8]]
    """

    def __init__(self, axis: Any = 0) -> None:
        self.axis = _axis(axis)

    def constrain(self, w: Array) -> Array:
        norms = _norms(w, self.axis)
        return w / (norms + norms.dtype.type(EPSILON))


class MinMaxNorm(Constraint):
    """Norms along an axis move towards what lies between min_value and max_value.

    Args:
        min_value: at least 0.
        max_value: at least min_value.
        rate: how far they move, from 0 to 1: all the way.
        axis: an axis or several; see `MaxNorm`.

    Example:
        >>> import numpy as np
        >>> import lamina as lm
        >>> lm.constraints.MinMaxNorm(1.0, 2.0)(np.array([[3.0, 0.3], [4.0, 0.4]])).round(4).tolist()
        [[1.2, 0.6], [1.6, 0.8]]
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0) -> None:
        self.min_value = _not_negative(min_value, "MinMaxNorm", "min_value")
        self.max_value = _not_negative(max_value, "MinMaxNorm", "max_value")
        if self.max_value < self.min_value:
            raise ValueError(f"MinMaxNorm: expected min_value <= max_value, got {min_value} and {max_value}")
        if not 0 <= rate <= 1:
            raise ValueError(f"MinMaxNorm: rate must be from 0 to 1, got {rate}")
        self.rate, self.axis = float(rate), _axis(axis)

    def constrain(self, w: Array) -> Array:
        norms = _norms(w, self.axis)
        kind = norms.dtype.type
        wanted = backend.array_module(norms).clip(norms, kind(self.min_value), kind(self.max_value))
        wanted = kind(self.rate) * wanted + kind(1 - self.rate) * norms
        return w * (wanted / (norms + kind(EPSILON)))


@no_grad()
def _norms(w: Array, axis: Any) -> Array:
    """Euclidean norms along the axes, which stay as 1."""
    return ops.sqrt(ops.sum(ops.square(Tensor(w)), axis=axis, keepdims=True)).array


def _axis(axis: Any) -> Any:
    """An axis, several, or None for all. Raises TypeError for anything else."""
    several = isinstance(axis, tuple | list)
    if axis is not None and any(not is_integer(a) for a in (axis if several else (axis,))):
        raise TypeError(f"constraints: axis must be an integer or several, got {axis!r}")
    return tuple(int(a) for a in axis) if several else axis


def _not_negative(value: float, constraint: str, name: str) -> float:
    value = checks.real_number(value, constraint, name)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{constraint}: {name} must be a finite number of at least 0, got {value}")
    return float(value)


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm

_classes: dict[str, type[Constraint]] = {c.__name__: c for c in (MaxNorm, NonNeg, UnitNorm, MinMaxNorm)}
_names: dict[str, type[Constraint]] = {
    **_classes, "max_norm": MaxNorm, "maxnorm": MaxNorm, "non_neg": NonNeg, "nonneg": NonNeg, "unit_norm": UnitNorm,
    "unitnorm": UnitNorm, "min_max_norm": MinMaxNorm,
}  # fmt: skip


def get(identifier: Any) -> Any:
    """A constraint by name, by configuration, of a class, or as it is; None stays None.

    Args:
        identifier: as said.

    Raises:
        ValueError: for an unknown name, or anything that cannot be called.

    Example:
        >>> import lamina as lm
        >>> lm.constraints.get("max_norm").max_value
        2.0
    """
    if isinstance(identifier, str) and identifier in _names:
        return _names[identifier]()
    if isinstance(identifier, dict) and identifier.get("class_name") in _classes:
        return _classes[identifier["class_name"]].from_config(identifier.get("config", {}))
    if isinstance(identifier, type) and issubclass(identifier, Constraint):
        return identifier()
    if identifier is None or callable(identifier):
        return identifier
    raise ValueError(f"constraints: expected one of {sorted(_names)}, got {identifier!r}")


def serialize(constraint: Any) -> Any:
    """A configuration that `get` takes back; None stays None.

    Args:
        constraint: one of this module's.

    Raises:
        ValueError: for constraints of the user's own.

    Example:
        >>> import lamina as lm
        >>> lm.constraints.serialize(lm.constraints.UnitNorm())
        {'class_name': 'UnitNorm', 'config': {'axis': 0}}
    """
    if constraint is None:
        return None
    if type(constraint).__name__ not in _classes:
        raise ValueError(f"constraints: {constraint!r} cannot be saved; use one of {sorted(_classes)}")
    return {"class_name": type(constraint).__name__, "config": constraint.get_config()}


deserialize = get
