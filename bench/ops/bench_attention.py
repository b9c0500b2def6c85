"""Attention: forward, and forward with gradients. Ours takes (B, L, H, D), PyTorch (B, H, L, D): each its own layout.

Causal attention counts half of the operations. Answers with dropout cannot be compared: they are checked without.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Case, Prepared

DEFAULT_MALLOC = True
Shape = tuple[int, int, int, int, int]  # batch, heads, queries, keys, size
SHAPES: list[tuple[Shape, bool, float]] = [
    ((4, 8, 512, 512, 64), False, 0.0),
    ((8, 12, 128, 128, 64), False, 0.0),
    ((1, 12, 1024, 1024, 64), True, 0.0),
    ((1, 8, 4096, 4096, 64), True, 0.0),
    ((2, 8, 512, 512, 64), False, 0.1),
    ((1, 8, 1, 1024, 64), False, 0.0),
    ((16, 8, 1, 1024, 64), False, 0.0),
]
SMOKE: list[tuple[Shape, bool, float]] = [
    ((2, 2, 17, 33, 8), False, 0.0), ((1, 2, 17, 17, 8), True, 0.0), ((1, 2, 5, 9, 8), False, 0.1),
]  # fmt: skip


def inputs(shape: Shape) -> Arrays:
    batch, heads, queries, keys, size = shape
    random = np.random.default_rng(0)
    sizes = {"q": queries, "k": keys, "v": keys, "dy": queries}
    return {name: random.standard_normal((batch, n, heads, size), np.float32) for name, n in sizes.items()}


def lamina_side(causal: bool, rate: float, backward: bool, a: Arrays) -> Prepared:
    from lamina import ops, random

    q, k, v = (ours.tensor(a[key], backward) for key in ("q", "k", "v"))
    dy = ours.tensor(a["dy"])

    def run(dropout: float = rate) -> Any:
        chance: dict[str, Any] = {}
        if dropout:
            chance = {"dropout": dropout, "seed": 1, "stream": random.next_stream()}
        return ops.attention(q, k, v, causal=causal, **chance)

    def both(dropout: float = rate) -> Any:
        for t in (q, k, v):
            t.zero_grad()
        y = run(dropout)
        y.backward(dy)
        return y

    def answer() -> Arrays:
        if not backward:
            return {"y": run(0.0).numpy()}
        return {"y": both(0.0).numpy(), "dq": q.grad.numpy(), "dk": k.grad.numpy(), "dv": v.grad.numpy()}

    return Prepared(both if backward else run, answer)


def torch_side(causal: bool, rate: float, backward: bool, a: Arrays) -> Prepared:
    from torch.nn.functional import scaled_dot_product_attention as attention

    def heads_first(array: np.ndarray[Any, Any]) -> Any:
        return peer.tensor(np.ascontiguousarray(array.transpose(0, 2, 1, 3)))

    q, k, v = (heads_first(a[key]).requires_grad_(backward) for key in ("q", "k", "v"))
    dy = heads_first(a["dy"])

    def run(dropout: float = rate) -> Any:
        return attention(q, k, v, dropout_p=dropout, is_causal=causal)

    def both(dropout: float = rate) -> Any:
        q.grad = k.grad = v.grad = None
        y = run(dropout)
        y.backward(dy)
        return y

    def give(t: Any) -> Any:
        return peer.numpy(t.transpose(1, 2))

    def answer() -> Arrays:
        if not backward:
            return {"y": give(run(0.0))}
        return {"y": give(both(0.0)), "dq": give(q.grad), "dk": give(k.grad), "dv": give(v.grad)}

    return Prepared(both if backward else run, answer)


def cases(smoke: bool) -> list[Case]:
    found = []
    for shape, causal, rate in SMOKE if smoke else SHAPES:
        batch, heads, queries, keys, size = shape
        more = " causal" * causal + f" dropout {rate}" * (rate > 0)
        flops = 4.0 * batch * heads * queries * keys * size / (2 if causal else 1)
        bytes_moved = 4.0 * batch * heads * size * (2 * queries + 2 * keys)
        for backward in (False, True):
            if backward and queries == 1:
                continue  # to generate text
            found.append(
                Case(
                    f"{'x'.join(map(str, shape))}{more}" + " + gradients" * backward,
                    partial(inputs, shape),
                    partial(lamina_side, causal, rate, backward),
                    partial(torch_side, causal, rate, backward),
                    gradients=backward,
                    flops=flops * (3.5 if backward else 1),
                    bytes=bytes_moved * (3 if backward else 1),
                    tolerance=1e-3,
                )
            )
    return found
