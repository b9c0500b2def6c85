"""What every loss shares: one node on the tape, whose gradient is computed in the forward pass, weights, reductions."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor

REDUCTIONS = ("mean", "sum", "none")


class LossFunction(Function):
    """The samples' losses, or their sum or mean. x: (..., n), one loss for each of its rows.

    The kernel <name> fills losses, total and the gradient in one pass while x is in cache; backward only scales it.
    """

    __slots__ = ()
    name: ClassVar[str]

    def forward(self, x: Any, targets: Any, weights: Any, reduction: str) -> Any:
        x = backend.contiguous(x)
        shape = x.shape[:-1]
        losses = backend.empty(shape, x.dtype, like=x)
        total = None if reduction == "none" else backend.empty((), x.dtype, like=x)
        dx = backend.empty_like(x) if self.needs[0] else None
        divisor = float(max(1, losses.size)) if reduction == "mean" else 1.0
        self.check(getattr(backend.kernels(x), self.name)(x, targets, weights, divisor, losses, total, dx), x, targets)
        self.saved = dx
        return losses if total is None else total

    def check(self, result: Any, x: Any, targets: Any) -> None:
        """Raises ValueError if the kernel's result says that the targets are out of range."""

    def backward(self, dy: Any) -> Any:
        dx = self.saved
        if dy.size == 0 or (dy.ndim == 0 and dy == 1):
            return dx
        scaled = backend.empty_like(dx)
        backend.kernels(dx).scale_rows(dx, backend.contiguous(dy), scaled)
        return scaled


def constant(value: Any, op: str, name: str) -> Any:
    """The array of labels, targets or weights, through which no gradient flows.

    Raises:
        ValueError: if it requires gradients: they would be lost.
    """
    tensor = as_tensor(value)
    if tensor.requires_grad:
        raise ValueError(f"{op}: no gradient flows to {name}; detach() it")
    return tensor.array


def weights_of(sample_weight: Any, shape: tuple[int, ...], dtype: Any, op: str) -> Any:
    """sample_weight as a contiguous array of the losses' shape, or None.

    Raises:
        ValueError: if its shape is neither (N,) nor the losses'.
    """
    if sample_weight is None:
        return None
    weights = constant(sample_weight, op, "sample_weight")
    if weights.shape == (*shape, 1):
        weights = weights.reshape(shape)
    if weights.shape != shape[: weights.ndim]:
        raise ValueError(f"{op}: sample_weight must have shape {shape[:1]} or {shape}, got {weights.shape}")
    missing = len(shape) - weights.ndim
    weights = np.broadcast_to(weights.reshape(weights.shape + (1,) * missing), shape) if missing else weights
    return backend.contiguous(weights.astype(dtype, copy=False))


def check_reduction(reduction: str, op: str) -> None:
    """Raises ValueError unless the reduction is known."""
    if reduction not in REDUCTIONS:
        raise ValueError(f'{op}: reduction must be "mean", "sum" or "none", got {reduction!r}')


def like_predictions(targets: Any, predictions: Tensor, op: str, names: tuple[str, str]) -> Any:
    """targets as a contiguous array of the predictions' shape and dtype. Nothing is broadcast.

    Only an axis of length 1 at the end may be there or not: (N,) fits (N, 1).

    Raises:
        ValueError: if the shapes do not fit.
    """
    array, shape = constant(targets, op, names[0]), predictions.array.shape
    if array.shape != shape:
        if (*array.shape, 1) != shape and (*shape, 1) != array.shape:
            raise ValueError(f"{op}: {names[0]} must have the shape of {names[1]}, {shape}, got {array.shape}")
        array = array.reshape(shape)
    return backend.contiguous(array.astype(predictions.dtype, copy=False))


def class_indices(labels: Any, shape: tuple[int, ...], op: str) -> Any | None:
    """Integer labels as a contiguous int32 or int64 array of the given shape; None if they are no class indices.

    (N, 1) fits (N,).
    """
    if labels.dtype.kind not in "iu" or (labels.shape != shape and labels.shape != (*shape, 1)):
        return None
    if labels.dtype != np.int32:
        labels = labels.astype(np.int64, copy=False)
    return backend.contiguous(labels.reshape(shape))


def place_in(shape: tuple[int, ...], index: int) -> str:
    """ " at 3", " at (1, 2)" or "": where the element with this flat index is."""
    place = tuple(int(i) for i in np.unravel_index(index, shape)) if math.prod(shape) else ()
    return "" if not shape else f" at {place[0] if len(place) == 1 else place}"
