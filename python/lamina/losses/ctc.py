"""The loss of labels without places: connectionist temporal classification."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend, ops
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.losses.loss import Loss, carried
from lamina.ops.loss import constant


class CTC(Loss):
    """-log of the probability of the labels, over all the ways in which steps can spell them; see `ops.ctc_loss`.

    y_true holds labels, (N, L), from 1 on; 0 is the blank, and fills the rows up behind a sample's labels. y_pred
    holds logits, (N, T, C). All steps count, but for those at a sample's end that a mask, (N, T), leaves out: one that
    is given, or that y_pred carries.

    Args:
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.
        zero_infinity: whether samples with more labels than steps can spell have a loss of 0 rather than infinity.

    Example:
        >>> import lamina as lm, numpy as np
        >>> loss = lm.losses.CTC()([[1, 2, 0]], np.zeros((1, 4, 3), "float32"))
        >>> round(loss.item(), 4)  # 15 of 81 ways spell 1 2
        1.6864

    Reference:
        Graves et al. 2006, "Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with Recurrent
        Neural Networks".
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "ctc",
        dtype: Any = None,
        zero_infinity: bool = False,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.zero_infinity = bool(zero_infinity)

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        return ctc(y_true, y_pred, self.zero_infinity)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> Tensor:
        mask = carried(mask, y_pred)
        y_pred = self._predictions(y_pred)
        lengths = None
        if mask is not None and np.ndim(mask) == 2 and np.shape(mask) == y_pred.shape[:2]:
            lengths, mask = _lengths(constant(mask, self.name, "mask", y_pred).astype(bool), self.name), None
        values = ctc(y_true, y_pred, self.zero_infinity, lengths)
        weights, reduction = self._weights(sample_weight, mask, values.shape, values)
        if weights is not None:
            values = values * Tensor(weights)
        if reduction == "none":
            return values
        return ops.sum(values) if reduction == "sum" else ops.mean(values)


def _lengths(mask: Any, owner: str) -> Any:
    """How many steps of each sample a mask leaves: those at the beginning."""
    if backend.on_host(mask) and (mask[:, 1:] & ~mask[:, :-1]).any():
        row = int(np.flatnonzero((mask[:, 1:] & ~mask[:, :-1]).any(axis=1))[0])
        raise ValueError(
            f"{owner}: steps that the mask leaves out must be a sample's last; sample {row} has later ones"
        )
    return mask.sum(axis=1)


def ctc(y_true: Any, y_pred: Any, zero_infinity: bool = False, output_length: Any = None) -> Tensor:
    """The losses of `CTC`, (N,); output_length: how many steps of each sample count, (N,), None for all.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.losses.ctc([[1], [0]], np.zeros((2, 1, 2))).numpy().round(4).tolist()
        [0.6931, 0.6931]
    """
    y_pred = as_tensor(y_pred)
    labels = constant(y_true, "ctc", "y_true", y_pred)
    if labels.ndim != 2:
        raise ValueError(f"ctc: y_true must have shape (N, L), got {labels.shape}")
    if y_pred.ndim != 3:
        raise ValueError(f"ctc: y_pred must have shape (N, T, C), got {y_pred.shape}")
    if labels.dtype.kind == "f":
        if backend.on_host(labels) and not (np.trunc(labels) == labels).all():
            raise ValueError("ctc: y_true must hold whole numbers")
        labels = labels.astype(np.int64)
    steps = np.full(y_pred.shape[0], y_pred.shape[1]) if output_length is None else output_length
    return ops.ctc_loss(labels, y_pred, (labels != 0).sum(axis=1), steps, 0, zero_infinity)
