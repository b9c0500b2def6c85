"""One training step of a recurrent layer 8-32 and Dense(1) on sequences of 30 steps, batch 32, squared error, Adam."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench import peer
from bench.case import Arrays, Case, Prepared
from bench.steps.training import lamina_step, torch_step, weights

DEFAULT_MALLOC = True
BATCH, STEPS, FEATURES, UNITS = 32, 30, 8, 32


def inputs(gates: int) -> Arrays:
    random = np.random.default_rng(2)
    biases = (2, gates * UNITS) if gates == 3 else (gates * UNITS,)
    return {
        "x": random.normal(size=(BATCH, STEPS, FEATURES)).astype(np.float32),
        "y": random.normal(size=(BATCH, 1)).astype(np.float32),
        **weights((FEATURES, gates * UNITS), (UNITS, gates * UNITS), (gates * UNITS,), (UNITS, 1), (1,)),
        "w2": np.zeros(biases, np.float32),
    }


def build(kind: str) -> Any:
    from lamina import layers
    from lamina.models import Sequential

    return Sequential([layers.Input((STEPS, FEATURES)), getattr(layers, kind)(UNITS), layers.Dense(1)])


def torch_side(kind: str, a: Arrays) -> Prepared:
    import torch

    class Network(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.recurrent = getattr(torch.nn, kind)(FEATURES, UNITS, batch_first=True)
            self.dense = torch.nn.Linear(UNITS, 1)

        def forward(self, x: Any) -> Any:
            return self.dense(self.recurrent(x)[0][:, -1])

    def arranged(w: Any) -> Any:
        """Keras's order of gates as PyTorch's: those of the GRU are z, r, n there and r, z, n here."""
        if kind == "GRU":
            z, r, n = np.split(w, 3, -1)
            w = np.concatenate([r, z, n], -1)
        return torch.from_numpy(np.ascontiguousarray(w.T))

    model = Network()
    with torch.no_grad():
        layer = model.recurrent
        layer.weight_ih_l0.copy_(arranged(a["w0"]))
        layer.weight_hh_l0.copy_(arranged(a["w1"]))
        layer.bias_ih_l0.zero_()
        layer.bias_hh_l0.zero_()
        model.dense.weight.copy_(torch.from_numpy(a["w3"].T))
        model.dense.bias.copy_(torch.from_numpy(a["w4"]))
    if kind != "GRU":
        layer.bias_hh_l0.requires_grad_(False)  # Keras has one bias
    return torch_step(model, peer.tensor(a["x"]), a)


def cases(smoke: bool) -> list[Case]:
    found = []
    for kind, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        ours = "SimpleRNN" if kind == "RNN" else kind
        flops = 2.0 * BATCH * STEPS * gates * UNITS * (2 * FEATURES + 3 * UNITS)
        for custom in (False, True):
            how = "custom loop" if custom else "train_on_batch"
            found.append(
                Case(
                    f"{ours} 8-32-1, T = 30, batch 32, {how}",
                    partial(inputs, gates),
                    partial(lamina_step, partial(build, ours), custom),
                    partial(torch_side, kind),
                    flops=flops,
                    threads=(0, 1),
                )
            )
    return found
