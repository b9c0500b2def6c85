"""Metrics: numbers that tell how good predictions are, gathered over batches."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any


class Metric:
    """A metric. A subclass gives ``update_state(y_true, y_pred, sample_weight=None)``, ``result()``, ``reset_state()``.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake; sums are float64.
    """

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        self.name = name or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Takes in a batch."""
        raise NotImplementedError(f"{type(self).__name__}.update_state")

    def result(self) -> float:
        """The metric over all batches since the last reset."""
        raise NotImplementedError(f"{type(self).__name__}.result")

    def reset_state(self) -> None:
        """Forgets all batches."""
        raise NotImplementedError(f"{type(self).__name__}.reset_state")

    def __call__(self, *args: Any, **kwargs: Any) -> float:
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class Mean(Metric):
    """The weighted mean of all values.

    Example:
        >>> import lamina as lm
        >>> mean = lm.metrics.Mean()
        >>> mean.update_state([1.0, 3.0])
        >>> mean.update_state(5.0)
        >>> mean.result()
        3.0
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.total = 0.0
        self.count = 0.0

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values = _array(values)
        if sample_weight is None:
            self.total += float(values.sum(dtype=np.float64))
            self.count += values.size
            return
        weights = np.asarray(_array(sample_weight), np.float64)
        if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
            weights = weights[..., 0]
        if weights.shape != values.shape[: weights.ndim]:
            raise ValueError(
                f"{self.name}: sample_weight must have a number for each of {values.shape}, got {weights.shape}"
            )
        weights = np.broadcast_to(weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim)), values.shape)
        self.total += float((values * weights).sum())
        self.count += float(weights.sum())

    def result(self) -> float:
        return self.total / self.count if self.count else 0.0

    def reset_state(self) -> None:
        self.total = self.count = 0.0


class MeanMetric(Mean):
    """The mean of a function of (y_true, y_pred) that gives a value for each sample."""

    def __init__(self, function: Callable[[Any, Any], Any], name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name or getattr(function, "__name__", "metric"), dtype)
        self.function = function

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        super().update_state(self.function(_array(y_true), _array(y_pred)), sample_weight)


class Accuracy(MeanMetric):
    """The share of predictions that equal the truth."""

    def __init__(self, name: str | None = "accuracy", dtype: Any = None) -> None:
        super().__init__(lambda y_true, y_pred: np.equal(*_aligned(y_true, y_pred, self.name)), name, dtype)


class BinaryAccuracy(MeanMetric):
    """The share of predictions on the right side of the threshold; the mean over the last axis counts for a sample.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.
        threshold: above it a prediction stands for 1.
    """

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(self._values, name, dtype)
        self.threshold = float(threshold)

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        y_true, y_pred = _aligned(y_true, y_pred, self.name)
        right = (y_pred > self.threshold) == (y_true > 0.5)
        return right.mean(axis=-1) if right.ndim > 1 else right

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "threshold": self.threshold}


class CategoricalAccuracy(MeanMetric):
    """The share of predictions whose largest entry is the largest of the truth, one-hot or probabilities."""

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(self._values, name, dtype)

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        if y_true.shape != y_pred.shape:
            raise ValueError(f"{self.name}: y_true must have y_pred's shape {y_pred.shape}, got {y_true.shape}")
        return y_true.argmax(axis=-1) == y_pred.argmax(axis=-1)


class SparseCategoricalAccuracy(MeanMetric):
    """The share of predictions whose largest entry is at the class number that the truth says."""

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(self._values, name, dtype)

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        if y_true.shape != y_pred.shape[:-1]:
            if y_true.shape != (*y_pred.shape[:-1], 1):
                raise ValueError(
                    f"{self.name}: y_true must have shape {y_pred.shape[:-1]} for y_pred {y_pred.shape}, "
                    f"got {y_true.shape}"
                )
            y_true = y_true[..., 0]
        return y_pred.argmax(axis=-1) == y_true


class MeanSquaredError(MeanMetric):
    """The mean of (y_true - y_pred)^2."""

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(self._values, name, dtype)

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        y_true, y_pred = _aligned(y_true, y_pred, self.name)
        return np.square(np.subtract(y_true, y_pred, dtype=np.float64)).mean(axis=-1)


class MeanAbsoluteError(MeanMetric):
    """The mean of |y_true - y_pred|."""

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(self._values, name, dtype)

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        y_true, y_pred = _aligned(y_true, y_pred, self.name)
        return np.abs(np.subtract(y_true, y_pred, dtype=np.float64)).mean(axis=-1)


def _array(value: Any) -> Array:
    """The NumPy array of a tensor, array or number."""
    return np.asarray(getattr(value, "array", value))


def _aligned(y_true: Array, y_pred: Array, name: str) -> tuple[Array, Array]:
    """(N,) and (N, 1) stand for each other; nothing is broadcast."""
    if y_true.shape != y_pred.shape:
        if (*y_true.shape, 1) != y_pred.shape and y_true.shape != (*y_pred.shape, 1):
            raise ValueError(f"{name}: y_true must have y_pred's shape {y_pred.shape}, got {y_true.shape}")
        y_true = y_true.reshape(y_pred.shape)
    return y_true, y_pred


def accuracy_for(y_true_shape: tuple[int, ...], y_pred_shape: tuple[int, ...], name: str) -> Metric:
    """What "accuracy" means for these shapes: binary for one output, sparse for class numbers, else categorical."""
    if len(y_pred_shape) == 0 or y_pred_shape[-1] == 1 or len(y_pred_shape) < 2:
        return BinaryAccuracy(name)
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        return SparseCategoricalAccuracy(name)
    return CategoricalAccuracy(name)


_classes: dict[str, type[Metric]] = {
    c.__name__: c
    for c in (
        Mean, Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, MeanSquaredError,
        MeanAbsoluteError,
    )
}  # fmt: skip
_names: dict[str, type[Metric]] = {
    **_classes,
    "binary_accuracy": BinaryAccuracy, "categorical_accuracy": CategoricalAccuracy,
    "sparse_categorical_accuracy": SparseCategoricalAccuracy,
    "mse": MeanSquaredError, "MSE": MeanSquaredError, "mean_squared_error": MeanSquaredError,
    "mae": MeanAbsoluteError, "MAE": MeanAbsoluteError, "mean_absolute_error": MeanAbsoluteError,
}  # fmt: skip


def get(identifier: Any) -> Metric:
    """A metric by name, by configuration, of a function, or as it is. A name is also what the history calls it.

    Raises:
        ValueError: for an unknown name, or anything that cannot be called.
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, str) and identifier in _names:
        return _names[identifier](name=identifier if identifier not in _classes else None)
    if isinstance(identifier, dict) and identifier.get("class_name") in _classes:
        return _classes[identifier["class_name"]].from_config(identifier.get("config", {}))
    if callable(identifier):
        return MeanMetric(identifier)
    raise ValueError(f"metrics: expected a metric, a function or one of {sorted(['accuracy', *_names])}, "
                     f"got {identifier!r}")  # fmt: skip


def serialize(metric: Metric) -> dict[str, Any]:
    """A configuration that `get` takes back.

    Raises:
        ValueError: for metrics of the user's own.
    """
    if type(metric).__name__ not in _classes:
        raise ValueError(f"metrics: {metric.name} cannot be saved; use one of {sorted(_classes)}")
    return {"class_name": type(metric).__name__, "config": metric.get_config()}
