"""Attention by way of a matrix of scores: for those who want to see them, or their bias's gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.narrow import accepting
from lamina.autograd.tensor import Tensor
from lamina.ops.dropout import DropoutFunction
from lamina.ops.matmul import matmul
from lamina.ops.repeating import repeat
from lamina.ops.selection import where
from lamina.ops.shapes import transpose
from lamina.ops.softmax import softmax

TILE = 128  # random numbers of a row of scores begin at a multiple of this: csrc/ops/attention.h


def attention_with_scores(
    q: Tensor, k: Tensor, v: Tensor, visible: Any, bias: Tensor | None, scale: float, random: tuple[int, int, int]
) -> tuple[Tensor, Tensor]:
    """(y, scores) for q, k, v of (B, L, heads, D): scores are probabilities, before dropout, of (B, heads, Lq, Lk).

    visible: booleans that broadcast to the scores, or None; random: how many of 65536 are dropped, seed, stream.
    """
    q, k, v = _heads_first(q), _heads_first(k), _heads_first(v)
    if k.shape[1] != q.shape[1]:
        k, v = (repeat(x, q.shape[1] // k.shape[1], axis=1) for x in (k, v))
    scores = matmul(q * scale, k, transpose_b=True)
    if bias is not None:
        scores = scores + bias
    probabilities = masked_softmax(scores, _without_hidden(visible, bias))
    used = dropped_scores(probabilities, random)
    return transpose(matmul(used, v), (0, 2, 1, 3)), probabilities


@accepting
def masked_softmax(scores: Tensor, visible: Any) -> Tensor:
    """softmax over the last axis where `visible` (booleans that broadcast, or None); rows that see nothing are 0."""
    if visible is None or scores.shape[-1] == 0:
        return softmax(scores) if scores.shape[-1] else scores
    empty = ~visible.any(axis=-1, keepdims=True)
    probabilities = softmax(where(visible | empty, scores, scores.dtype.type(-np.inf)))
    if backend.on_host(empty) and not empty.any():
        return probabilities
    return where(empty, scores.dtype.type(0), probabilities)


@accepting
def dropped_scores(probabilities: Tensor, random: tuple[int, int, int]) -> Tensor:
    """What the kernel leaves of the probabilities."""
    if random[0] == 0 or probabilities.size == 0:
        return probabilities
    shape = probabilities.shape
    padded = (*shape[:-1], -(-shape[-1] // TILE) * TILE)
    kept = DropoutFunction.apply(
        (Tensor(backend.full(padded, 1.0, probabilities.dtype, like=probabilities.array)),), *random
    )
    return probabilities * Tensor(backend.contiguous(kept.array[..., : shape[-1]]))


def _heads_first(x: Tensor) -> Tensor:
    return transpose(x, (0, 2, 1, 3))


def _without_hidden(visible: Any, bias: Tensor | None) -> Any:
    """A bias of -infinity hides a key, too."""
    if bias is None:
        return visible
    hidden = bias.array == -np.inf
    if backend.on_host(hidden) and not hidden.any():
        return visible
    return ~hidden if visible is None else visible & ~hidden
