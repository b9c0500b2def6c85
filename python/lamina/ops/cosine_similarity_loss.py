"""The cosine of the angle between predictions and targets, negative, fused with its gradient."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor
from lamina.ops.loss import LossFunction, with_axis_last
from lamina.ops.row_loss import row_loss


class CosineSimilarityLossFunction(LossFunction):
    name = "cosine_similarity_loss"


def cosine_similarity_loss(
    y_true: Any, y_pred: Any, sample_weight: Any = None, reduction: str = "mean", axis: int = -1
) -> Tensor:
    """-sum of y_true y_pred / (|y_true| |y_pred|) over an axis, then the mean over samples: from -1, alike, to 1.

    Norms below 1e-7 are taken for 1e-7, so that vectors of zeros give 0, and a gradient.

    Args:
        y_true: vectors in the shape of y_pred.
        y_pred: tensor of shape (N, ..., n), float32 or float64.
        sample_weight: None, or weights of shape (N,).
        reduction: "mean", "sum" or "none"; see `mean_squared_error`.
        axis: the axis of the vectors.

    Returns:
        Tensor of shape (), or of y_pred's without the axis for "none".

    Raises:
        ValueError: if the shapes do not fit, y_true requires gradients, or for an unknown reduction or axis.
        TypeError: if y_pred is not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> round(lm.ops.cosine_similarity_loss([[3.0, 4.0]], lm.tensor([[4.0, 3.0]])).item(), 6)
        -0.96
    """
    op = "cosine_similarity_loss"
    x, targets = with_axis_last(float_tensor(y_pred, op, "y_pred"), y_true, axis, op)
    return row_loss(CosineSimilarityLossFunction, targets, x, sample_weight, reduction)
