"""Matrix products: squares, and the shapes of dense layers and convolutions with their gradients."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Case, Prepared

# M, N, K and the form: n plain, t stored transposed (nt: dx = dy . w', tn: dw = x' . dy)
SHAPES = [
    (256, 256, 256, "nn"),
    (512, 512, 512, "nn"),
    (1024, 1024, 1024, "nn"),
    (2048, 2048, 2048, "nn"),
    (1, 1024, 1024, "nn"),
    (1, 1024, 1024, "nt"),
    (8, 1024, 1024, "nn"),
    (8, 1024, 1024, "nt"),
    (32, 128, 784, "nn"),
    (32, 10, 128, "nn"),
    (64, 2048, 512, "nn"),
    (128, 768, 768, "nn"),
    (128, 768, 768, "nt"),
    (4096, 64, 64, "nn"),
    (25088, 64, 576, "nn"),
    (9, 32, 21632, "tn"),
    (784, 128, 32, "tn"),
    (576, 64, 25088, "tn"),
    (1024, 1024, 1024, "tn"),
    (1024, 1024, 1024, "nt"),
]
SMOKE = [(17, 33, 40, "nn"), (8, 16, 24, "nt"), (8, 16, 24, "tn")]
DENSE = [(32, 128, 784), (64, 2048, 512), (128, 768, 768), (1024, 1024, 1024)]


def inputs(m: int, n: int, k: int, form: str) -> Arrays:
    random = np.random.default_rng(0)
    a = random.standard_normal((k, m) if form[0] == "t" else (m, k), np.float32)
    b = random.standard_normal((n, k) if form[1] == "t" else (k, n), np.float32)
    return {"a": a, "b": b, "bias": random.standard_normal(n, np.float32)}


def lamina_product(form: str, x: Arrays) -> Prepared:
    import lamina as lm

    a, b = ours.tensor(x["a"]), ours.tensor(x["b"])
    flags = {"transpose_a": form[0] == "t", "transpose_b": form[1] == "t"}

    def run() -> object:
        return lm.ops.matmul(a, b, **flags)

    return Prepared(run, lambda: {"c": lm.ops.matmul(a, b, **flags).numpy()})


def torch_product(form: str, x: Arrays) -> Prepared:
    import torch

    a, b = peer.tensor(x["a"]), peer.tensor(x["b"])
    a = a.T if form[0] == "t" else a
    b = b.T if form[1] == "t" else b
    return Prepared(lambda: torch.mm(a, b), lambda: {"c": peer.numpy(torch.mm(a, b))})


def lamina_dense(x: Arrays) -> Prepared:
    import lamina as lm

    a, b, bias = ours.tensor(x["a"]), ours.tensor(x["b"]), ours.tensor(x["bias"])

    def run() -> object:
        return lm.ops.dense(a, b, bias, activation="relu")

    return Prepared(run, lambda: {"c": lm.ops.dense(a, b, bias, activation="relu").numpy()})


def torch_dense(x: Arrays) -> Prepared:
    import torch
    from torch.nn import functional

    a, bias = peer.tensor(x["a"]), peer.tensor(x["bias"])
    weight = peer.tensor(np.ascontiguousarray(x["b"].T))  # nn.Linear's layout

    def run() -> torch.Tensor:
        return functional.linear(a, weight, bias).relu_()

    return Prepared(run, lambda: {"c": peer.numpy(run())})


def cases(smoke: bool) -> list[Case]:
    found = [
        Case(
            f"{m}x{n}x{k} {form}",
            partial(inputs, m, n, k, form),
            partial(lamina_product, form),
            partial(torch_product, form),
            gradients=False,
            flops=2.0 * m * n * k,
            bytes=4.0 * (m * k + k * n + m * n),
        )
        for m, n, k, form in (SMOKE if smoke else SHAPES)
    ]
    found += [
        Case(
            f"{m}x{n}x{k} dense + bias + relu",
            partial(inputs, m, n, k, "nn"),
            lamina_dense,
            torch_dense,
            gradients=False,
            flops=2.0 * m * n * k,
            bytes=4.0 * (m * k + k * n + m * n),
        )
        for m, n, k in ([(8, 16, 24)] if smoke else DENSE)
    ]
    return found
