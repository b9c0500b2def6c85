"""What losses share that are one op of targets and predictions, without arguments of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from lamina.autograd.tensor import Tensor
from lamina.losses.loss import FusedLoss


class PlainLoss(FusedLoss):
    """A loss of this kind. A subclass gives its `op` and its `default_name`."""

    op: ClassVar[Callable[..., Tensor]]
    default_name: ClassVar[str]

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(name or self.default_name, reduction, dtype)

    def compute(self, y_true: Any, y_pred: Tensor, weights: Any, reduction: str) -> Tensor:
        return type(self).op(y_true, y_pred, weights, reduction)
