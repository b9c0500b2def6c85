"""attention: softmax(scale q k' + mask) v over many heads, without a matrix of queries by keys."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tape import state
from lamina.autograd.tensor import Tensor
from lamina.ops.attention_scores import attention_with_scores
from lamina.ops.broadcast_to import broadcast_to
from lamina.ops.checks import beside, float_tensor, in_place, real_number, same_dtype
from lamina.ops.dropout import STEPS, WORD

Shape = tuple[int, ...]


class AttentionFunction(Function):
    """Keeps q, k, v, y and one number a query; backward computes the scores again."""

    def forward(self, q: Any, k: Any, v: Any, masks: tuple[Any, Any, Any], settings: tuple[Any, ...]) -> Any:
        q, k, v = backend.contiguous(q), backend.contiguous(k), backend.contiguous(v)
        y = backend.empty((*q.shape[:3], v.shape[3]), q.dtype, like=q)
        sums = q.dtype if q.dtype.itemsize > 2 else backend.float32
        lse = backend.empty(q.shape[:3], sums, like=q) if self.recording else None
        backend.kernels(q).attention_forward(q, k, v, *masks, y, lse, settings)
        if self.recording:
            self.saved = q, k, v, masks, settings, y, lse
        return y

    def backward(self, dy: Any) -> Any:
        q, k, v, masks, settings, y, lse = self.saved
        grads = [backend.empty_like(array) for array in (q, k, v)]
        backend.kernels(q).attention_backward(q, k, v, *masks, y, lse, backend.contiguous(dy), *grads, settings)
        return tuple(grads)


def attention(
    q: Any,
    k: Any,
    v: Any,
    *,
    mask: Any = None,
    bias: Any = None,
    lengths: Any = None,
    causal: bool = False,
    dropout: float = 0.0,
    scale: float | None = None,
    seed: int | None = None,
    stream: int | None = None,
    return_scores: bool = False,
) -> Any:
    """Scaled dot-product attention: y = softmax(scale q k' + bias) v, for every sample and head.

    Query head h looks at key head h // (heads / key heads): fewer key heads make this grouped-query attention, one
    makes it multi-query attention. The kernel needs no memory for the scores, forward or backward. A query that sees
    no key gives 0, and gradients of 0.

    Args:
        q: queries, of shape (B, Lq, heads, D), float32 or float64.
        k: keys, of shape (B, Lk, key heads, D), and q's dtype; key heads divide heads.
        v: values, of shape (B, Lk, key heads, D of the values), and q's dtype.
        mask: booleans: True where a query sees a key, of shape (Lq, Lk) or (B or 1, heads or 1, Lq or 1, Lk). Of
            q's dtype: a bias.
        bias: added to the scaled scores, of a mask's shape and q's dtype. If it wants a gradient, the scores are made
            in memory.
        lengths: how many keys there are in each sample, (B,) integers from 0 to Lk; the others are not seen.
        causal: whether query i sees only keys j <= i.
        dropout: the fraction of the probabilities that is set to 0, the others scaled; see `lamina.ops.dropout`.
        scale: what the products are multiplied by; None for 1 / sqrt(D).
        seed, stream: of the random numbers; needed for dropout. See `lamina.ops.dropout`.
        return_scores: whether to return (y, scores), scores the probabilities before dropout, of shape
            (B, heads, Lq, Lk). They are then made in memory.

    Returns:
        Tensor of shape (B, Lq, heads, D of the values), or that and the scores.

    Raises:
        ValueError: if shapes do not fit, heads do not divide, lengths pass Lk, dropout is outside [0, 1] or has no
            seed and stream.
        TypeError: if dtypes differ, or are not those that are named above.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = lm.tensor(np.eye(2, dtype="float32").reshape(1, 2, 1, 2))  # two positions, one head
        >>> y = lm.ops.attention(x, x, x, causal=True)
        >>> y.numpy()[0, :, 0].astype("float64").round(2).tolist()
        [[1.0, 0.0], [0.33, 0.67]]

    Reference:
        Vaswani et al. 2017, arXiv:1706.03762; Ainslie et al. 2023, arXiv:2305.13245 (grouped queries); Dao et al.
        2022, arXiv:2205.14135 (without a matrix of scores).
    """
    q, k, v = float_tensor(q, "attention", "q"), float_tensor(k, "attention", "k"), float_tensor(v, "attention", "v")
    same_dtype("attention", q=q, k=k, v=v)
    shape = _scores_shape(q.shape, k.shape, v.shape)
    if mask is not None or bias is not None:
        mask, bias = _checked_masks(mask, bias, q, shape)
    if lengths is not None:
        lengths = _checked_lengths(lengths, q, shape)
    random = (0, 0, 0)  # how many of 65536 are dropped, seed, stream
    if not (isinstance(dropout, int | float) and dropout == 0):
        random = _checked_dropout(dropout, seed, stream)
    if scale is None:
        scale = 1 / math.sqrt(q.shape[3])
    elif not math.isfinite(real_number(scale, "attention", "scale")):
        raise ValueError(f"attention: scale must be finite, got {scale}")
    if return_scores or (bias is not None and bias.requires_grad and state.recording):
        y, scores = attention_with_scores(
            q, k, v, _visible(mask, lengths, causal, shape, q.array), bias, float(scale), random
        )
        return (y, scores) if return_scores else y
    masks = lengths, None if bias is None else backend.contiguous(bias.array), mask
    return AttentionFunction.apply((q, k, v), masks, (bool(causal), float(scale), *random))


def _scores_shape(q: Shape, k: Shape, v: Shape) -> Shape:
    """(B, heads, Lq, Lk).

    Raises:
        ValueError: if the shapes do not fit each other.
    """
    full = len(q) == len(k) == len(v) == 4 and q[2] and k[2] and q[3] and v[3]
    if full and q[0] == k[0] and q[3] == k[3] and k[:3] == v[:3] and q[2] % k[2] == 0:  # what is right costs little
        return q[0], q[2], q[1], k[1]
    for name, shape in (("q", q), ("k", k), ("v", v)):
        if len(shape) != 4:
            raise ValueError(f"attention: {name} must have shape (B, L, heads, D), got {shape}")
        if shape[2] < 1 or shape[3] < 1:
            raise ValueError(f"attention: {name} must have at least one head and one value a head, got {shape}")
    if q[0] != k[0] or q[3] != k[3]:
        raise ValueError(f"attention: q and k must have the same batch and size of heads, got {q} and {k}")
    if k[:3] != v[:3]:
        raise ValueError(f"attention: k and v must have the same batch, length and heads, got {k} and {v}")
    raise ValueError(f"attention: {k[2]} key heads do not divide {q[2]} heads")


def _checked_masks(mask: Any, bias: Any, q: Tensor, shape: Shape) -> tuple[Any, Tensor | None]:
    """The mask as bytes and the bias as a tensor, both of four axes with all keys; or None.

    Raises:
        ValueError: if a shape does not broadcast to that of the scores.
        TypeError: for other dtypes.
    """
    if mask is not None:
        mask = beside(mask, q, "attention", "mask")
        if mask.dtype.kind == "f":
            if bias is not None:
                raise ValueError("attention: a mask of floats is a bias; give one of them")
            mask, bias = None, mask
        elif mask.dtype.kind != "b":
            raise TypeError(f"attention: mask must be bool, or {q.dtype} to be added, got {mask.dtype}")
        else:
            mask = backend.contiguous(_with_all_keys(mask, "mask", shape).array).view(np.uint8)
    if bias is None:
        return mask, None
    bias = beside(bias, q, "attention", "bias")
    if bias.dtype != q.dtype:
        raise TypeError(f"attention: bias must have the dtype of q, {q.dtype}, got {bias.dtype}")
    return mask, _with_all_keys(bias, "bias", shape)


def _with_all_keys(x: Tensor, name: str, shape: Shape) -> Tensor:
    fits = len(x.shape) in (2, 4) and all(n in (1, m) for n, m in zip(x.shape[::-1], shape[::-1], strict=False))
    if not fits:
        raise ValueError(
            f"attention: {name} must have shape (Lq, Lk) or (B or 1, heads or 1, Lq or 1, Lk), here {shape}, got "
            f"{x.shape}"
        )
    if x.ndim == 2:
        x = x.reshape((1, 1, *x.shape))
    return x if x.shape[3] == shape[3] else broadcast_to(x, (*x.shape[:3], shape[3]))


def _checked_lengths(lengths: Any, q: Tensor, shape: Shape) -> Any:
    lengths = in_place(lengths, q, "attention", "lengths")
    if lengths.dtype.kind not in "iu":
        raise TypeError(f"attention: lengths must be integers, got {lengths.dtype}")
    if lengths.shape != shape[:1]:
        raise ValueError(f"attention: lengths must have shape {shape[:1]}, one a sample, got {lengths.shape}")
    if backend.on_host(lengths):
        wrong = np.flatnonzero((lengths < 0) | (lengths > shape[3]))
        if wrong.size:
            raise ValueError(
                f"attention: lengths must be from 0 to {shape[3]}, got {lengths[wrong[0]]} for sample {wrong[0]}"
            )
    return backend.contiguous(backend.moved(lengths.astype(np.int64, copy=False), q.array))


def _checked_dropout(rate: Any, seed: Any, stream: Any) -> tuple[int, int, int]:
    if not 0 <= real_number(rate, "attention", "dropout") <= 1:
        raise ValueError(f"attention: dropout must be in [0, 1], got {rate}")
    if seed is None or stream is None:
        raise ValueError("attention: dropout needs a seed and a stream")
    return math.floor(rate * STEPS + 0.5), seed & WORD, stream & WORD


def _visible(mask: Any, lengths: Any, causal: bool, shape: Shape, like: Any) -> Any:
    """Which keys each query sees: booleans that broadcast to the shape of the scores, or None for all."""
    xp = backend.array_module(like)
    parts = [] if mask is None else [mask.view(np.bool_)]
    if lengths is not None:
        parts.append(xp.arange(shape[3]) < lengths[:, None, None, None])
    if causal:
        parts.append(xp.arange(shape[3]) <= xp.arange(shape[2])[:, None])
    return functools.reduce(xp.logical_and, parts) if parts else None
