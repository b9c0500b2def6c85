"""Losses of embeddings: what is alike shall lie together."""

from __future__ import annotations

from typing import Any

from lamina import ops
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.losses.loss import Loss, carried, class_numbers, mask_of
from lamina.ops.loss import number


class Circle(Loss):
    """The circle loss of embeddings y_pred, (N, n), of length 1, with labels y_true, (N,); see `ops.circle_loss`.

    Samples whose loss is 0 do not count, as in Keras.

    Args:
        gamma: scale.
        margin: from 0 to 1.
        remove_diagonal: whether a sample is no pair with itself.
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
        >>> round(lm.losses.Circle(gamma=2.0)([0, 0, 1], x).item(), 4)
        0.915

    Reference:
        Sun et al. 2020, "Circle Loss", arXiv:2002.10857.
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.gamma = number(gamma, self.name, "gamma", 0, inside=True)
        self.margin = number(margin, self.name, "margin", 0, 1)
        self.remove_diagonal = bool(remove_diagonal)

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        return circle(y_true, y_pred, None, None, self.remove_diagonal, self.gamma, self.margin)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> Tensor:
        mask = carried(mask, y_pred)
        y_pred = self._predictions(y_pred)
        values = self.call(y_true, y_pred)
        counts = values.array > 0
        if mask is not None:
            counts &= mask_of(mask, values.shape, self.name, values)
        weights, reduction = self._weights(sample_weight, counts, values.shape, values)
        values = values * Tensor(weights)
        if reduction == "none":
            return values
        return ops.sum(values) if reduction == "sum" else ops.mean(values)


class Triplet(Loss):
    """The triplet loss of embeddings y_pred, (N, n), with labels y_true, (N,); triplets are found in the batch.

    A sample's distance to one of its label shall be smaller than to one of another, by the margin. It is one number
    for the batch; see `ops.triplet_mining_loss`.

    Args:
        margin: how much nearer, above 0.
        mining: "batch_hard" (the farthest alike, the nearest other) or "semi_hard" (the nearest other beyond).
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[0.0], [1.0], [1.5], [4.0]])
        >>> round(lm.losses.Triplet()([0, 0, 1, 1], x).item(), 4)
        1.375

    Reference:
        Hermans et al. 2017, arXiv:1703.07737; Schroff et al. 2015, arXiv:1503.03832.
    """

    def __init__(
        self,
        margin: float = 1.0,
        mining: str = "batch_hard",
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "triplet",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.margin = number(margin, self.name, "margin", 0, inside=True)
        if mining not in ("batch_hard", "semi_hard"):
            raise ValueError(f'{self.name}: mining must be "batch_hard" or "semi_hard", got {mining!r}')
        self.mining = mining

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        y_pred = as_tensor(y_pred)
        labels = class_numbers(y_true, y_pred.shape[:1], self.name)
        return ops.triplet_mining_loss(labels, y_pred, self.margin, self.mining)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> Tensor:
        if sample_weight is not None or mask is not None:
            raise ValueError(f"{self.name}: a triplet has three samples; sample_weight and mask are not for it")
        return self.call(y_true, self._predictions(y_pred))


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Tensor:
    """The values of `Circle`, one a sample.

    Args:
        y_true: labels, (N,) or (N, 1).
        y_pred: tensor of shape (N, n), rows of length 1.
        ref_labels, ref_embeddings: what to compare with, (M,) and (M, n); None: the same.
        remove_diagonal, gamma, margin: as there.

    Returns:
        Tensor of shape (N,).

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
        >>> round(lm.losses.circle([0, 0, 1], x, gamma=2.0).numpy()[0].item(), 4)
        0.5459
    """
    y_pred = as_tensor(y_pred)
    labels = class_numbers(y_true, y_pred.shape[:1], "circle")
    return ops.circle_loss(labels, y_pred, ref_labels, ref_embeddings, remove_diagonal, gamma, margin)
