"""What the families simple_rnn, lstm and gru share: whole sequences, forward, and forward with all gradients."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Case, Prepared

GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}
TORCH = {"simple_rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
SHAPES = [
    (100, 32, 128, 128),
    (28, 128, 28, 128),
    (50, 32, 512, 512),
    (25, 64, 512, 512),
    (100, 1, 128, 128),
    (30, 32, 8, 32),
]
PACKED = (100, 32, 128, 128)  # lengths 1 to 100, evenly
SMOKE = [(5, 3, 4, 9)]


def lengths_of(steps: int, count: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).permutation(np.linspace(1, steps, count).astype(np.int64))


def inputs(kind: str, steps: int, count: int, features: int, units: int) -> Arrays:
    """Weights as PyTorch has them."""
    random = np.random.default_rng(0)
    rows = GATES[kind] * units
    bound = units**-0.5
    return {
        "x": random.standard_normal((count, steps, features), np.float32),
        "dy": random.standard_normal((count, steps, units), np.float32),
        "weight_ih": random.uniform(-bound, bound, (rows, features)).astype(np.float32),
        "weight_hh": random.uniform(-bound, bound, (rows, units)).astype(np.float32),
        "bias_ih": random.uniform(-bound, bound, rows).astype(np.float32),
        "bias_hh": random.uniform(-bound, bound, rows).astype(np.float32),
    }


WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def lamina_side(kind: str, packed: bool, backward: bool, a: Arrays) -> Prepared:
    from lamina import layers, ops

    convert = {"simple_rnn": "from_torch_rnn", "lstm": "from_torch_lstm", "gru": "from_torch_gru"}[kind]
    weights = [ours.tensor(w, backward) for w in getattr(layers, convert)(*(a[name] for name in WEIGHTS))]
    x, dy = ours.tensor(a["x"], backward), ours.tensor(a["dy"])
    op = getattr(ops, kind)
    count, steps = a["x"].shape[:2]
    lengths = lengths_of(steps, count) if packed else None

    def run() -> Any:
        return op(x, *weights, lengths=lengths, zero_output_for_mask=packed)[0]

    def both() -> Any:
        for t in (x, *weights):
            t.zero_grad()
        y = run()
        y.backward(dy)
        return y

    def answer() -> Arrays:
        if not backward:
            return {"y": run().numpy()}
        y = both().numpy()
        return {"y": y, "dx": x.grad.numpy(), "d_bias": weights[2].grad.numpy().reshape(-1, weights[2].shape[-1])[0]}

    return Prepared(both if backward else run, answer)


def torch_side(kind: str, packed: bool, backward: bool, a: Arrays) -> Prepared:
    import torch
    from torch.nn.utils import rnn

    count, steps, features = a["x"].shape
    units = a["weight_hh"].shape[1]
    layer = getattr(torch.nn, TORCH[kind])(features, units, batch_first=True)
    with torch.no_grad():
        for name in WEIGHTS:
            getattr(layer, f"{name}_l0").copy_(peer.tensor(a[name]))
    layer.requires_grad_(backward)
    x, dy = peer.tensor(a["x"]).requires_grad_(backward), peer.tensor(a["dy"])
    lengths = torch.from_numpy(lengths_of(steps, count))

    def run() -> Any:
        if not packed:
            return layer(x)[0]
        given = rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return rnn.pad_packed_sequence(layer(given)[0], batch_first=True, total_length=steps)[0]

    def both() -> Any:
        x.grad = None
        layer.zero_grad(set_to_none=True)
        y = run()
        y.backward(dy)
        return y

    def answer() -> Arrays:
        if not backward:
            return {"y": peer.numpy(run())}
        y = peer.numpy(both())
        d_bias = peer.numpy(layer.bias_ih_l0.grad)
        if kind == "gru":  # PyTorch has r before z
            d_bias = np.concatenate([d_bias[units : 2 * units], d_bias[:units], d_bias[2 * units :]])
        return {"y": y, "dx": peer.numpy(x.grad), "d_bias": d_bias}

    return Prepared(both if backward else run, answer)


def cases_of(kind: str, smoke: bool) -> list[Case]:
    found = []
    for shape, packed in [*((s, False) for s in (SMOKE if smoke else SHAPES)), (SMOKE[0] if smoke else PACKED, True)]:
        steps, count, features, units = shape
        saved = int(lengths_of(steps, count).sum()) if packed else steps * count
        flops = 2.0 * saved * (features + units) * GATES[kind] * units
        for backward in (False, True):
            found.append(
                Case(
                    f"{kind} {'x'.join(map(str, shape))}{' lengths' * packed}" + (" + gradients" if backward else ""),
                    partial(inputs, kind, *shape),
                    partial(lamina_side, kind, packed, backward),
                    partial(torch_side, kind, packed, backward),
                    gradients=backward,
                    flops=flops * (3 if backward else 1),
                    tolerance=1e-3,
                    threads=(0, 1),
                )
            )
    return found
