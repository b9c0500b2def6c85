"""Embedding: rows of a large table by 3,200 tokens; forward, with gradients, and with an optimizer's step.

A step's tokens change from turn to turn, as batches do. PyTorch's side has its better one of dense and sparse
gradients: sparse for SGD, Adagrad and SparseAdam, dense for Adam, which has no other.
"""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Case, Prepared

TURNS = 8  # batches that a step goes round
STEPS = 3  # compared
# What is measured, ours and PyTorch's: name, arguments, whether only the rows of the batch take part.
PAIRS: dict[str, tuple[str, dict[str, Any], str, dict[str, Any], bool]] = {
    "SGD": ("SGD", {}, "SGD", {}, True),
    "Adagrad": (
        "Adagrad",
        {"epsilon": 1e-12},
        "Adagrad",
        {"eps": 1e-12, "initial_accumulator_value": 0.1},
        True,
    ),
    "Adam": ("Adam", {"epsilon": 1e-12}, "Adam", {"eps": 1e-12, "fused": True}, False),
    "lazy Adam": ("Adam", {"epsilon": 1e-12}, "SparseAdam", {"eps": 1e-12}, True),
}


def inputs(rows: int, width: int, shape: tuple[int, ...]) -> Arrays:
    random = np.random.default_rng(0)
    return {
        "table": random.standard_normal((rows, width), np.float32),
        "indices": random.integers(0, rows, (TURNS, *shape)),
        "dy": random.standard_normal((*shape, width), np.float32),
    }


def lamina_side(what: str, a: Arrays) -> Prepared:
    import lamina as lm

    table = lm.Variable(a["table"])
    turns = itertools.cycle(list(a["indices"]))
    if what == "forward":
        return Prepared(
            lambda: lm.ops.embedding(a["indices"][0], table),
            lambda: {"y": lm.ops.embedding(a["indices"][0], table).numpy()},
        )
    dy = ours.tensor(a["dy"])
    name, arguments, theirs, _, _ = PAIRS.get(what, ("", {}, "", {}, False))
    lazy = theirs == "SparseAdam"
    optimizer = getattr(lm.optimizers, name)(1e-3, **arguments) if name else None

    def run() -> None:
        table.zero_grad()
        lm.ops.embedding(next(turns), table, lazy).backward(dy)
        if optimizer is not None:
            optimizer.step([table])

    def answer() -> Arrays:
        for _ in range(STEPS):
            run()
        if optimizer is not None:
            return {"table": table.numpy()}
        assert table.grad is not None
        return {"dtable": table.grad.numpy()}

    return Prepared(run, answer)


def torch_side(what: str, a: Arrays) -> Prepared:
    import torch

    table = peer.tensor(a["table"]).requires_grad_(what != "forward")
    batches = [peer.tensor(index) for index in a["indices"]]
    turns = itertools.cycle(batches)
    if what == "forward":
        return Prepared(
            lambda: torch.nn.functional.embedding(batches[0], table),
            lambda: {"y": torch.nn.functional.embedding(batches[0], table).numpy()},
        )
    dy = peer.tensor(a["dy"])
    _, _, name, arguments, sparse = PAIRS.get(what, ("", {}, "", {}, what == "sparse gradients"))
    optimizer = getattr(torch.optim, name)([table], lr=1e-3, **arguments) if name else None

    def run() -> None:
        table.grad = None
        torch.nn.functional.embedding(next(turns), table, sparse=sparse).backward(dy)
        if optimizer is not None:
            optimizer.step()
        elif sparse:  # ours has the sums of the rows; theirs would have them with its first use
            table.grad = table.grad.coalesce()

    def answer() -> Arrays:
        for _ in range(STEPS):
            run()
        if optimizer is not None:
            return {"table": table.detach().numpy()}
        return {"dtable": (table.grad.to_dense() if sparse else table.grad).numpy()}

    return Prepared(run, answer)


def cases(smoke: bool) -> list[Case]:
    rows, width, shape = (60, 5, (2, 3)) if smoke else (50_000, 300, (32, 100))
    named, size = int(np.prod(shape)) * width * 4.0, rows * width * 4.0
    traffic = {"forward": 2 * named, "gradients": 4 * named, "sparse gradients": 4 * named, "Adam": 6 * size}
    found = []
    for what in ("forward", "gradients", "sparse gradients", *PAIRS):
        found.append(
            Case(
                f"embedding {rows}x{width}, {'x'.join(map(str, shape))}, {what}",
                partial(inputs, rows, width, shape),
                partial(lamina_side, what),
                partial(torch_side, what),
                gradients=what != "forward",
                bytes=traffic.get(what, 8 * named),
                tolerance=1e-4,
            )
        )
    return found
