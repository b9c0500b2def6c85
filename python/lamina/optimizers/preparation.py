"""What happens to gradients and weights around the rule: sums, norms, clipping, decay, averages. Over lists of arrays
of one dtype, by kernels that are there anyway."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.row_sparse import RowSparse
from lamina.autograd.tensor import Tensor
from lamina.autograd.variable import Variable

Array = Any
CHAIN = 512


def values_of(grads: list[Array]) -> list[Array]:
    """The arrays that gradients lie in: of a row-sparse one, its rows."""
    return [g.values if isinstance(g, RowSparse) else g for g in grads]


def add(sums: list[Array], grads: list[Array], settings: tuple[float, ...] | Array) -> None:
    """sums += scale * grads: SGD with the settings (-scale, 0, 0)."""
    rows = [(g.rows, False) if isinstance(g, RowSparse) else None for g in grads]
    backend.kernels(sums[0]).sgd_step(sums, values_of(grads), (), settings, 1, rows=rows)


def decay(weights: list[Array], shares: list[float] | Array) -> None:
    """weights -= shares * weights: SGD that stands still."""
    still = [backend.zeros(w.shape, w.dtype, like=w) for w in weights]
    backend.kernels(weights[0]).sgd_step(weights, still, (), (0.0, 0.0, 0.0), 1, None, shares)


def average(averages: list[Array], weights: list[Array], momentum: float) -> None:
    """averages = momentum * averages + (1 - momentum) * weights: SGD with a rate of -(1 - momentum) along the weights,
    and a decay of the averages by as much."""
    shares = [1.0 - momentum] * len(weights)
    backend.kernels(weights[0]).sgd_step(averages, weights, (), (momentum - 1.0, 0.0, 0.0), 1, None, shares)


def sums_of_squares(grads: list[Array]) -> list[float] | Array:
    """The sum of the squares of each gradient, in float64: a list; on a GPU an array there, for which nobody waits."""
    values = values_of(grads)
    squares = backend.empty(len(grads), backend.float64, like=values[0])
    backend.kernels(squares).gradient_squares(values, squares)
    return squares.tolist() if backend.on_host(squares) else squares


def scales_by_norm(squares: list[float] | Array, scale: float | Array, clipnorm: float) -> list[float] | Array:
    """What each gradient is multiplied by, so that the norm of none is larger; NaN where the norm is."""
    if not isinstance(squares, list):
        xp = backend.array_module(squares)
        return scale * clipnorm / xp.maximum(clipnorm, scale * xp.sqrt(squares))
    norms = [scale * math.sqrt(s) for s in squares]
    return [scale * clipnorm / max(clipnorm, norm) if norm == norm else math.nan for norm in norms]


def scales_by_global_norm(squares: list[float] | Array, scale: float | Array, clipnorm: float) -> list[float] | Array:
    """What all gradients are multiplied by, so that their norm together is not larger; NaN where it is not finite.

    The squares are added in order, by chains of 512, as `reduce_sum` does it on a GPU.
    """
    if not isinstance(squares, list):
        xp = backend.array_module(squares)
        total = backend.empty(2, backend.float64, like=squares)
        pairs = backend.contiguous(xp.stack([squares, squares], axis=1))[None]  # columns are added in order
        backend.kernels(total).reduce_sum(pairs, total)
        norm = scale * xp.sqrt(total[:1])
        found = xp.where(xp.isfinite(norm), scale * (clipnorm / xp.maximum(clipnorm, norm)), math.nan)
        return backend.contiguous(xp.broadcast_to(found, squares.shape))
    total = 0.0
    for first in range(0, len(squares), CHAIN):
        chain = 0.0
        for square in squares[first : first + CHAIN]:
            chain += square
        total += chain
    norm = scale * math.sqrt(total)
    return [scale * (clipnorm / max(clipnorm, norm)) if math.isfinite(norm) else math.nan] * len(squares)


def together(parts: list[tuple[list[int], list[float] | Array]], count: int) -> list[float] | Array:
    """Numbers of some places each, in the order of the places."""
    if len(parts) == 1:
        return parts[0][1]
    if isinstance(parts[0][1], list):
        numbers = [0.0] * count
        for places, part in parts:
            for i, number in zip(places, part, strict=True):
                numbers[i] = number
        return numbers
    xp = backend.array_module(parts[0][1])
    order = np.argsort([i for places, _ in parts for i in places])
    joined = xp.concatenate([part for _, part in parts])
    return xp.take(joined, backend.moved(order, joined))


def of_places(numbers: list[float] | Array | None, places: list[int]) -> list[float] | Array | None:
    """The numbers of some places."""
    if numbers is None or len(places) == len(numbers):
        return numbers
    if isinstance(numbers, list):
        return [numbers[i] for i in places]
    return backend.array_module(numbers).take(numbers, backend.moved(np.array(places), numbers))


def scaled_and_clipped(grads: list[Array], scales: list[float] | Array | None, clipvalue: float | None) -> list[Array]:
    """The gradients times their scales, clipped, for rules without a kernel."""
    if scales is not None and not isinstance(scales, list):
        grads = [g * scales[i].astype(g.dtype) for i, g in enumerate(grads)]
    elif scales is not None:
        grads = [g * g.dtype.type(scale) for g, scale in zip(grads, scales, strict=True)]
    return grads if clipvalue is None else [g.clip(-clipvalue, clipvalue) for g in grads]


# Weights of 16 bits: kernels change float32, and so do they keep their state


def state_dtype(variable: Variable) -> np.dtype[Any]:
    """The dtype of a weight's state: float32 for a weight of 16 bits, else the weight's own."""
    return backend.state_dtype(variable.dtype)


def in_float32(variable: Variable) -> Any:
    """The weight itself, or for one of 16 bits a copy in float32 that stands for it in a step."""
    dtype = state_dtype(variable)
    if dtype is variable.dtype or dtype == variable.dtype:
        return variable
    return Tensor(backend.cast(variable.array, dtype))


def widened(grads: list[Array], rounded: list[tuple[Variable, Array]]) -> list[Array]:
    """The gradients, those of 16 bits in float32; before a step the copies in float32 are what the weights are."""
    for variable, wide in rounded:
        wide[...] = backend.cast(variable.array, wide.dtype)
    dense = [g.dense() if isinstance(g, RowSparse) and backend.is_narrow(g.dtype) else g for g in grads]
    return [backend.cast(g, backend.float32) if backend.is_narrow(g.dtype) else g for g in dense]
