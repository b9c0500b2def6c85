"""Losses of numbers and of vectors: errors, Huber, log-cosh, Poisson, cosine similarity."""

from __future__ import annotations

from typing import Any

from lamina import ops
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.losses.loss import FusedLoss, values_of, without_axis
from lamina.losses.plain import PlainLoss
from lamina.ops.loss import number


class MeanSquaredError(PlainLoss):
    """Mean over the last axis of (y_true - y_pred)^2; y_true has the shape of y_pred.

    Args:
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]]).item(), 4)
        2.5
    """

    op = staticmethod(ops.mean_squared_error)
    default_name = "mean_squared_error"


class MeanAbsoluteError(PlainLoss):
    """Mean over the last axis of |y_true - y_pred|; y_true has the shape of y_pred.

    Args:
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 3.0]]).item(), 4)
        1.5
    """

    op = staticmethod(ops.mean_absolute_error)
    default_name = "mean_absolute_error"


class MeanAbsolutePercentageError(PlainLoss):
    """Mean over the last axis of 100 |y_true - y_pred| / max(|y_true|, 1e-7).

    Args:
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 5.0]]).item(), 4)
        37.5
    """

    op = staticmethod(ops.mean_absolute_percentage_error)
    default_name = "mean_absolute_percentage_error"


class MeanSquaredLogarithmicError(PlainLoss):
    """Mean over the last axis of (log(1 + y_true) - log(1 + y_pred))^2, both kept at 1e-7 or more.

    Args:
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.MeanSquaredLogarithmicError()([[0.0, 3.0]], [[1.0, 3.0]]).item(), 4)
        0.2402
    """

    op = staticmethod(ops.mean_squared_logarithmic_error)
    default_name = "mean_squared_logarithmic_error"


class LogCosh(PlainLoss):
    """Mean over the last axis of log(cosh(y_pred - y_true)).

    Args:
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.LogCosh()([[0.0, 1.0]], [[1.0, 1.0]]).item(), 4)
        0.2169
    """

    op = staticmethod(ops.log_cosh_loss)
    default_name = "log_cosh"


class Poisson(PlainLoss):
    """Mean over the last axis of y_pred - y_true log(y_pred + 1e-7).

    Args:
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.Poisson()([[1.0, 2.0]], [[1.0, 2.0]]).item(), 4)
        0.8069
    """

    op = staticmethod(ops.poisson_loss)
    default_name = "poisson"


class Huber(FusedLoss):
    """Mean over the last axis of d^2 / 2 for |d| <= delta, else delta |d| - delta^2 / 2, d = y_pred - y_true.

    Args:
        delta: where the square ends.
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> lm.losses.Huber()([[0.0, 0.0]], [[0.5, 2.0]]).item()
        0.8125
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.delta = number(delta, self.name, "delta", 0, inside=True)

    def compute(self, y_true: Any, y_pred: Tensor, weights: Any, reduction: str) -> Tensor:
        return ops.huber_loss(y_true, y_pred, weights, reduction, self.delta)


class CosineSimilarity(FusedLoss):
    """-sum of y_true y_pred / (|y_true| |y_pred|) over an axis: -1 where they point the same way, 1 where opposite.

    Args:
        axis: the axis of the vectors.
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.CosineSimilarity()([[3.0, 4.0]], [[4.0, 3.0]]).item(), 4)
        -0.96
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not is_integer(axis):
            raise TypeError(f"{self.name}: axis must be an integer, got {axis!r}")
        self.axis = int(axis)

    def compute(self, y_true: Any, y_pred: Tensor, weights: Any, reduction: str) -> Tensor:
        return ops.cosine_similarity_loss(y_true, y_pred, weights, reduction, self.axis)

    def _shape(self, y_pred: Tensor) -> tuple[int, ...]:
        return without_axis(y_pred.shape, self.axis) if y_pred.ndim else ()


def mean_squared_error(y_true: Any, y_pred: Any) -> Tensor:
    """Mean over the last axis of (y_true - y_pred)^2.

    Args:
        y_true: targets of the shape of y_pred; (N,) and (N, 1) fit each other.
        y_pred: tensor of shape (N, ..., n) or (n,).

    Returns:
        Tensor of y_pred's shape without its last axis.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.mean_squared_error([[0.0, 1.0]], [[1.0, 3.0]]).item(), 4)
        2.5
    """
    return values_of(ops.mean_squared_error, y_true, y_pred)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Tensor:
    """Mean over the last axis of |y_true - y_pred|.

    Args:
        y_true: targets of the shape of y_pred; (N,) and (N, 1) fit each other.
        y_pred: tensor of shape (N, ..., n) or (n,).

    Returns:
        Tensor of y_pred's shape without its last axis.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.mean_absolute_error([[0.0, 1.0]], [[1.0, 3.0]]).item(), 4)
        1.5
    """
    return values_of(ops.mean_absolute_error, y_true, y_pred)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Tensor:
    """Mean over the last axis of 100 |y_true - y_pred| / max(|y_true|, 1e-7).

    Args:
        y_true: targets of the shape of y_pred; (N,) and (N, 1) fit each other.
        y_pred: tensor of shape (N, ..., n) or (n,).

    Returns:
        Tensor of y_pred's shape without its last axis.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 5.0]]).item(), 4)
        37.5
    """
    return values_of(ops.mean_absolute_percentage_error, y_true, y_pred)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Tensor:
    """Mean over the last axis of (log(1 + y_true) - log(1 + y_pred))^2, both kept at 1e-7 or more.

    Args:
        y_true: targets of the shape of y_pred; (N,) and (N, 1) fit each other.
        y_pred: tensor of shape (N, ..., n) or (n,).

    Returns:
        Tensor of y_pred's shape without its last axis.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.mean_squared_logarithmic_error([[0.0, 3.0]], [[1.0, 3.0]]).item(), 4)
        0.2402
    """
    return values_of(ops.mean_squared_logarithmic_error, y_true, y_pred)


def log_cosh(y_true: Any, y_pred: Any) -> Tensor:
    """Mean over the last axis of log(cosh(y_pred - y_true)).

    Args:
        y_true: targets of the shape of y_pred; (N,) and (N, 1) fit each other.
        y_pred: tensor of shape (N, ..., n) or (n,).

    Returns:
        Tensor of y_pred's shape without its last axis.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.log_cosh([[0.0, 1.0]], [[1.0, 1.0]]).item(), 4)
        0.2169
    """
    return values_of(ops.log_cosh_loss, y_true, y_pred)


def poisson(y_true: Any, y_pred: Any) -> Tensor:
    """Mean over the last axis of y_pred - y_true log(y_pred + 1e-7).

    Args:
        y_true: targets of the shape of y_pred; (N,) and (N, 1) fit each other.
        y_pred: tensor of shape (N, ..., n) or (n,).

    Returns:
        Tensor of y_pred's shape without its last axis.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.poisson([[1.0, 2.0]], [[1.0, 2.0]]).item(), 4)
        0.8069
    """
    return values_of(ops.poisson_loss, y_true, y_pred)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Tensor:
    """Mean over the last axis of Huber's loss; see `Huber`.

    Args:
        y_true: targets of the shape of y_pred; (N,) and (N, 1) fit each other.
        y_pred: tensor of shape (N, ..., n) or (n,).
        delta: where the square ends.

    Returns:
        Tensor of y_pred's shape without its last axis.

    Example:
        >>> import lamina as lm
        >>> lm.losses.huber([[0.0, 0.0]], [[0.5, 2.0]]).numpy().tolist()
        [0.8125]
    """
    return values_of(ops.huber_loss, y_true, y_pred, delta=delta)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """-sum of y_true y_pred / (|y_true| |y_pred|) over an axis; see `CosineSimilarity`.

    Args:
        y_true: vectors in the shape of y_pred.
        y_pred: tensor of shape (N, ..., n) or (n,).
        axis: the axis of the vectors.

    Returns:
        Tensor of y_pred's shape without the axis.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.cosine_similarity([[3.0, 4.0]], [[4.0, 3.0]]).item(), 4)
        -0.96
    """
    return ops.cosine_similarity_loss(y_true, y_pred, None, "none", axis)
