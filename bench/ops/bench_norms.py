"""Norms within a sample: forward, and forward with gradients, over 25 to 50 MB; layer_norm as transformers have it."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Case, Prepared

DEFAULT_MALLOC = True
GRADIENTS = {
    "layer": ("dx", "dgamma", "dbeta"),
    "rms": ("dx", "dgamma"),
    "unit": ("dx",),
    "group": ("dx", "dgamma", "dbeta"),
    "instance": ("dx", "dgamma", "dbeta"),
    "response": ("dx",),
}


def inputs(shape: tuple[int, ...]) -> Arrays:
    random = np.random.default_rng(0)
    return {
        "x": random.normal(1, 2, shape).astype(np.float32),
        "dy": random.standard_normal(shape, np.float32),
        "gamma": random.uniform(0.5, 1.5, shape[-1]).astype(np.float32),
        "beta": random.standard_normal(shape[-1], np.float32),
    }


def lamina_side(kind: str, groups: int, backward: bool, a: Arrays) -> Prepared:
    from lamina import ops

    x, gamma, beta = (ours.tensor(a[key], backward) for key in ("x", "gamma", "beta"))
    dy = ours.tensor(a["dy"])
    run = {
        "layer": lambda: ops.layer_norm(x, gamma, beta, epsilon=1e-5),
        "rms": lambda: ops.rms_norm(x, gamma),
        "unit": lambda: ops.unit_norm(x),
        "group": lambda: ops.group_norm(x, gamma, beta, groups, epsilon=1e-5),
        "instance": lambda: ops.instance_norm(x, gamma, beta, epsilon=1e-5),
        "response": lambda: ops.local_response_norm(x, 5),
    }[kind]

    gradients = {"dx": x, "dgamma": gamma, "dbeta": beta}
    return ours.prepared(run, dy if backward else None, **{name: gradients[name] for name in GRADIENTS[kind]})


def torch_side(kind: str, groups: int, backward: bool, a: Arrays) -> Prepared:
    from torch.nn import functional

    images = kind in ("group", "instance", "response")
    take = peer.images if images else peer.tensor
    x, dy = take(a["x"]).requires_grad_(backward), take(a["dy"])
    gamma, beta = (peer.tensor(a[key]).requires_grad_(backward) for key in ("gamma", "beta"))
    n = a["x"].shape[-1]
    run = {
        "layer": lambda: functional.layer_norm(x, (n,), gamma, beta),
        "rms": lambda: functional.rms_norm(x, (n,), gamma, 1e-6),
        "unit": lambda: functional.normalize(x, dim=-1),
        "group": lambda: functional.group_norm(x, groups, gamma, beta),
        "instance": lambda: functional.instance_norm(x, weight=gamma, bias=beta),
        "response": lambda: functional.local_response_norm(x, 5),
    }[kind]
    give = peer.from_images if images else peer.numpy

    gradients = {"dx": (x, give), "dgamma": (gamma, peer.numpy), "dbeta": (beta, peer.numpy)}
    return peer.prepared(run, give, dy if backward else None, **{name: gradients[name] for name in GRADIENTS[kind]})


def cases(smoke: bool) -> list[Case]:
    found = []
    transformers = [] if smoke else [("layer", (8 * 128, 768)), ("layer", (32 * 512, 256))]
    for kind, own in [*[(kind, None) for kind in GRADIENTS], *transformers]:
        images = kind in ("group", "instance", "response")
        shape: tuple[int, ...] = own or ((16, 56, 56, 128) if images else (8192, 768))
        if smoke:
            shape = (2, 5, 5, 16) if images else (7, 24)
        groups = 4 if smoke else 32
        size = 4.0 * np.prod(shape)
        for backward in (False, True):
            found.append(
                Case(
                    f"{kind}_norm {'x'.join(map(str, shape))}" + (" + gradients" if backward else ""),
                    partial(inputs, shape),
                    partial(lamina_side, kind, groups, backward),
                    partial(torch_side, kind, groups, backward),
                    gradients=backward,
                    bytes=(2 + 3 * backward) * size,
                    tolerance=1e-3,
                )
            )
    return found
