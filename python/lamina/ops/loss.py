"""What every loss shares: one node on the tape, whose gradient is computed in the forward pass, weights, reductions."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import real_number
from lamina.ops.shapes import one_axis, transpose

REDUCTIONS = ("mean", "sum", "none")


class LossFunction(Function):
    """The samples' losses, or their sum or mean. x: (..., n), one loss for each of its rows.

    The kernel <name> fills losses, total and the gradient in one pass while x is in cache; backward only scales it.
    """

    __slots__ = ()
    name: ClassVar[str]

    def forward(self, x: Any, targets: Any, weights: Any, reduction: str, count: Any = None, *parameters: float) -> Any:
        """count: what a mean divides by, if not the number of losses: a number, or an array of one on the device of x;
        parameters: what the kernel takes at its end."""
        x = backend.contiguous(x)
        shape = x.shape[:-1]
        losses = backend.empty(shape, x.dtype, like=x)
        total = None if reduction == "none" else backend.empty((), x.dtype, like=x)
        dx = backend.empty_like(x) if self.needs[0] else None
        divisor: Any = 1.0
        if reduction == "mean":
            divisor = float(losses.size) or 1.0 if count is None else _divisor(count)
        kernel = getattr(backend.kernels(x), self.name)
        self.check(kernel(x, targets, weights, divisor, losses, total, dx, *parameters), x, targets)
        self.saved = dx
        return losses if total is None else total

    def check(self, result: Any, x: Any, targets: Any) -> None:
        """Raises ValueError if the kernel's result says that the targets are out of range."""

    def backward(self, dy: Any) -> Any:
        return scaled(self.saved, dy)


def _divisor(count: Any) -> Any:
    """The count, or 1 where it is 0. One on a GPU stays there, where the kernels read it."""
    if backend.on_host(count):
        return float(count) or 1.0
    count = count.astype(backend.float64)
    return count + (count == 0)


def scaled(dx: Any, dy: Any) -> Any:
    """The gradient of a forward pass by the incoming one: a number, or one for each row."""
    if dy.size == 0 or (dy.ndim == 0 and type(dy) is np.ndarray and dy == 1):
        return dx
    y = backend.empty_like(dx)
    backend.kernels(dx).scale_rows(dx, backend.contiguous(dy), y)
    return y


def constant(value: Any, op: str, name: str, x: Tensor) -> Any:
    """The array of labels, targets or weights, through which no gradient flows, on the device of x.

    Raises:
        ValueError: if it requires gradients: they would be lost.
        TypeError: for a tensor on another device.
    """
    like = x.array
    if isinstance(value, Tensor):
        if value.requires_grad:
            raise ValueError(f"{op}: no gradient flows to {name}; detach() it")
        if type(value.array) is not type(like):
            backend.refuse_mixed(op, **{"x": like, name: value.array})
        return value.array
    if isinstance(value, list | tuple | float):
        array = np.asarray(value)
        if array.dtype == np.float64:  # kept so, for predictions in float64
            return backend.moved(array, like)
    return backend.as_array(value, like=like)


def weights_of(sample_weight: Any, shape: tuple[int, ...], x: Tensor, op: str) -> Any:
    """sample_weight as a contiguous array of the losses' shape, of the dtype and on the device of x; or None.

    Raises:
        ValueError: if its shape is neither (N,) nor the losses'.
    """
    if sample_weight is None:
        return None
    weights = constant(sample_weight, op, "sample_weight", x)
    if shape == () and weights.size != 1:
        raise ValueError(
            f"{op}: there is one loss for the whole batch, but sample_weight has shape {weights.shape}; "
            "an axis=(1, 2, ...) gives one loss for each sample"
        )
    while weights.ndim and weights.shape[-1] == 1 and weights.shape != shape[: weights.ndim]:
        weights = weights[..., 0]
    if weights.shape != shape[: weights.ndim]:
        fitting = " or ".join(dict.fromkeys([str(shape[:1]), str(shape)]))
        raise ValueError(f"{op}: sample_weight must have shape {fitting}, got {weights.shape}")
    missing = len(shape) - weights.ndim
    if missing:
        weights = backend.array_module(weights).broadcast_to(weights.reshape(weights.shape + (1,) * missing), shape)
    return backend.contiguous(weights.astype(x.dtype, copy=False))


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
    array, shape = constant(targets, op, names[0], predictions), predictions.array.shape
    if array.shape != shape:
        if (*array.shape, 1) != shape and (*shape, 1) != array.shape:
            raise ValueError(f"{op}: {names[0]} must have the shape of {names[1]}, {shape}, got {array.shape}")
        array = array.reshape(shape)
    return backend.contiguous(array.astype(predictions.dtype, copy=False))


def class_indices(labels: Any, shape: tuple[int, ...], op: str) -> Any | None:
    """Integer labels as a contiguous int64 array of the given shape; None if they are no class indices.

    (N, 1) fits (N,).
    """
    if labels.dtype is backend.int64 and labels.shape == shape:
        return backend.contiguous(labels)
    if labels.dtype.kind not in "iu" or (labels.shape != shape and labels.shape != (*shape, 1)):
        return None
    return backend.contiguous(labels.astype(np.int64, copy=False).reshape(shape))


def place_in(shape: tuple[int, ...], index: int) -> str:
    """ " at 3", " at (1, 2)" or "": where the element with this flat index is."""
    place = tuple(int(i) for i in np.unravel_index(index, shape)) if math.prod(shape) else ()
    return "" if not shape else f" at {place[0] if len(place) == 1 else place}"


def sum_of(array: Any) -> Any:
    """The sum of a floating array, in an order that depends on its shape alone, as an array without axes."""
    total = backend.empty((), array.dtype, like=array)
    backend.kernels(array).reduce_sum(backend.contiguous(array).reshape(1, -1, 1), total)
    return total


def with_axis_last(x: Tensor, targets: Any, axis: int, op: str) -> tuple[Tensor, Any]:
    """x and targets with this axis at the end; targets of another shape (class indices) as they are.

    Raises:
        TypeError: if axis is no integer.
        ValueError: if it is out of range.
    """
    axis = one_axis(op, axis, x.ndim)
    if axis == x.ndim - 1:
        return x, targets
    targets = constant(targets, op, "targets", x)
    if targets.ndim == x.ndim and targets.shape[axis] in (1, x.shape[axis]):
        targets = backend.array_module(targets).moveaxis(targets, axis, -1)
    return transpose(x, (*[i for i in range(x.ndim) if i != axis], axis)), targets


def number(
    value: Any, op: str, name: str, low: float = -math.inf, high: float = math.inf, inside: bool = False
) -> float:
    """A finite number from low to high; `inside`: excluding both.

    Raises:
        TypeError: if it is no number.
        ValueError: if it is out of range.
    """
    value = real_number(value, op, name)
    if not math.isfinite(value) or not (low < value < high if inside else low <= value <= high):
        if high == math.inf:
            expected = "a finite number" if low == -math.inf else f"{'above' if inside else 'at least'} {low:g}"
        else:
            expected = f"{'between' if inside else 'from'} {low:g} {'and' if inside else 'to'} {high:g}"
        raise ValueError(f"{op}: {name} must be {expected}, got {value}")
    return value


def smoothing_of(label_smoothing: Any, towards: float, op: str) -> tuple[float, float]:
    """(scale, shift) that move targets from 0 and 1 towards what knows nothing.

    Raises:
        ValueError: if label_smoothing is not from 0 to 1.
    """
    s = number(label_smoothing, op, "label_smoothing", 0, 1)
    return 1.0 - s, s * towards
