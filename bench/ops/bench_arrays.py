"""Array operations over 50 MB: reductions, broadcasting, indexing, choosing, functions; and a product by einsum."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Case
from bench.ops.elementwise import lamina_side, pair, torch_side

DEFAULT_MALLOC = True
HEADS = 8


def of_shape(shape: tuple[int, ...], seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def positive(shape: tuple[int, ...]) -> Arrays:
    random = np.random.default_rng(0)
    return {"x": random.uniform(0.1, 4, shape).astype(np.float32), "dy": random.standard_normal(shape, np.float32)}


def lamina_op(name: str, shape: tuple[int, ...], rows: int) -> Callable[[Any], Any]:
    import lamina as lm

    if name in ("max", "sum"):
        return partial(getattr(lm.ops, name), axis=1)
    if name == "sum of columns":
        return partial(lm.ops.sum, axis=0)
    if name == "multiply by a row":
        row = ours.tensor(of_shape(shape[-1:], 1))
        return lambda x: x * row
    if name == "take":
        indices = np.random.default_rng(1).integers(0, shape[0], rows)
        return lambda x: lm.ops.take(x, indices, axis=0)
    if name == "attention scores":
        n, length, channels = shape
        keys = lm.ops.reshape(ours.tensor(of_shape(shape, 1)), (n, length, HEADS, channels // HEADS))
        return lambda q: lm.ops.einsum("bqhd,bkhd->bhqk", lm.ops.reshape(q, keys.shape), keys).reshape(
            (n, HEADS * length, length)
        )
    if name == "cumsum":
        return partial(lm.ops.cumsum, axis=1)
    if name == "where":
        other = ours.tensor(of_shape(shape, 1))
        condition = other > 0
        return lambda x: lm.ops.where(condition, x, other)
    if name == "clip":
        return lambda x: lm.ops.clip(x, -0.5, 0.5)
    if name == "power":
        return lambda x: lm.ops.power(x, 2.3)
    return getattr(lm.ops, name)


def torch_op(name: str, shape: tuple[int, ...], rows: int) -> Callable[[Any], Any]:
    import torch

    if name == "max":
        return partial(torch.amax, dim=1)
    if name in ("sum", "cumsum"):
        return partial(getattr(torch, name), dim=1)
    if name == "sum of columns":
        return partial(torch.sum, dim=0)
    if name == "multiply by a row":
        row = peer.tensor(of_shape(shape[-1:], 1))
        return lambda x: x * row
    if name == "take":
        indices = torch.from_numpy(np.random.default_rng(1).integers(0, shape[0], rows))
        return lambda x: torch.nn.functional.embedding(indices, x)
    if name == "attention scores":
        n, length, channels = shape
        keys = peer.tensor(of_shape(shape, 1)).reshape(n, length, HEADS, channels // HEADS)
        return lambda q: torch.einsum("bqhd,bkhd->bhqk", q.reshape(keys.shape), keys).reshape(n, HEADS * length, length)
    if name == "where":
        other = peer.tensor(of_shape(shape, 1))
        condition = other > 0
        return lambda x: torch.where(condition, x, other)
    if name == "clip":
        return lambda x: torch.clamp(x, -0.5, 0.5)
    if name == "power":
        return lambda x: torch.pow(x, 2.3)
    return getattr(torch, name)


def case(
    name: str, shape: tuple[int, ...], output: tuple[int, ...], bytes_forward: float, bytes_backward: float
) -> list[Case]:
    label = f"{name} {'x'.join(map(str, shape))}"
    rows = output[0]
    both = partial(lamina_op, name, shape, rows), partial(torch_op, name, shape, rows)
    return pair(label, shape, output, *both, bytes_forward, bytes_backward, 1e-3)


def of_positive(name: str, shape: tuple[int, ...], size: float) -> list[Case]:
    return [
        Case(
            f"{name} {'x'.join(map(str, shape))}{' + gradient' if backward else ''}",
            partial(positive, shape),
            partial(lamina_side, partial(lamina_op, name, shape, 0), backward),
            partial(torch_side, partial(torch_op, name, shape, 0), backward),
            gradients=backward,
            bytes=(5 if backward else 2) * size,
        )
        for backward in (False, True)
    ]


def cases(smoke: bool) -> list[Case]:
    rows, columns = (13, 37) if smoke else (12544, 1000)
    matrix = (rows, columns)
    size = 4.0 * rows * columns
    found = []
    for name in ("max", "sum"):
        found += case(name, matrix, (rows,), size, (2 if name == "max" else 1) * size)
    found += case("sum of columns", matrix, (columns,), size, size)
    found += case("multiply by a row", matrix, matrix, 2 * size, 2 * size)
    words, width, tokens = (50, 16, 33) if smoke else (30000, 256, 16384)
    found += case(
        "take", (words, width), (tokens, width), 8.0 * tokens * width, 8.0 * tokens * width + 4 * words * width
    )
    n, length, channels = (2, 5, 16) if smoke else (8, 512, 512)
    scores = (n, HEADS * length, length)
    products = 4.0 * (2 * n * length * channels + n * HEADS * length * length)
    found += case("attention scores", (n, length, channels), scores, products, products)
    found += case("cumsum", matrix, matrix, 2 * size, 2 * size)
    found += case("where", matrix, matrix, 3.25 * size, 2.25 * size)
    found += case("clip", matrix, matrix, 2 * size, 3 * size)
    for name in ("sin", "exp"):
        found += case(name, matrix, matrix, 2 * size, 3 * size)
    for name in ("log2", "power"):
        found += of_positive(name, matrix, size)
    return found
