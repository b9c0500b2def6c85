"""Losses made of other ops: the circle loss of embeddings, and generalised cross entropy."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import abs as magnitude
from lamina.ops.arithmetic import maximum
from lamina.ops.checks import float_tensor
from lamina.ops.elementary import exp, log, log1p
from lamina.ops.indexing import getitem
from lamina.ops.loss import class_indices, constant, number, place_in
from lamina.ops.matmul import matmul
from lamina.ops.power import power
from lamina.ops.reductions import sum as sum_over
from lamina.ops.selection import where


def circle_loss(
    labels: Any,
    embeddings: Any,
    reference_labels: Any = None,
    reference_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80.0,
    margin: float = 0.4,
) -> Tensor:
    """The circle loss of each embedding: Keras's `circle`.

    With d = max(1 - cosine, 0) to every reference, a pair of one label weighs max(margin + d, 0), a pair of two labels
    max(1 + margin - d, 0), and the loss is softplus(logsumexp(-gamma w (margin - d)) + logsumexp(gamma w (1 - margin -
    d))), the first over the pairs alike, the second over the others. Where there are none of either, it is 0.

    Args:
        labels: (N,) or (N, 1), integers.
        embeddings: tensor of shape (N, n), float32 or float64, rows of length 1.
        reference_labels: None for the labels, or (M,).
        reference_embeddings: None for the embeddings, or (M, n).
        remove_diagonal: whether pairs (i, i) do not count.
        gamma: scale, above 0.
        margin: from 0 to 1.

    Returns:
        Tensor of shape (N,).

    Raises:
        ValueError: if the shapes do not fit.
        TypeError: if the embeddings are not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> lm.ops.circle_loss([0, 0, 1], x).numpy().round(4).tolist()
        [0.0, 0.0, 0.0]

    Reference:
        Sun et al. 2020, "Circle Loss", arXiv:2002.10857.
    """
    op = "circle_loss"
    x = float_tensor(embeddings, op, "embeddings")
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"{op}: embeddings must have shape (N, n), got {x.shape}")
    references = x if reference_embeddings is None else float_tensor(reference_embeddings, op, "reference_embeddings")
    if references.ndim != 2 or references.shape[1] != x.shape[1]:
        raise ValueError(f"{op}: reference_embeddings must have shape (M, {x.shape[1]}), got {references.shape}")
    gamma, margin = number(gamma, op, "gamma", 0, inside=True), number(margin, op, "margin", 0, 1)
    classes = _labels(labels, x, op, "labels")
    others = classes if reference_labels is None else _labels(reference_labels, references, op, "reference")
    alike = classes[:, None] == others[None, :]
    different = ~alike
    if remove_diagonal:
        backend.array_module(alike).fill_diagonal(alike, False)
    distances = maximum(1.0 - matmul(x, references, transpose_b=True), 0.0)
    near = maximum(distances + margin, 0.0) * (margin - distances) * -gamma
    far = maximum(1 + margin - distances, 0.0) * (1 - margin - distances) * gamma
    total = _logsumexp(near, alike) + _logsumexp(far, different)
    losses = maximum(total, 0.0) + log1p(exp(-magnitude(total)))
    return where(alike.any(axis=1) & different.any(axis=1), losses, 0.0)


def _labels(labels: Any, x: Tensor, op: str, name: str) -> Any:
    array, count = constant(labels, op, name, x), x.shape[0]
    if array.shape not in ((count,), (count, 1)):
        raise ValueError(f"{op}: {name} must have shape {(count,)}, got {array.shape}")
    return array.reshape(count)


def _logsumexp(x: Tensor, mask: Any) -> Tensor:
    """log of the sum of e^x over each row where the mask is; rows without give the largest of nothing, 0."""
    xp = backend.array_module(mask)
    most = xp.where(mask, x.array, -np.inf).max(axis=1, keepdims=True)
    most = xp.where(xp.isinf(most), 0, most).astype(x.dtype)
    powers = where(mask, exp(where(mask, x - Tensor(most), 0.0)), 0.0)
    empty = ~mask.any(axis=1)
    return log(sum_over(powers, axis=1) + Tensor(empty.astype(x.dtype))) + Tensor(most[:, 0])


def generalized_cross_entropy(labels: Any, probabilities: Any, q: float = 0.5) -> Tensor:
    """(1 - p^q) / q of the probability p of each label: between cross entropy (q to 0) and absolute error (q = 1).

    It forgives wrong labels. Keras's `categorical_generalized_cross_entropy`.

    Args:
        labels: class indices of shape (...) or (..., 1).
        probabilities: tensor of shape (..., C), float32 or float64.
        q: above 0 and below 1.

    Returns:
        Tensor of shape (...).

    Raises:
        ValueError: if a label is out of range, the shapes do not fit, or q is not between 0 and 1.
        TypeError: if the probabilities are not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> lm.ops.generalized_cross_entropy([1], lm.tensor([[0.75, 0.25]])).numpy().tolist()
        [1.0]

    Reference:
        Zhang & Sabuncu 2018, "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels",
        arXiv:1805.07836.
    """
    op = "generalized_cross_entropy"
    p = float_tensor(probabilities, op, "probabilities")
    q = number(q, op, "q", 0, 1, inside=True)
    array = constant(labels, op, "labels", p)
    indices = class_indices(array, p.shape[:-1], op) if p.ndim else None
    if indices is None:
        raise ValueError(f"{op}: labels must be integers of shape {p.shape[:-1]}, got {array.dtype} {array.shape}")
    bad = np.flatnonzero((indices < 0) | (indices >= p.shape[-1])) if backend.on_host(indices) else None
    if bad is not None and bad.size:
        value, place = indices.reshape(-1)[bad[0]], place_in(indices.shape, int(bad[0]))
        raise ValueError(f"{op}: labels must be in [0, {p.shape[-1]}), got {value}{place}")
    places = backend.array_module(indices).indices(indices.shape)
    return (1.0 - power(getitem(p, (*places, indices)), q)) / q
