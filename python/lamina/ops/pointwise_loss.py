"""What the losses share that compare element by element: a sample's is the mean (or the sum) over its last axis."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from lamina import backend
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor
from lamina.ops.loss import LossFunction, check_reduction, like_predictions, place_in, weights_of


class PointwiseLossFunction(LossFunction):
    """x of shape (N,) is taken as (N, 1)."""

    __slots__ = ("flat",)
    flat: bool

    def forward(
        self, x: Any, targets: Any, weights: Any, reduction: str, count: float | None = None, *parameters: float
    ) -> Any:
        self.flat = x.ndim == 1
        if self.flat:
            x, targets = x[:, None], targets[:, None]
        return super().forward(x, targets, weights, reduction, count, *parameters)

    def backward(self, dy: Any) -> Any:
        dx = super().backward(dy)
        return dx[:, 0] if self.flat else dx


class WithinUnitFunction(PointwiseLossFunction):
    """One whose targets must be in [0, 1]."""

    argument: ClassVar[str]

    def check(self, result: Any, x: Any, targets: Any) -> None:
        if result is None or result:
            return
        targets = backend.to_host(targets)
        index = int(np.flatnonzero(~((targets >= 0) & (targets <= 1)))[0])
        place = place_in(targets.shape[:1] if self.flat else targets.shape, index)
        raise ValueError(f"{self.name}: {self.argument} must be in [0, 1], got {targets.reshape(-1)[index]}{place}")


def pointwise(
    function: type[PointwiseLossFunction],
    x: Any,
    targets: Any,
    sample_weight: Any,
    reduction: str,
    names: tuple[str, str],
    *parameters: float,
) -> Tensor:
    """The loss of predictions x; names: what the op calls targets and x; parameters: what its kernel takes."""
    x, targets, weights = checked(function.name, x, targets, sample_weight, reduction, names)
    return function.apply((x,), targets, weights, reduction, None, *parameters)


def checked(
    op: str, x: Any, targets: Any, sample_weight: Any, reduction: str, names: tuple[str, str]
) -> tuple[Tensor, Any, Any]:
    """(x, targets, weights) as the kernels take them."""
    x = float_tensor(x, op, names[1])
    check_reduction(reduction, op)
    if x.ndim == 0 or x.shape[-1] == 0 < x.ndim - 1:
        raise ValueError(f"{op}: {names[1]} must have shape (N,) or (N, ..., n), got {x.shape}")
    targets = like_predictions(targets, x, op, names)
    weights = weights_of(sample_weight, x.shape if x.ndim == 1 else x.shape[:-1], x, op)
    return x, targets, weights
