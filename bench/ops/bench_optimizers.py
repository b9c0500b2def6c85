"""A step of each optimizer: 10 million weights in shapes like ResNet's, and a small MLP's 100 thousand."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Case, Prepared

STEPS = 2  # compared
# What is kept beside a weight, and is read and written with it; Adafactor's rows and columns are next to nothing.
SLOTS = {"SGD": 0, "Adagrad": 1, "RMSprop": 1, "Adafactor": 0}  # the others: 2
MORE_SLOTS = {"SGD momentum": 1, "Adam amsgrad": 1, "RMSprop centered": 2}
# RMSprop: Keras adds epsilon under the root, PyTorch to it; 1e-24 and 1e-12 are the same there.
# Ours, PyTorch's name, PyTorch's arguments, and ours that make the same optimizer of it
PAIRS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "SGD": ("SGD", {"fused": True}, {}),
    "SGD momentum": ("SGD", {"momentum": 0.9, "fused": True}, {"momentum": 0.9}),
    "Adam": ("Adam", {"eps": 1e-12, "fused": True}, {"epsilon": 1e-12}),
    "Adam amsgrad": ("Adam", {"eps": 1e-12, "amsgrad": True, "fused": True}, {"epsilon": 1e-12, "amsgrad": True}),
    "AdamW": ("AdamW", {"eps": 1e-12, "weight_decay": 0.01, "fused": True}, {"epsilon": 1e-12, "weight_decay": 0.01}),
    "Adagrad": (
        "Adagrad",
        {"eps": 1e-12, "initial_accumulator_value": 0.1, "fused": True},
        {"epsilon": 1e-12, "initial_accumulator_value": 0.1},
    ),
    "RMSprop": ("RMSprop", {"alpha": 0.9, "eps": 1e-12}, {"rho": 0.9, "epsilon": 1e-24}),
    "RMSprop centered": (
        "RMSprop",
        {"alpha": 0.9, "eps": 1e-12, "momentum": 0.9, "centered": True},
        {"rho": 0.9, "epsilon": 1e-24, "momentum": 0.9, "centered": True},
    ),
    "Adadelta": ("Adadelta", {"rho": 0.95, "eps": 1e-7}, {}),
    "Adamax": ("Adamax", {"eps": 1e-12}, {"epsilon": 1e-12}),
    "Adafactor": ("Adafactor", {}, {}),  # other details in PyTorch: only the time is compared
    "Adam clipped": ("Adam", {"eps": 1e-18, "fused": True}, {"epsilon": 1e-18, "global_clipnorm": 1.0}),
}


def passes(label: str) -> int:
    """How often an array as large as the weights is read or written: gradients, weights (both ways), slots (both)."""
    slots = SLOTS.get(label.split()[0], 2) + MORE_SLOTS.get(label, 0)
    return 3 + 2 * slots + label.endswith("clipped")  # the norm comes first


def shapes(which: str) -> list[tuple[int, ...]]:
    if which == "small":
        return [(5, 3), (3,), (3, 3, 2, 4)]
    if which == "MLP":
        return [(784, 128), (128,), (128, 10), (10,)]
    found: list[tuple[int, ...]] = [(7, 7, 3, 64), (64,), (64,)]
    for width, blocks in ((64, 2), (128, 2), (256, 2), (384, 3)):
        for _ in range(blocks):
            found += [(3, 3, width, width), (width,), (width,), (3, 3, width, width), (width,), (width,)]
    return [*found, (384, 1000), (1000,)]


def inputs(which: str) -> Arrays:
    random = np.random.default_rng(0)
    found: Arrays = {}
    for i, shape in enumerate(shapes(which)):
        found[f"w{i}"] = random.standard_normal(shape, np.float32)
        found[f"g{i}"] = random.standard_normal(shape, np.float32)
    return found


def lamina_side(name: str, arguments: dict[str, Any], a: Arrays) -> Prepared:
    import lamina as lm

    count = len(a) // 2
    weights = [lm.Variable(a[f"w{i}"]) for i in range(count)]
    grads = [ours.tensor(a[f"g{i}"]).array for i in range(count)]
    optimizer = getattr(lm.optimizers, name)(1e-3, **arguments)
    optimizer.build(weights)

    def run() -> None:
        for weight, grad in zip(weights, grads, strict=True):
            weight.grad_array = grad
        optimizer.step()

    def answer() -> Arrays:
        for _ in range(STEPS):
            run()
        return {f"w{i}": w.numpy() for i, w in enumerate(weights)} if optimizer.name != "adafactor" else {}

    return Prepared(run, answer)


def torch_side(name: str, arguments: dict[str, Any], clip: bool, a: Arrays) -> Prepared:
    import torch

    count = len(a) // 2
    weights = [torch.nn.Parameter(peer.tensor(a[f"w{i}"])) for i in range(count)]
    grads = [peer.tensor(a[f"g{i}"]) for i in range(count)]
    optimizer = getattr(torch.optim, name)(weights, lr=1e-3, **arguments)
    originals = [g.clone() for g in grads] if clip else []

    def run() -> None:
        for weight, grad in zip(weights, grads, strict=True):
            weight.grad = grad
        if clip:
            torch.nn.utils.clip_grad_norm_(weights, 1.0, foreach=True)
        optimizer.step()

    def answer() -> Arrays:
        for _ in range(STEPS):
            for grad, original in zip(grads, originals, strict=False):
                grad.copy_(original)
            run()
        return {f"w{i}": peer.numpy(w) for i, w in enumerate(weights)} if name != "Adafactor" else {}

    return Prepared(run, answer)


def cases(smoke: bool) -> list[Case]:
    found = []
    for which in ("small",) if smoke else ("10 M", "MLP"):
        for label, (theirs, their_arguments, arguments) in PAIRS.items():
            kind = label.split()[0]
            size = 4.0 * sum(int(np.prod(s)) for s in shapes(which))
            found.append(
                Case(
                    f"{label}, {which}",
                    partial(inputs, which),
                    partial(lamina_side, kind, arguments),
                    partial(torch_side, theirs, their_arguments, label.endswith("clipped")),
                    gradients=False,
                    bytes=passes(label) * size,
                    tolerance=1e-4,
                    threads=(0,) if which == "10 M" else (0, 1),
                )
            )
    return found
