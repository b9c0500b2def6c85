"""Hinge losses: a margin around the border between classes."""

from __future__ import annotations

from typing import Any

from lamina import ops
from lamina.autograd.tensor import Tensor
from lamina.losses.loss import values_of
from lamina.losses.plain import PlainLoss


class Hinge(PlainLoss):
    """Mean over the last axis of max(1 - y_true y_pred, 0); y_true is -1 or 1, or 0 or 1, and 0 stands for -1.

    Args:
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> lm.losses.Hinge()([[1.0, -1.0]], [[0.5, 2.0]]).item()
        1.75
    """

    op = staticmethod(ops.hinge_loss)
    default_name = "hinge"


class SquaredHinge(PlainLoss):
    """Mean over the last axis of max(1 - y_true y_pred, 0)^2; y_true as in `Hinge`.

    Args:
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> lm.losses.SquaredHinge()([[1.0, -1.0]], [[0.5, 2.0]]).item()
        4.625
    """

    op = staticmethod(ops.squared_hinge_loss)
    default_name = "squared_hinge"


class CategoricalHinge(PlainLoss):
    """max(1 + max of (1 - y_true) y_pred - sum of y_true y_pred, 0) over the last axis; y_true is one-hot.

    Args:
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> lm.losses.CategoricalHinge()([[0.0, 1.0, 0.0]], [[0.5, 0.75, 0.25]]).item()
        0.75
    """

    op = staticmethod(ops.categorical_hinge_loss)
    default_name = "categorical_hinge"


def hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Mean over the last axis of max(1 - y_true y_pred, 0); y_true is -1 or 1, or 0 or 1, and 0 stands for -1.

    Args:
        y_true: targets of the shape of y_pred; (N,) and (N, 1) fit each other.
        y_pred: tensor of shape (N, ..., n) or (n,).

    Returns:
        Tensor of y_pred's shape without its last axis.

    Example:
        >>> import lamina as lm
        >>> lm.losses.hinge([[1.0, -1.0]], [[0.5, 2.0]]).numpy().tolist()
        [1.75]
    """
    return values_of(ops.hinge_loss, y_true, y_pred)


def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Mean over the last axis of max(1 - y_true y_pred, 0)^2; y_true as in `Hinge`.

    Args:
        y_true: targets of the shape of y_pred; (N,) and (N, 1) fit each other.
        y_pred: tensor of shape (N, ..., n) or (n,).

    Returns:
        Tensor of y_pred's shape without its last axis.

    Example:
        >>> import lamina as lm
        >>> lm.losses.squared_hinge([[1.0, -1.0]], [[0.5, 2.0]]).numpy().tolist()
        [4.625]
    """
    return values_of(ops.squared_hinge_loss, y_true, y_pred)


def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """max(1 + max of (1 - y_true) y_pred - sum of y_true y_pred, 0) over the last axis; y_true is one-hot.

    Args:
        y_true: targets of the shape of y_pred; (N,) and (N, 1) fit each other.
        y_pred: tensor of shape (N, ..., n) or (n,).

    Returns:
        Tensor of y_pred's shape without its last axis.

    Example:
        >>> import lamina as lm
        >>> lm.losses.categorical_hinge([[0.0, 1.0, 0.0]], [[0.5, 0.75, 0.25]]).numpy().tolist()
        [0.75]
    """
    return values_of(ops.categorical_hinge_loss, y_true, y_pred)
