"""BERT-base, the forward pass on rows of 128 tokens: last hidden states and pooler, beside PyTorch's two ways.

"encoder" is torch.nn.TransformerEncoder in its fast path for inference (one native call a block), behind embeddings of
its own; "BertModel" is Hugging Face's with scaled_dot_product_attention, and needs transformers.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import numpy as np

from bench import ours, peer
from bench.case import Arrays, Case, Prepared

HIDDEN, INNER, HEADS, VOCABULARY, POSITIONS, LENGTH = 768, 3072, 12, 30522, 512, 128


def shapes(blocks: int) -> dict[str, tuple[int, ...]]:
    """All weights by the names of Hugging Face's files."""
    found: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (VOCABULARY, HIDDEN),
        "embeddings.position_embeddings.weight": (POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
    }
    dense = {"pooler.dense": (HIDDEN, HIDDEN)}
    norms = ["embeddings.LayerNorm"]
    for i in range(blocks):
        place = f"encoder.layer.{i}"
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            dense[f"{place}.attention.{name}"] = (HIDDEN, HIDDEN)
        dense[f"{place}.intermediate.dense"] = (INNER, HIDDEN)
        dense[f"{place}.output.dense"] = (HIDDEN, INNER)
        norms += [f"{place}.attention.output.LayerNorm", f"{place}.output.LayerNorm"]
    for name, shape in dense.items():
        found |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return found | {f"{name}.{part}": (HIDDEN,) for name in norms for part in ("weight", "bias")}


def inputs(rows: int, blocks: int) -> Arrays:
    random = np.random.default_rng(4)
    arrays: Arrays = {"ids": random.integers(0, VOCABULARY, (rows, LENGTH))}
    for name, shape in shapes(blocks).items():
        arrays[name] = random.standard_normal(shape, np.float32) * np.float32(0.02)
        if name.endswith("LayerNorm.weight"):
            arrays[name] += 1
    return arrays


def weights(a: Arrays) -> Arrays:
    return {name: array for name, array in a.items() if name != "ids"}


def lamina_side(blocks: int, a: Arrays) -> Prepared:
    from lamina.applications import BertConfig, BertModel, load_bert_weights

    model = BertModel(BertConfig(num_hidden_layers=blocks))
    load_bert_weights(model, weights(a))
    ids = a["ids"]
    x = {"input_ids": ids, "token_type_ids": np.zeros_like(ids), "attention_mask": np.ones_like(ids)}
    x = {name: ours.tensor(array) for name, array in x.items()}

    def answer() -> Arrays:
        y = model(x)
        return {"hidden": y["last_hidden_state"].numpy(), "pooled": y["pooler_output"].numpy()}

    return Prepared(lambda: model(x), answer)


def encoder_side(blocks: int, a: Arrays) -> Prepared:
    import torch
    from torch import nn

    class Network(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            sizes = {"words": VOCABULARY, "positions": POSITIONS, "types": 2}
            self.tables = nn.ModuleDict({name: nn.Embedding(rows, HIDDEN) for name, rows in sizes.items()})
            self.norm = nn.LayerNorm(HIDDEN, 1e-12)
            block = nn.TransformerEncoderLayer(HIDDEN, HEADS, INNER, 0.1, "gelu", 1e-12, batch_first=True)
            self.encoder = nn.TransformerEncoder(block, blocks)
            self.pooler = nn.Linear(HIDDEN, HIDDEN)

        def forward(self, ids: Any) -> Any:
            t = self.tables
            x = t["words"](ids) + t["types"].weight[0] + t["positions"].weight[:LENGTH]
            x = self.encoder(self.norm(x))
            return x, torch.tanh(self.pooler(x[:, 0]))

    model = Network().eval()
    names = {"words": "word", "positions": "position", "types": "token_type"}
    state = {f"tables.{ours}.weight": a[f"embeddings.{name}_embeddings.weight"] for ours, name in names.items()}
    for part in ("weight", "bias"):
        state |= {f"norm.{part}": a[f"embeddings.LayerNorm.{part}"], f"pooler.{part}": a[f"pooler.dense.{part}"]}
        for i in range(blocks):
            place, theirs = f"encoder.layer.{i}", f"encoder.layers.{i}"
            joined = [a[f"{place}.attention.self.{name}.{part}"] for name in ("query", "key", "value")]
            state[f"{theirs}.self_attn.in_proj_{part}"] = np.concatenate(joined)
            for name, other in (("self_attn.out_proj", "attention.output.dense"), ("linear1", "intermediate.dense"),
                                ("linear2", "output.dense"), ("norm1", "attention.output.LayerNorm"),
                                ("norm2", "output.LayerNorm")):  # fmt: skip
                state[f"{theirs}.{name}.{part}"] = a[f"{place}.{other}.{part}"]
    model.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    ids = peer.tensor(a["ids"])
    return _prepared(lambda: model(ids))


def hugging_face_side(blocks: int, a: Arrays) -> Prepared:
    sys.modules.setdefault("torchvision", None)  # type: ignore[arg-type]  # transformers would import it, for images
    import torch
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig(num_hidden_layers=blocks, attn_implementation="sdpa")).eval()
    model.load_state_dict({name: torch.from_numpy(array) for name, array in weights(a).items()}, strict=False)
    ids = peer.tensor(a["ids"])
    mask = torch.ones_like(ids)
    return _prepared(lambda: model(ids, attention_mask=mask, return_dict=False)[:2])


def _prepared(forward: Any) -> Prepared:
    import torch

    def run() -> Any:
        with torch.inference_mode():
            return forward()

    return Prepared(run, lambda: dict(zip(("hidden", "pooled"), (peer.numpy(t) for t in run()), strict=True)))


def flops(rows: int, blocks: int) -> float:
    """Of products alone."""
    token = 2 * (4 * HIDDEN * HIDDEN + 2 * HIDDEN * INNER + 2 * LENGTH * HIDDEN)
    return rows * (blocks * LENGTH * token + 2 * HIDDEN * HIDDEN)


def cases(smoke: bool) -> list[Case]:
    blocks = 2 if smoke else 12
    return [
        Case(
            f"BERT-base, batch {rows}, length {LENGTH}, {name}",
            partial(inputs, rows, blocks),
            partial(lamina_side, blocks),
            partial(side, blocks),
            gradients=False,
            flops=flops(rows, blocks),
        )
        for rows in ((1,) if smoke else (1, 8))
        for name, side in (("encoder", encoder_side), ("BertModel", hugging_face_side))
    ]
