"""Losses of regions, for segmentation: Dice and Tversky."""

from __future__ import annotations

from typing import Any

from lamina import ops
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.losses.loss import FusedLoss
from lamina.ops.loss import number
from lamina.ops.reductions import reduced_axes


class OverlapLoss(FusedLoss):
    """What both share: the axes that a loss sums over."""

    axis: Any

    def _take_axis(self, axis: Any) -> None:
        several = isinstance(axis, tuple | list)
        if axis is not None and any(not is_integer(a) for a in (axis if several else (axis,))):
            raise TypeError(f"{self.name}: axis must be None, an integer or several, got {axis!r}")
        self.axis = tuple(int(a) for a in axis) if several else axis

    def _shape(self, y_pred: Tensor) -> tuple[int, ...]:
        axes = reduced_axes(self.name, self.axis, y_pred.ndim)
        return tuple(n for i, n in enumerate(y_pred.shape) if i not in axes)


class Dice(OverlapLoss):
    """1 - 2 sum(y_true y_pred) / (sum y_true + sum y_pred + 1e-7): 0 where both are the same region.

    Args:
        reduction: see the module's head.
        name: what the history calls it.
        axis: what a loss sums over: (1, 2, 3) gives one for each image; None, one for the whole batch.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.Dice()([[1.0, 0.0, 1.0]], [[0.5, 0.0, 1.0]]).item(), 4)
        0.1429
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self._take_axis(axis)

    def compute(self, y_true: Any, y_pred: Tensor, weights: Any, reduction: str) -> Tensor:
        return ops.dice_loss(y_true, y_pred, weights, reduction, self.axis)


class Tversky(OverlapLoss):
    """1 - I / (I + alpha sum y_true (1 - y_pred) + beta sum (1 - y_true) y_pred + 1e-7), I = sum(y_true y_pred).

    Args:
        alpha: weight of what was missed.
        beta: weight of what was found wrongly.
        reduction: see the module's head.
        name: what the history calls it.
        axis: what a loss sums over: (1, 2, 3) gives one for each image; None, one for the whole batch.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.Tversky(alpha=0.25, beta=0.75)([1.0, 0.0], [0.5, 0.5]).item(), 4)
        0.5

    Reference:
        Salehi et al. 2017, arXiv:1706.05721.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.alpha, self.beta = number(alpha, self.name, "alpha", 0), number(beta, self.name, "beta", 0)
        self._take_axis(axis)

    def compute(self, y_true: Any, y_pred: Tensor, weights: Any, reduction: str) -> Tensor:
        return ops.tversky_loss(y_true, y_pred, weights, reduction, self.alpha, self.beta, self.axis)


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Tensor:
    """The values of `Dice`.

    Args:
        y_true: the truth, 0 to 1, in the shape of y_pred.
        y_pred: tensor of any shape.
        axis: what a value sums over; None: everything.

    Returns:
        Tensor of y_pred's shape without the axes.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.dice([[1.0, 0.0, 1.0]], [[0.5, 0.0, 1.0]]).item(), 4)
        0.1429
    """
    return ops.dice_loss(y_true, y_pred, None, "none", axis)


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Tensor:
    """The values of `Tversky`.

    Args:
        y_true: the truth, 0 to 1, in the shape of y_pred.
        y_pred: tensor of any shape.
        alpha, beta: as there.
        axis: what a value sums over; None: everything.

    Returns:
        Tensor of y_pred's shape without the axes.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.tversky([1.0, 0.0], [0.5, 0.5], alpha=0.25, beta=0.75).item(), 4)
        0.5
    """
    return ops.tversky_loss(y_true, y_pred, None, "none", alpha, beta, axis)
