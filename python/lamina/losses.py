"""Losses. ``loss(y_true, y_pred, sample_weight=None)`` gives a tensor to call backward on.

Each has a value a sample (the mean over the last axis, or the cross entropy over it); `reduction` says what becomes of
these: "sum_over_batch_size" (their sum over their number), "mean" (the same), "sum", "mean_with_sample_weight" (their
weighted sum over the sum of the weights), or "none".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lamina import ops
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.elementary import SigmoidFunction
from lamina.ops.loss import weights_of
from lamina.ops.softmax import SoftmaxFunction

# What the ops call the reductions. Weighted by its sum, a mean is a sum.
REDUCTIONS = {
    "sum_over_batch_size": "mean", "mean": "mean", "sum": "sum", "mean_with_sample_weight": "mean", "none": "none",
}  # fmt: skip


class Loss:
    """A loss. A subclass gives ``call(y_true, y_pred)``: a tensor with a value for each sample.

    Args:
        name: what the history calls it.
        reduction: see the module's head.

    Example:
        >>> import lamina as lm
        >>> class Cubic(lm.losses.Loss):
        ...     def call(self, y_true, y_pred):
        ...         return lm.ops.abs(y_pred - y_true) ** 3
        >>> Cubic()(lm.tensor([1.0, 2.0]), lm.tensor([1.0, 4.0])).item()
        4.0
    """

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size") -> None:
        self.name = name or type(self).__name__
        self.reduction = "none" if reduction is None else reduction
        if self.reduction not in REDUCTIONS:
            raise ValueError(f"{self.name}: reduction must be one of {list(REDUCTIONS)}, got {reduction!r}")

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} must define call(self, y_true, y_pred)")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        """The loss.

        Args:
            y_true: what is right; its shape is told by the loss.
            y_pred: what the model says.
            sample_weight: a number for each sample, (N,), or for each of a sample's values.
        """
        y_pred = as_tensor(y_pred)
        return self._reduce(self.call(as_tensor(y_true, y_pred), y_pred), sample_weight)

    def _reduce(self, values: Tensor, sample_weight: Any) -> Tensor:
        weights = weights_of(sample_weight, values.shape, values.dtype, self.name)
        if weights is not None:
            values = values * Tensor(weights)
        if self.reduction == "none":
            return values
        if self.reduction == "mean_with_sample_weight" and weights is not None:
            return ops.sum(values) / float(weights.sum())
        return ops.sum(values) if self.reduction == "sum" else ops.mean(values)

    def _op(self, op: Callable[..., Tensor], y_pred: Tensor, first: Any, second: Any, sample_weight: Any) -> Tensor:
        """op(first, second), one node on the tape, with this loss's reduction."""
        if sample_weight is None:
            return op(first, second, None, REDUCTIONS[self.reduction])
        if self.reduction == "mean_with_sample_weight":
            shape = y_pred.shape[:-1] if y_pred.ndim > 1 else y_pred.shape
            weights = weights_of(sample_weight, shape, y_pred.dtype, self.name)
            return op(first, second, weights / weights.sum(), "sum")
        return op(first, second, sample_weight, REDUCTIONS[self.reduction])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self.__dict__)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


class MeanSquaredError(Loss):
    """mean over the last axis of (y_true - y_pred)^2; y_true has the shape of y_pred.

    Args:
        reduction: see the module's head.
        name: what the history calls it.

    Example:
        >>> import lamina as lm
        >>> lm.losses.MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]]).item()
        2.5
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = "mean_squared_error") -> None:
        super().__init__(name, reduction)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        y_pred = as_tensor(y_pred)
        return self._op(ops.mean_squared_error, y_pred, y_true, y_pred, sample_weight)


class MeanAbsoluteError(Loss):
    """mean over the last axis of |y_true - y_pred|; y_true has the shape of y_pred.

    Args:
        reduction: see the module's head.
        name: what the history calls it.
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = "mean_absolute_error") -> None:
        super().__init__(name, reduction)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        y_pred = as_tensor(y_pred)
        return self._op(ops.mean_absolute_error, y_pred, y_true, y_pred, sample_weight)


class _Crossentropy(Loss):
    def __init__(
        self, from_logits: bool, label_smoothing: float, reduction: str | None, name: str | None, axis: int
    ) -> None:
        super().__init__(name, reduction)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"{self.name}: label_smoothing must be from 0 to 1, got {label_smoothing}")
        if axis != -1:
            raise ValueError(f"{self.name}: axis must be -1 (classes come last), got {axis}")
        self.from_logits, self.label_smoothing, self.axis = bool(from_logits), float(label_smoothing), axis

    def _from_classes(self, labels: Any, y_pred: Tensor, sample_weight: Any) -> Tensor:
        logits = y_pred if self.from_logits else _input_of(y_pred, SoftmaxFunction)
        if logits is not None:
            return self._op(ops.softmax_cross_entropy, y_pred, logits, labels, sample_weight)
        return self._op(ops.cross_entropy_from_probabilities, y_pred, y_pred, labels, sample_weight)


class BinaryCrossentropy(_Crossentropy):
    """mean over the last axis of -(y_true log p + (1 - y_true) log(1 - p)).

    Computed exactly, from the logits, where y_pred comes out of a sigmoid; from other probabilities kept within
    [1e-7, 1 - 1e-7].

    Args:
        from_logits: whether y_pred holds logits, p = sigmoid(y_pred), rather than p itself.
        label_smoothing: s from 0 to 1: targets become (1 - s) y_true + s / 2.
        axis: -1.
        reduction: see the module's head.
        name: what the history calls it.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
    ) -> None:
        super().__init__(from_logits, label_smoothing, reduction, name, axis)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        y_pred = as_tensor(y_pred)
        if self.label_smoothing:
            y_true = _smoothed(y_true, self.label_smoothing, 0.5, y_pred.dtype)
        logits = y_pred if self.from_logits else _input_of(y_pred, SigmoidFunction)
        if logits is not None:
            return self._op(ops.sigmoid_cross_entropy, y_pred, logits, y_true, sample_weight)
        return self._op(ops.binary_cross_entropy_from_probabilities, y_pred, y_pred, y_true, sample_weight)


class CategoricalCrossentropy(_Crossentropy):
    """-sum over the last axis of y_true log p; y_true is one-hot, or probabilities, in the shape of y_pred.

    Computed exactly, from the logits, where y_pred comes out of a softmax; other probabilities are divided by their
    sum and kept within [1e-7, 1 - 1e-7].

    Args:
        from_logits: whether y_pred holds logits, p = softmax(y_pred), rather than p itself.
        label_smoothing: s from 0 to 1: targets become (1 - s) y_true + s / classes.
        axis: -1.
        reduction: see the module's head.
        name: what the history calls it.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
    ) -> None:
        super().__init__(from_logits, label_smoothing, reduction, name, axis)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        y_pred = as_tensor(y_pred)
        shape = np.shape(y_true)
        if shape != y_pred.shape:
            raise ValueError(
                f"{self.name}: y_true must be one-hot, in y_pred's shape {y_pred.shape}, got {shape}; "
                "for class numbers take sparse_categorical_crossentropy"
            )
        if shape[-1] == 1:
            raise ValueError(f"{self.name}: expected at least two classes, got y_pred of shape {y_pred.shape}")
        if self.label_smoothing:
            y_true = _smoothed(y_true, self.label_smoothing, 1 / shape[-1], y_pred.dtype)
        return self._from_classes(y_true, y_pred, sample_weight)


class SparseCategoricalCrossentropy(_Crossentropy):
    """-log p[y_true]; y_true holds class numbers, in the shape of y_pred without its last axis (or with a last 1).

    Computed exactly, from the logits, where y_pred comes out of a softmax; other probabilities are divided by their
    sum and kept within [1e-7, 1 - 1e-7].

    Args:
        from_logits: whether y_pred holds logits, p = softmax(y_pred), rather than p itself.
        ignore_class: a class number whose samples do not count.
        reduction: see the module's head.
        axis: -1.
        name: what the history calls it.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.SparseCategoricalCrossentropy()([1], [[0.25, 0.5, 0.25]]).item(), 6)
        0.693147
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
    ) -> None:
        super().__init__(from_logits, 0.0, reduction, name, axis)
        self.ignore_class = ignore_class

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        y_pred = as_tensor(y_pred)
        labels = class_numbers(y_true, y_pred.shape, self.name)
        if self.ignore_class is not None:
            counts = labels != self.ignore_class
            given = weights_of(sample_weight, labels.shape, y_pred.dtype, self.name)
            sample_weight = counts.astype(y_pred.dtype) if given is None else given * counts
            if self.reduction in ("mean", "sum_over_batch_size"):
                sample_weight = sample_weight * (counts.size / max(1, int(counts.sum())))
            labels = np.where(counts, labels, 0)
        return self._from_classes(labels, y_pred, sample_weight)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["label_smoothing"]
        return config


class LossFunction(Loss):
    """A function (y_true, y_pred) -> tensor as a loss; the mean of what it gives counts."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        super().__init__(getattr(function, "__name__", "loss"))
        self.function = function

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        return as_tensor(self.function(y_true, y_pred))

    def get_config(self) -> dict[str, Any]:
        raise ValueError(f"losses: the function {self.name} cannot be saved; use a name instead")


def class_numbers(y_true: Any, shape: tuple[int, ...], name: str) -> Any:
    """Labels as int64 in the given shape without its last axis."""
    labels: Any = y_true.array if isinstance(y_true, Tensor) else np.asarray(y_true)
    if labels.shape != shape[:-1]:
        if labels.shape != (*shape[:-1], 1):
            raise ValueError(
                f"{name}: y_true must hold class numbers in shape {shape[:-1]} for y_pred {shape}, got {labels.shape}"
            )
        labels = labels.reshape(shape[:-1])
    if labels.dtype.kind == "f":
        whole = labels.astype(np.int64)
        if (whole != labels).any():
            raise ValueError(f"{name}: y_true must hold class numbers, got {labels[whole != labels].flat[0]}")
        return whole
    if labels.dtype.kind not in "iub":
        raise TypeError(f"{name}: y_true must hold class numbers, got dtype {labels.dtype}")
    return labels.astype(np.int64, copy=False)


def _smoothed(y_true: Any, smoothing: float, towards: float, dtype: Any) -> Any:
    """Targets moved from 0 and 1 towards what knows nothing."""
    array = y_true.array if isinstance(y_true, Tensor) else np.asarray(y_true)
    return (array * (1.0 - smoothing) + smoothing * towards).astype(dtype)


def _input_of(y_pred: Tensor, function: type[Function]) -> Tensor | None:
    """The logits, where y_pred is a softmax's or sigmoid's output that still knows them."""
    node: Any = y_pred.node
    if isinstance(node, function) and not node.freed and getattr(node, "axis", -1) in (-1, y_pred.ndim - 1):
        return node.inputs[0]
    return None


_classes: dict[str, type[Loss]] = {
    c.__name__: c
    for c in (
        MeanSquaredError, MeanAbsoluteError, BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy,
    )
}  # fmt: skip
_names: dict[str, type[Loss]] = {
    **_classes,
    "mse": MeanSquaredError, "MSE": MeanSquaredError, "mean_squared_error": MeanSquaredError,
    "mae": MeanAbsoluteError, "MAE": MeanAbsoluteError, "mean_absolute_error": MeanAbsoluteError,
    "bce": BinaryCrossentropy, "binary_crossentropy": BinaryCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
}  # fmt: skip


def get(identifier: Any) -> Any:
    """A loss by name, by configuration, of a function, or as it is; None stays None.

    Raises:
        ValueError: for an unknown name, or anything that cannot be called.
    """
    if identifier is None or isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, str) and identifier in _names:
        return _names[identifier]()
    if isinstance(identifier, dict) and identifier.get("class_name") in _classes:
        return _classes[identifier["class_name"]].from_config(identifier.get("config", {}))
    if callable(identifier):
        return LossFunction(identifier)
    raise ValueError(f"losses: expected a loss, a function or one of {sorted(_names)}, got {identifier!r}")


def serialize(loss: Loss) -> dict[str, Any]:
    """A configuration that `get` takes back.

    Raises:
        ValueError: for losses of the user's own.
    """
    if type(loss).__name__ not in _classes:
        raise ValueError(f"losses: {loss.name} cannot be saved; use one of {sorted(_classes)}")
    return {"class_name": type(loss).__name__, "config": loss.get_config()}
