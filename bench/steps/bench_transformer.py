"""An encoder-decoder Transformer beside torch.nn.Transformer: forward, and backward to weights and inputs; and what a
token costs to write.

Both with causal self-attention in the decoder, in training, with and without dropout; torch's second dropout inside the
dense layers, which the paper and Keras do not have, is switched off. Answers with dropout cannot be compared: they are
checked without.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Case, Prepared

DEFAULT_MALLOC = True
Sizes = tuple[int, int, int, int, int, int]  # layers, hidden, heads, intermediate, batch, steps
SIZES: list[tuple[str, Sizes]] = [("small", (2, 128, 4, 512, 16, 32)), ("base", (6, 512, 8, 2048, 8, 64))]
SMOKE: list[tuple[str, Sizes]] = [("tiny", (1, 16, 2, 32, 2, 5))]


def inputs(sizes: Sizes) -> Arrays:
    _, hidden, _, _, batch, steps = sizes
    random = np.random.default_rng(0)
    return {name: random.standard_normal((batch, steps, hidden), np.float32) for name in ("source", "target", "dy")}


def state(sizes: Sizes) -> Arrays:
    """The same weights for both, under torch's names."""
    layers, hidden, _, intermediate, _, _ = sizes
    shapes: dict[str, tuple[int, ...]] = {}
    for side, attentions in (("encoder", ("self_attn",)), ("decoder", ("self_attn", "multihead_attn"))):
        for layer in range(layers):
            place = f"{side}.layers.{layer}"
            for name in attentions:
                shapes[f"{place}.{name}.in_proj_weight"] = (3 * hidden, hidden)
                shapes[f"{place}.{name}.in_proj_bias"] = (3 * hidden,)
                shapes[f"{place}.{name}.out_proj.weight"] = (hidden, hidden)
                shapes[f"{place}.{name}.out_proj.bias"] = (hidden,)
            for name, rows, columns in (("linear1", intermediate, hidden), ("linear2", hidden, intermediate)):
                shapes[f"{place}.{name}.weight"], shapes[f"{place}.{name}.bias"] = (rows, columns), (rows,)
            for norm in range(1, len(attentions) + 2):
                shapes[f"{place}.norm{norm}.weight"] = shapes[f"{place}.norm{norm}.bias"] = (hidden,)
        shapes[f"{side}.norm.weight"] = shapes[f"{side}.norm.bias"] = (hidden,)
    random = np.random.default_rng(1)
    return {
        name: (random.standard_normal(shape, np.float32) * shape[-1] ** -0.5 + ("norm" in name)).astype(np.float32)
        for name, shape in shapes.items()
    }


def answers(y: Any, dsource: Any, dtarget: Any) -> Arrays:
    return {"y": y, "dsource": dsource, "dtarget": dtarget}


def lamina_side(sizes: Sizes, dropout: float, a: Arrays) -> Prepared:
    from lamina.applications import TransformerBody, load_torch_transformer

    layers, hidden, heads, intermediate, _, _ = sizes
    models = [TransformerBody(layers, hidden, heads, intermediate, rate) for rate in (dropout, 0.0)]
    for model in models:
        load_torch_transformer(model, state(sizes))
    source, target, dy = ours.tensor(a["source"], True), ours.tensor(a["target"], True), ours.tensor(a["dy"])

    def run(model: Any = models[0]) -> Any:
        for t in (source, target, *model.trainable_weights):
            t.zero_grad()
        y = model([source, target], training=True)
        y.backward(dy)
        return y

    def answer() -> Arrays:
        y = run(models[1])
        return answers(y.numpy(), source.grad.numpy(), target.grad.numpy())

    return Prepared(run, answer)


def torch_side(sizes: Sizes, dropout: float, a: Arrays) -> Prepared:
    import torch

    layers, hidden, heads, intermediate, _, steps = sizes
    weights = {name: torch.from_numpy(array) for name, array in state(sizes).items()}
    models = []
    for rate in (dropout, 0.0):
        model = torch.nn.Transformer(hidden, heads, layers, layers, intermediate, rate, batch_first=True)
        model.load_state_dict(weights)
        for layer in (*model.encoder.layers, *model.decoder.layers):
            layer.dropout = torch.nn.Identity()
        models.append(model)
    source, target, dy = (peer.tensor(a[name]).requires_grad_(name != "dy") for name in ("source", "target", "dy"))
    mask = torch.nn.Transformer.generate_square_subsequent_mask(steps)

    def run(model: Any = models[0]) -> Any:
        model.zero_grad(set_to_none=True)
        source.grad = target.grad = None
        y = model(source, target, tgt_mask=mask, tgt_is_causal=True)
        y.backward(dy)
        return y

    def answer() -> Arrays:
        y = run(models[1])
        return answers(peer.numpy(y), peer.numpy(source.grad), peer.numpy(target.grad))

    return Prepared(run, answer)


def flops(sizes: Sizes) -> float:
    """Products of forward and backward: three times those of forward."""
    layers, hidden, _, intermediate, batch, steps = sizes
    dense = batch * steps * (12 * hidden * hidden + 4 * hidden * intermediate)  # four projections three times
    scores = 3 * 2 * batch * steps * steps * hidden
    return 3 * 2.0 * layers * (dense + scores)


def cases(smoke: bool) -> list[Case]:
    return [
        Case(
            f"{name}: {sizes[0]}+{sizes[0]} layers of {sizes[1]}, batch {sizes[4]}, T = {sizes[5]}"
            + f", dropout {dropout}" * (dropout > 0),
            partial(inputs, sizes),
            partial(lamina_side, sizes, dropout),
            partial(torch_side, sizes, dropout),
            flops=flops(sizes),
            tolerance=1e-3,
            threads=(0, 1),
        )
        for name, sizes in (SMOKE if smoke else SIZES)
        for dropout in (0.0, 0.1)
    ]
