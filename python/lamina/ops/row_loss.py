"""What losses of whole rows share."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor
from lamina.ops.loss import LossFunction, check_reduction, constant, like_predictions, weights_of


def row_loss(
    function: type[LossFunction],
    targets: Any,
    x: Any,
    sample_weight: Any,
    reduction: str,
    names: tuple[str, str] = ("y_true", "y_pred"),
    parameters: tuple[float, ...] = (),
    op: str | None = None,
) -> Tensor:
    """The loss of each row of x; names: what the op calls targets and x; parameters: what its kernel takes.

    Raises:
        ValueError: unless targets have the shape of x, which has at least one axis, the last one not empty.
    """
    op = op or function.name
    x = float_tensor(x, op, names[1])
    check_reduction(reduction, op)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"{op}: {names[1]} must have shape (N, ..., n), got {x.shape}")
    array = constant(targets, op, names[0], x)
    if array.shape != x.shape:
        raise ValueError(f"{op}: {names[0]} must have the shape of {names[1]}, {x.shape}, got {array.shape}")
    targets = like_predictions(array, x, op, names)
    weights = weights_of(sample_weight, x.shape[:-1], x, op)
    return function.apply((x,), targets, weights, reduction, None, *parameters)
