"""Penalties on weights, added to the loss: L1, L2, both, and of rows or columns that are not orthogonal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend, ops
from lamina.autograd.tensor import Tensor


class Regularizer:
    """A penalty on a weight: ``__call__(x)`` gives a scalar tensor.

    Example:
        >>> import lamina as lm
        >>> class Largest(lm.regularizers.Regularizer):
        ...     def __call__(self, x):
        ...         return lm.ops.max(x)
        >>> Largest()(lm.tensor([1.0, 3.0])).item()
        3.0
    """

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
        self.l1 = _factor(0.0 if l1 is None else l1, "l1")
        self.l2 = _factor(0.0 if l2 is None else l2, "l2")

    def __call__(self, x: Tensor) -> Tensor:
        if self.l1 and self.l2:
            return ops.sum(ops.abs(x)) * self.l1 + ops.sum(ops.square(x)) * self.l2
        if self.l1:
            return ops.sum(ops.abs(x)) * self.l1
        return ops.sum(ops.square(x)) * self.l2


class L1(L1L2):
    """l1 * sum(|x|): pulls weights to exactly zero.

    Args:
        l1: the factor, not negative.

    Example:
        >>> import lamina as lm
        >>> lm.regularizers.L1(0.5)(lm.tensor([1.0, -2.0])).item()
        1.5
    """

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1=0.01 if l1 is None else l1)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(L1L2):
    """l2 * sum(x^2): keeps weights small.

    Args:
        l2: the factor, not negative.

    Example:
        >>> import lamina as lm
        >>> lm.regularizers.L2(0.5)(lm.tensor([1.0, -2.0])).item()
        2.5
    """

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(l2=0.01 if l2 is None else l2)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """factor times the mean |cosine| between any two rows (or columns) of a matrix: 0 where they are orthogonal.

    Args:
        factor: not negative.
        mode: "rows" or "columns".

    Example:
        >>> import lamina as lm
        >>> round(lm.regularizers.OrthogonalRegularizer(0.5)(lm.tensor([[1.0, 0.0], [3.0, 4.0]])).item(), 4)
        0.3
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _factor(factor, "factor")
        if mode not in ("rows", "columns"):
            raise ValueError(f'regularizers: mode must be "rows" or "columns", got {mode!r}')
        self.mode = mode

    def __call__(self, x: Tensor) -> Tensor:
        if x.ndim != 2:
            raise ValueError(f"OrthogonalRegularizer: the weight must have two axes, got shape {x.shape}")
        rows = self.mode == "rows"
        size = x.shape[0 if rows else 1]
        if size < 2:
            return ops.sum(x) * 0.0
        norms = ops.sqrt(ops.maximum(ops.sum(ops.square(x), axis=1 if rows else 0, keepdims=True), 1e-14))
        x = x / norms
        products = ops.matmul(x, x, transpose_a=not rows, transpose_b=rows)
        apart = ops.abs(products) * backend.as_array(1 - np.eye(size, dtype=x.dtype), like=x.array)
        return ops.sum(apart) * (self.factor / (size * (size - 1.0)))


class Sparsity(Regularizer):
    """Activations that are rarely on: factor times the sum, over the units j, of the divergence

    KL(rho || mean_j) = rho log(rho / mean_j) + (1 - rho) log((1 - rho) / (1 - mean_j))

    of each unit's mean activation over the batch from rho. As an ``activity_regularizer``, of units between 0 and 1.

    Args:
        rho: the mean activation aimed at, above 0 and below 1.
        factor: not negative.

    Raises:
        ValueError: if rho lies outside (0, 1), or for a factor below 0.

    Example:
        >>> import lamina as lm
        >>> layer = lm.layers.Dense(30, activation="sigmoid", activity_regularizer=lm.regularizers.Sparsity(0.05, 3.0))
        >>> round(lm.regularizers.Sparsity(0.5)(lm.tensor([[0.25], [0.25]])).item() / 2, 4)  # 2: the samples
        0.1438

    Reference:
        Ng 2011, "Sparse autoencoder", CS294A lecture notes.
    """

    def __init__(self, rho: float = 0.05, factor: float = 1.0) -> None:
        self.rho = _factor(rho, "rho")
        if not 0 < self.rho < 1:
            raise ValueError(f"Sparsity: rho must be above 0 and below 1, got {rho}")
        self.factor = _factor(factor, "factor")

    def __call__(self, x: Tensor) -> Tensor:
        if x.ndim < 2:
            raise ValueError(f"Sparsity: activations must have shape (N, ..., units), got {x.shape}")
        mean = ops.clip(ops.mean(x, axis=tuple(range(x.ndim - 1))), 1e-6, 1 - 1e-6)
        entropy = self.rho * math.log(self.rho) + (1 - self.rho) * math.log(1 - self.rho)
        crossed = ops.log(mean) * self.rho + ops.log(1.0 - mean) * (1 - self.rho)
        divergence = entropy * x.shape[-1] - ops.sum(crossed)
        return divergence * (self.factor * x.shape[0])  # a layer divides by the size of the batch


def _factor(value: float, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise ValueError(f"regularizers: {name} must be a finite number of at least 0, got {value!r}")
    value = float(value)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"regularizers: {name} must be a finite number of at least 0, got {value}")
    return value


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

_classes: dict[str, type[Regularizer]] = {c.__name__: c for c in (L1, L2, L1L2, OrthogonalRegularizer, Sparsity)}
_names: dict[str, type[Regularizer]] = {
    **_classes, "l1": L1, "l2": L2, "l1l2": L1L2, "l1_l2": L1L2, "orthogonal_regularizer": OrthogonalRegularizer,
}  # fmt: skip


def get(identifier: Any) -> Any:
    """A regularizer by name, by configuration, of a class, or as it is; None stays None.

    Args:
        identifier: as said.

    Raises:
        ValueError: for an unknown name, or anything that cannot be called.

    Example:
        >>> import lamina as lm
        >>> lm.regularizers.get("l2").l2
        0.01
    """
    if isinstance(identifier, str) and identifier in _names:
        return _names[identifier]()
    if isinstance(identifier, dict) and identifier.get("class_name") in _classes:
        return _classes[identifier["class_name"]].from_config(identifier.get("config", {}))
    if isinstance(identifier, type) and issubclass(identifier, Regularizer):
        return identifier()
    if identifier is None or callable(identifier):
        return identifier
    raise ValueError(f"regularizers: expected one of {sorted(_names)}, got {identifier!r}")


def serialize(regularizer: Any) -> Any:
    """A configuration that `get` takes back; None stays None.

    Args:
        regularizer: one of this module's.

    Raises:
        ValueError: for regularizers of the user's own.

    Example:
        >>> import lamina as lm
        >>> lm.regularizers.serialize(lm.regularizers.L1(0.5))
        {'class_name': 'L1', 'config': {'l1': 0.5}}
    """
    if regularizer is None:
        return None
    if type(regularizer).__name__ not in _classes:
        raise ValueError(f"regularizers: {regularizer!r} cannot be saved; use one of {sorted(_classes)}")
    return {"class_name": type(regularizer).__name__, "config": regularizer.get_config()}


deserialize = get
