"""generate: what a Transformer writes, with keys and values of the steps before kept."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.applications.decoding import PADDING, beam_search, sample
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.layers.transformer import TransformerDecoder, TransformerEncoder
from lamina.metrics.metric import array_of
from lamina.models.model import Model

Array = np.ndarray[Any, Any]
METHODS = ("greedy", "beam", "sample")


def generate(
    model: Model,
    source: Any = None,
    prompt: Any = None,
    *,
    start_token: int = 1,
    end_token: int | None = 2,
    max_length: int | None = None,
    method: str = "greedy",
    beams: int = 4,
    length_penalty: float = 0.6,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: Any = None,
    use_cache: bool = True,
    return_scores: bool = False,
) -> Any:
    """Sequences that a Transformer writes: the likeliest token each time, the best of several beams, or by chance.

    Args:
        model: made by `lamina.applications.Transformer` or `TransformerDecoderOnly`.
        source: tokens (B, S), 0 for padding, for a model with an encoder; else None.
        prompt: tokens (B, P) that the sequences begin with, padded with 0 behind. None for start_token (with a source).
        start_token: what sequences begin with that have no prompt.
        end_token: what ends a sequence; None for nothing (not with "beam").
        max_length: how many tokens to write at most. None for 50 more than the source has, as in the paper, or as many
            as there are positions, whichever is less.
        method: "greedy", "beam" or "sample".
        beams: for "beam": how many beginnings are kept.
        length_penalty: for "beam": scores are divided by ((5 + length) / 6)^length_penalty.
        temperature: for "sample": tokens are drawn from softmax(logits / temperature).
        top_k: for "sample": only from the k likeliest.
        top_p: for "sample": only from the fewest that have the probability p together.
        seed: for "sample": an integer or a SeedGenerator; None for `lamina.set_seed`.
        use_cache: whether keys and values of earlier steps are kept. The result is the same; without them a token takes
            as long as all before together.
        return_scores: whether to return (tokens, scores): the sum of the log-probabilities of what was written, with
            "beam" over the penalty.

    Returns:
        Tokens (B, length), integers: the prompt, what follows, the end token, then 0, which is never written before it.

    Raises:
        ValueError: if the sequences would pass the model's positions, a prompt is missing, empty or padded (with
            "beam"), the end token is none of the vocabulary's, or a setting makes no sense.
        TypeError: if tokens are no integers.

    Example:
        >>> import lamina as lm
        >>> model = lm.applications.Transformer(20, num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=16)
        >>> lm.applications.generate(model, [[3, 4, 5]], max_length=4).shape[0]
        1

    Reference:
        Wu et al. 2016, arXiv:1609.08144, section 7 (beams and the penalty); Holtzman et al. 2019, arXiv:1904.09751
        (top_p); Fan et al. 2018, arXiv:1805.04833 (top_k).
    """
    if method not in METHODS:
        raise ValueError(f"generate: method must be one of {METHODS}, got {method!r}")
    _check_settings(beams, temperature, top_k, top_p)
    has_encoder = any(isinstance(layer, TransformerEncoder) for layer in model.layers)
    if has_encoder != (source is not None):
        raise ValueError(f"generate: {model.name} {'needs' if has_encoder else 'takes no'} source")
    if source is not None:
        source = _tokens(source, "source")
    if prompt is None:
        if source is None:
            raise ValueError("generate: a model without an encoder needs a prompt")
        prompt = np.full((len(source), 1), start_token)
    prompt = _tokens(prompt, "prompt")
    _check_prompt(prompt, source, method)
    places = model.get_layer("target_positions").sequence_length  # type: ignore[attr-defined]
    room = places - prompt.shape[1] + 1
    if max_length is None:
        max_length = room if source is None else min(room, source.shape[1] + 50)
    if not is_integer(max_length) or not 1 <= max_length <= room:
        raise ValueError(
            f"generate: {model.name} has {places} positions: behind a prompt of {prompt.shape[1]} max_length must be "
            f"from 1 to {max(0, room)}, got {max_length}"
        )
    many = beams if method == "beam" else 1
    rows = None if source is None else np.repeat(source, many, 0)
    kind = CachedSteps if use_cache else PlainSteps
    steps = kind(model, rows, len(prompt) * many, prompt.shape[1] + max_length)
    if method == "beam":
        found, scores = beam_search(steps, prompt, end_token, max_length, beams, length_penalty)
        found, scores = found[:, 0], scores[:, 0]
    else:
        chance: dict[str, Any] = {}
        if method == "sample":
            chance = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
        found, scores = sample(steps, prompt, end_token, max_length, **chance)
    return (found, scores) if return_scores else found


class CachedSteps:
    """A Transformer that writes rows of sequences; every token goes through it once."""

    def __init__(self, model: Model, source: Array | None, rows: int, room: int) -> None:
        self.rows, self.written = rows, 0
        shared = any(layer.name == "embedding" for layer in model.layers)
        self.embedding: Any = model.get_layer("embedding" if shared else "target_embedding")
        self.positions: Any = model.get_layer("target_positions")
        self.blocks: list[Any] = [layer for layer in model.layers if isinstance(layer, TransformerDecoder)]
        self.norms = [layer for layer in model.layers if layer.name == "decoder_norm"]
        self.caches = [block.self_attention_layer.make_cache(rows, room) for block in self.blocks]
        self.crossed: list[Any] = [None] * len(self.blocks)
        self.seen: Any = None
        if source is not None:
            encoded = encode(model, source)
            self.seen = encoded._mask.array
            self.crossed = [block.cross_attention_layer.project_cache(encoded) for block in self.blocks]

    def feed(self, tokens: Array) -> Any:
        with no_grad():
            x = self.positions(self.embedding(tokens), start_index=self.written, training=False)
            for block, cache, crossed in zip(self.blocks, self.caches, self.crossed, strict=True):
                x, *_ = block(
                    x,
                    self_attention_cache=cache,
                    self_attention_cache_update_index=self.written,
                    cross_attention_cache=crossed,
                    encoder_padding_mask=self.seen,
                    training=False,
                )
            self.written += tokens.shape[1]
            x = x[:, -1:]
            for norm in self.norms:
                x = norm(x)
            return self.embedding(x, reverse=True)[:, 0]

    def choose(self, rows: Array) -> None:
        if (rows == np.arange(self.rows)).all():
            return
        written = slice(self.written)
        for cache in self.caches:
            for kept in cache:
                array = kept.array
                array[:, written] = array[backend.moved(rows, array), written]


class PlainSteps:
    """The same without a cache: the whole model for every token."""

    def __init__(self, model: Model, source: Array | None, rows: int, room: int) -> None:
        self.rows, self.model, self.source = rows, model, source
        self.tokens = np.zeros((rows, 0), np.int64)

    def feed(self, tokens: Array) -> Any:
        self.tokens = np.concatenate([self.tokens, tokens], 1)
        with no_grad():
            whole = self.model(self.tokens if self.source is None else [self.source, self.tokens], training=False)
            return whole[:, -1]

    def choose(self, rows: Array) -> None:
        self.tokens = self.tokens[rows]


def encode(model: Model, source: Any) -> Tensor:
    """What the encoder of a Transformer makes of source tokens (B, S): (B, S, hidden_dim), with their mask."""
    names = {layer.name for layer in model.layers}
    x: Any = source
    with no_grad():
        for name in ("embedding" if "embedding" in names else "source_embedding", "source_positions"):
            x = model.get_layer(name)(x)
        for layer in model.layers:
            if isinstance(layer, TransformerEncoder) or layer.name == "encoder_norm":
                x = layer(x)
    return x


def attention_to_source(model: Model, source: Any, target: Any, layer: int = -1) -> Array:
    """How much each step of the target looks at each step of the source, in one block of the decoder.

    Args:
        model: made by `lamina.applications.Transformer`.
        source: tokens (B, S).
        target: tokens (B, T), as `generate` gives them.
        layer: which block of the decoder.

    Returns:
        Probabilities (B, heads, T, S): row t is where the model looked when it chose the token behind target token t.

    Raises:
        ValueError: for a model without an encoder, or a block that it does not have.
        TypeError: if tokens are no integers.

    Example:
        >>> import lamina as lm
        >>> model = lm.applications.Transformer(20, num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=16)
        >>> lm.applications.attention_to_source(model, [[3, 4, 5]], [[1, 6]]).shape
        (1, 2, 2, 3)
    """
    blocks: list[Any] = [block for block in model.layers if isinstance(block, TransformerDecoder)]
    names = {block.name for block in model.layers}
    if "source_positions" not in names:
        raise ValueError(f"attention_to_source: {model.name} has no encoder")
    if not -len(blocks) <= layer < len(blocks):
        raise ValueError(
            f"attention_to_source: {model.name} has {len(blocks)} blocks in its decoder, got layer={layer}"
        )
    encoded = encode(model, _tokens(source, "source", "attention_to_source"))
    y: Any = _tokens(target, "target", "attention_to_source")
    with no_grad():
        for name in ("embedding" if "embedding" in names else "target_embedding", "target_positions"):
            y = model.get_layer(name)(y)
        for block in blocks[: layer % len(blocks)]:
            y = block(y, encoded)
        scores = blocks[layer](y, encoded, return_attention_scores=True)[1]
    result: Array = backend.to_host(scores.array)
    return result


def _tokens(value: Any, name: str, caller: str = "generate") -> Array:
    array = array_of(value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{caller}: {name} must hold integers, got {array.dtype}")
    if array.ndim != 2 or not array.size:
        raise ValueError(f"{caller}: {name} must have shape (B, length), got {array.shape}")
    return array.astype(np.int64)


def _check_prompt(prompt: Array, source: Array | None, method: str) -> None:
    if source is not None and len(source) != len(prompt):
        raise ValueError(f"generate: source and prompt must have as many rows, got {len(source)} and {len(prompt)}")
    real = prompt != PADDING
    if not real[:, 0].all():
        raise ValueError(f"generate: row {int(real[:, 0].argmin())} of the prompt is empty")
    if (real[:, 1:] > real[:, :-1]).any():
        raise ValueError("generate: the prompt must be padded behind its tokens")
    if method == "beam" and not real.all():
        raise ValueError("generate: beams need prompts of one length, got padded ones")


def _check_settings(beams: int, temperature: float, top_k: int | None, top_p: float | None) -> None:
    for name, value in (("beams", beams), ("top_k", 1 if top_k is None else top_k)):
        if not is_integer(value) or value < 1:
            raise ValueError(f"generate: {name} must be a positive integer, got {value!r}")
    if not 0 < temperature < math.inf:
        raise ValueError(f"generate: temperature must be positive and finite, got {temperature}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"generate: top_p must be above 0 and at most 1, got {top_p}")
