"""Triplet losses: an anchor shall be nearer to what is alike than to what is not, by a margin."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor, same_dtype
from lamina.ops.indexing import getitem
from lamina.ops.loss import check_reduction, constant, number, scaled, weights_of
from lamina.ops.matmul import matmul
from lamina.ops.reductions import sum as sum_over


class TripletLossFunction(Function):
    def forward(
        self, x: Any, positive: Any, negative: Any, weights: Any, reduction: str, margin: float, swap: bool
    ) -> Any:
        x, positive, negative = (backend.contiguous(a) for a in (x, positive, negative))
        losses = backend.empty(x.shape[:-1], x.dtype, like=x)
        total = None if reduction == "none" else backend.empty((), x.dtype, like=x)
        gradients = tuple(backend.empty_like(x) for _ in range(3)) if any(self.needs) else (None, None, None)
        divisor = float(max(1, losses.size)) if reduction == "mean" else 1.0
        backend.kernels(x).triplet_loss(
            x, positive, negative, weights, divisor, losses, total, *gradients, margin, swap
        )
        self.saved = gradients
        return losses if total is None else total

    def backward(self, dy: Any) -> Any:
        return tuple(scaled(g, dy) if needed else None for g, needed in zip(self.saved, self.needs, strict=True))


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    sample_weight: Any = None,
    reduction: str = "mean",
    margin: float = 1.0,
    swap: bool = False,
) -> Tensor:
    """max(d(anchor, positive) - d(anchor, negative) + margin, 0), as PyTorch's `triplet_margin_loss` with p = 2.

    d(u, v) is the Euclidean norm of u - v + 1e-6.

    Args:
        anchor, positive, negative: tensors of one shape (N, ..., n), float32 or float64; gradients flow to all.
        sample_weight: None, or weights of shape (N,).
        reduction: "mean", "sum" or "none"; see `mean_squared_error`.
        margin: how much nearer, above 0.
        swap: whether the negative's distance to the positive counts where that is the smaller one.

    Returns:
        Tensor of shape (), or (N, ...) for "none".

    Raises:
        ValueError: if the shapes differ, the margin is not above 0, or for an unknown reduction.
        TypeError: if the tensors are not all float32 or all float64.

    Example:
        >>> import lamina as lm
        >>> x, near, far = lm.tensor([[0.0, 0.0]]), lm.tensor([[0.0, 1.0]]), lm.tensor([[1.5, 0.0]])
        >>> round(lm.ops.triplet_margin_loss(x, near, far).item(), 4)
        0.5

    Reference:
        Balntas et al. 2016, "Learning local feature descriptors with triplets and shallow convolutional neural
        networks".
    """
    op = "triplet_margin_loss"
    x, p, q = (float_tensor(a, op, n) for a, n in ((anchor, "anchor"), (positive, "positive"), (negative, "negative")))
    same_dtype(op, anchor=x, positive=p, negative=q)
    check_reduction(reduction, op)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"{op}: anchor must have shape (N, ..., n), got {x.shape}")
    for name, other in (("positive", p), ("negative", q)):
        if other.shape != x.shape:
            raise ValueError(f"{op}: {name} must have the shape of anchor, {x.shape}, got {other.shape}")
    margin = number(margin, op, "margin", 0, inside=True)
    weights = weights_of(sample_weight, x.shape[:-1], x, op)
    return TripletLossFunction.apply((x, p, q), weights, reduction, margin, bool(swap))


def triplet_mining_loss(labels: Any, embeddings: Any, margin: float = 1.0, mining: str = "batch_hard") -> Tensor:
    """The mean triplet loss over triplets found in a batch: alike are samples of one label.

    "batch_hard": for each sample that has both, the farthest alike and the nearest other. "semi_hard": for each two
    that are alike, the nearest other that is farther than they are apart; if there is none, the farthest other. Which
    triplets are taken has no gradient.

    Args:
        labels: (N,), integers.
        embeddings: tensor of shape (N, n), float32 or float64.
        margin: how much nearer, above 0.
        mining: "batch_hard" or "semi_hard".

    Returns:
        Tensor of shape (); 0 where the batch has no triplet.

    Raises:
        ValueError: if the shapes do not fit, or for an unknown mining.
        TypeError: if the labels are no integers or the embeddings not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[0.0], [1.0], [1.5], [4.0]])
        >>> round(lm.ops.triplet_mining_loss([0, 0, 1, 1], x).item(), 4)
        1.375

    Reference:
        Hermans et al. 2017, "In Defense of the Triplet Loss", arXiv:1703.07737; Schroff et al. 2015, "FaceNet",
        arXiv:1503.03832 (semi-hard).
    """
    op = "triplet_mining_loss"
    x = float_tensor(embeddings, op, "embeddings")
    classes = constant(labels, op, "labels", x)
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError(f"{op}: embeddings must have shape (N, n), got {x.shape}")
    if classes.shape == (x.shape[0], 1):
        classes = classes[:, 0]
    if classes.shape != x.shape[:1]:
        raise ValueError(f"{op}: labels must have shape {x.shape[:1]}, got {classes.shape}")
    if classes.dtype.kind not in "iub":
        raise TypeError(f"{op}: labels must be integers, got {classes.dtype}")
    if mining not in ("batch_hard", "semi_hard"):
        raise ValueError(f'{op}: mining must be "batch_hard" or "semi_hard", got {mining!r}')
    distances = _squared_distances(x)
    alike = classes[:, None] == classes[None, :]
    other = ~alike
    backend.array_module(alike).fill_diagonal(alike, False)
    found = (_batch_hard if mining == "batch_hard" else _semi_hard)(distances, alike, other)
    if found[0].size == 0:
        return sum_over(x) * 0.0
    anchors, positives, negatives = (getitem(x, indices) for indices in found)
    return triplet_margin_loss(anchors, positives, negatives, margin=margin)


@no_grad()
def _squared_distances(x: Tensor) -> Any:
    """|u|^2 + |v|^2 - 2 u v for all pairs of rows, (N, N)."""
    products = matmul(x, x, transpose_b=True).array
    xp = backend.array_module(products)
    squares = xp.diagonal(products)
    return xp.maximum(squares[:, None] + squares[None, :] - (products + products), 0)


def _batch_hard(distances: Any, alike: Any, other: Any) -> tuple[Any, Any, Any]:
    xp = backend.array_module(distances)
    anchors = xp.flatnonzero(alike.any(axis=1) & other.any(axis=1))
    farthest = xp.where(alike, distances, -1)[anchors].argmax(axis=1) if anchors.size else anchors
    nearest = xp.where(other, distances, np.inf)[anchors].argmin(axis=1) if anchors.size else anchors
    return anchors, farthest, nearest


def _semi_hard(distances: Any, alike: Any, other: Any) -> tuple[Any, Any, Any]:
    xp = backend.array_module(distances)
    anchors, positives = xp.nonzero(alike & other.any(axis=1)[:, None])
    if anchors.size == 0:
        return anchors, positives, anchors
    apart = distances[anchors, positives][:, None]
    candidates = xp.where(other, distances, np.inf)[anchors]
    beyond = xp.where(candidates > apart, candidates, np.inf)
    farthest = xp.where(other, distances, -1)[anchors].argmax(axis=1)
    return anchors, positives, xp.where(xp.isinf(beyond).all(axis=1), farthest, beyond.argmin(axis=1))
