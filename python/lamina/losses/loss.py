"""The losses' base: reductions, weights and masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lamina import backend, ops
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.loss import constant, weights_of
from lamina.ops.selection import CastFunction

# What the ops call the reductions. Weighted by its sum, a mean is a sum.
REDUCTIONS = {
    "sum_over_batch_size": "mean", "mean": "mean", "sum": "sum", "mean_with_sample_weight": "mean", "none": "none",
}  # fmt: skip


class Loss:
    """A loss. A subclass gives ``call(y_true, y_pred)``: a tensor with a value for each sample.

    Args:
        name: what the history calls it.
        reduction: see the module's head.
        dtype: "float32" or "float64" to compute in; None: that of the predictions, but float32 for those of 16 bits.

    Example:
        >>> import lamina as lm
        >>> class Cubic(lm.losses.Loss):
        ...     def call(self, y_true, y_pred):
        ...         return lm.ops.abs(y_pred - y_true) ** 3
        >>> Cubic()(lm.tensor([1.0, 2.0]), lm.tensor([1.0, 4.0])).item()
        4.0
    """

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        self.name = name or type(self).__name__
        self.reduction = "none" if reduction is None else reduction
        if self.reduction not in REDUCTIONS:
            raise ValueError(f"{self.name}: reduction must be one of {list(REDUCTIONS)}, got {reduction!r}")
        self.dtype = None if dtype is None else np.dtype(dtype).name
        if self.dtype not in (None, "float32", "float64"):
            raise TypeError(f'{self.name}: dtype must be "float32" or "float64", got {dtype!r}')

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        """A value for each sample."""
        raise NotImplementedError(f"{type(self).__name__} must define call(self, y_true, y_pred)")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> Tensor:
        """The loss.

        Args:
            y_true: what is right; its shape is told by the loss.
            y_pred: what the model says.
            sample_weight: a number for each sample, (N,), or for each of a sample's values.
            mask: which samples, (N,), or which of a sample's values count; a mean is one over those that do. None:
                the mask that y_pred carries, if any.

        Returns:
            Tensor of shape (), or of the values' for the reduction "none".
        """
        mask = carried(mask, y_pred)
        y_pred = self._predictions(y_pred)
        values = self.call(as_tensor(y_true, y_pred), y_pred)
        weights, reduction = self._weights(sample_weight, mask, values.shape, values)
        if weights is not None:
            values = values * Tensor(weights)
        if reduction == "none" or values.ndim == 0:
            return values
        return ops.sum(values) if reduction == "sum" else ops.mean(values)

    def _predictions(self, y_pred: Any) -> Tensor:
        y_pred = as_tensor(y_pred)
        if self.dtype is None:  # of 16 bits there are too few
            return ops.cast(y_pred, "float32") if backend.narrow and backend.is_narrow(y_pred.dtype) else y_pred
        return y_pred if y_pred.dtype == self.dtype else ops.cast(y_pred, self.dtype)

    def _weights(self, sample_weight: Any, mask: Any, shape: tuple[int, ...], like: Tensor) -> tuple[Any, str]:
        """(weights of the losses or None, what the op has to do with them): masks and means as Keras has them.

        like: weights have its dtype, float32 for integers, and are on its device.
        """
        reduction = REDUCTIONS[self.reduction]
        if sample_weight is None and mask is None:
            return None, reduction
        if like.dtype.kind != "f":
            like = Tensor(like.array[:0].astype(np.float32) if like.ndim else like.array.astype(np.float32))
        kind = like.dtype.type
        weights = weights_of(sample_weight, shape, like, self.name)
        if mask is not None:
            counts = mask_of(mask, shape, self.name, like)
            factor: Any = kind(1)
            if self.reduction in ("mean", "sum_over_batch_size"):
                kept = counts.sum()
                factor = (counts.size / (kept + (kept == 0))).astype(kind)
            share = backend.array_module(counts).where(counts, factor, kind(0))
            weights = share if weights is None else weights * share
        if self.reduction == "mean_with_sample_weight":
            weights = _shares(weights)
            reduction = "sum"
        return weights, reduction

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self.__dict__)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


def _shares(weights: Any) -> Any:
    """Weights divided by their sum; zeros where that is 0. Nobody waits for a GPU."""
    total = backend.empty(1, weights.dtype, like=weights)
    backend.kernels(weights).reduce_sum(backend.contiguous(weights).reshape(1, -1, 1), total)
    none = total == 0
    return backend.contiguous(weights / (total + none) * ~none)


class FusedLoss(Loss):
    """A loss whose op takes weights and reductions too: one node on the tape."""

    def compute(self, y_true: Any, y_pred: Tensor, weights: Any, reduction: str) -> Tensor:
        """The op's loss; reduction as the ops name them."""
        raise NotImplementedError(f"{type(self).__name__}.compute")

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        return self.compute(y_true, self._predictions(y_pred), None, "none")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> Tensor:
        mask = carried(mask, y_pred)
        y_pred = self._predictions(y_pred)
        weights, reduction = self._weights(sample_weight, mask, self._shape(y_pred), y_pred)
        return self.compute(y_true, y_pred, weights, reduction)

    def _shape(self, y_pred: Tensor) -> tuple[int, ...]:
        """The losses' shape."""
        return without_axis(y_pred.shape, -1) if y_pred.ndim > 1 else y_pred.shape


class LossFunction(Loss):
    """A function (y_true, y_pred) -> tensor as a loss; the mean of what it gives counts.

    Args:
        function: gives a value for each sample.

    Example:
        >>> import lamina as lm
        >>> loss = lm.losses.get(lambda y_true, y_pred: (y_pred - y_true) ** 2)
        >>> loss(lm.tensor([1.0]), lm.tensor([3.0])).item()
        4.0
    """

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        super().__init__(getattr(function, "__name__", "loss"))
        self.function = function

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        return as_tensor(self.function(y_true, y_pred))

    def get_config(self) -> dict[str, Any]:
        raise ValueError(f"losses: the function {self.name} cannot be saved; use a name instead")


def carried(mask: Any, y_pred: Any) -> Any:
    """The mask that was passed, else that of the predictions."""
    return mask if mask is not None or not isinstance(y_pred, Tensor) else y_pred._mask


def mask_of(mask: Any, shape: tuple[int, ...], name: str, like: Tensor) -> Any:
    """A mask as booleans in the losses' shape, on the device of `like`.

    Raises:
        ValueError: if its shape is not that of the losses, or of their first axes.
    """
    array = constant(mask, name, "mask", like).astype(bool)
    while array.ndim and array.shape[-1] == 1 and array.shape != shape[: array.ndim]:
        array = array[..., 0]
    if array.shape != shape[: array.ndim]:
        raise ValueError(f"{name}: mask must have shape {shape} or that of its first axes, got {array.shape}")
    return backend.array_module(array).broadcast_to(
        array.reshape(array.shape + (1,) * (len(shape) - array.ndim)), shape
    )


def without_axis(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """The shape without one axis; out of range, without the last one (the op refuses it by name)."""
    axis = axis % len(shape) if -len(shape) <= axis < len(shape) else len(shape) - 1
    return shape[:axis] + shape[axis + 1 :]


def values_of(op: Callable[..., Tensor], y_true: Any, y_pred: Any, **arguments: Any) -> Tensor:
    """What Keras's functions give: op's losses over the last axis, of (N,) one number."""
    y_pred = as_tensor(y_pred)
    if y_pred.ndim == 1 and np.ndim(y_true) == 1:
        y_true = constant(y_true, getattr(op, "__name__", "loss"), "y_true", y_pred)
        return op(y_true[None], y_pred.reshape((1, -1)), None, "none", **arguments).reshape(())
    return op(y_true, y_pred, None, "none", **arguments)


def input_of(y_pred: Tensor, function: type[Function], axis: int = -1) -> Tensor | None:
    """The logits, where y_pred is a softmax's (over that axis) or sigmoid's output that still knows them."""
    node: Any = y_pred.node
    while isinstance(node, CastFunction) and not node.freed:  # rounded to 16 bits, and cast again for the loss
        node = node.inputs[0].node if node.inputs[0] is not None else None
    if not isinstance(node, function) or node.freed:
        return None
    if hasattr(node, "axis") and (node.axis % y_pred.ndim != axis % y_pred.ndim or getattr(node, "logarithm", False)):
        return None  # of another axis, or log_softmax's: those are no probabilities
    logits: Tensor | None = node.inputs[0]
    dtype = backend.state_dtype(y_pred.dtype)
    return logits if logits is None or logits.dtype == dtype else ops.cast(logits, dtype)


def class_numbers(y_true: Any, shape: tuple[int, ...], name: str) -> Any:
    """Labels as int64 in the given shape.

    Raises:
        ValueError: if they have another shape (a last axis of length 1 may be there or not), or are not whole.
        TypeError: if they are no numbers.
    """
    labels: Any = y_true.array if isinstance(y_true, Tensor) else y_true
    if type(labels) is not np.ndarray and not backend.is_array(labels):
        labels = np.asarray(labels)
    if labels.shape != shape:
        if labels.shape != (*shape, 1):
            raise ValueError(f"{name}: y_true must hold class numbers in shape {shape}, got {labels.shape}")
        labels = labels.reshape(shape)
    if labels.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # NaN is found below
            whole = labels.astype(np.int64)
        if backend.on_host(labels) and (whole != labels).any():
            raise ValueError(f"{name}: y_true must hold class numbers, got {labels[whole != labels].flat[0]}")
        return whole
    if labels.dtype.kind not in "iub":
        raise TypeError(f"{name}: y_true must hold class numbers, got dtype {labels.dtype}")
    return labels.astype(np.int64, copy=False)
