"""Attention, AdditiveAttention: one query, value and key, no projections."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend, ops
from lamina.autograd.tensor import Tensor
from lamina.layers.checks import share
from lamina.layers.layer import register
from lamina.layers.masks import step_mask
from lamina.layers.regularization import Noise
from lamina.layers.shapes import Shape, full_shape
from lamina.ops.attention_scores import dropped_scores, masked_softmax
from lamina.ops.dropout import STEPS


@register
class Attention(Noise):
    """Dot-product attention: y = softmax(query key') value.

    Call it on a list [query, value] or [query, value, key] of shapes (B, Tq, features), (B, Tv, features of the values)
    and (B, Tv, features); key is value where it is not given. Arguments of the call: mask, a list of booleans
    [(B, Tq), (B, Tv)] (or None in a place; by default those that the inputs carry): steps of value with False are not
    seen, steps of query with False give 0; use_causal_mask (query i sees keys j <= i); return_attention_scores (gives
    (y, scores), scores the probabilities before dropout, of shape (B, Tq, Tv)); training. A query that sees nothing
    gives 0.

    Args:
        use_scale: whether scores are multiplied by a weight.
        score_mode: "dot" for scores query key'; "concat" for w sum tanh(scale (query + key)) over the features.
        dropout: the fraction of the probabilities that training sets to 0.
        seed: None to go by `lamina.set_seed`, or an integer for dropout of this layer's own.
        **kwargs: name, trainable, dtype: see Layer.

    Weights: scale, a number, if use_scale; concat_score_weight, a number, with score_mode="concat". Both begin at 1.

    Raises:
        ValueError: for another score_mode or dropout; when called, if shapes do not fit.

    Example:
        >>> import lamina as lm, numpy as np
        >>> query, value = np.ones((2, 3, 4), "float32"), np.ones((2, 7, 4), "float32")
        >>> lm.layers.Attention()([query, value]).shape
        (2, 3, 4)

    Reference:
        Luong et al. 2015, arXiv:1508.04025.
    """

    autocast = True

    _tells_shape = False  # there may be scores beside the output

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, **kwargs)
        if score_mode not in ("dot", "concat"):
            raise ValueError(f'{self.name}: score_mode must be "dot" or "concat", got {score_mode!r}')
        self.use_scale, self.score_mode = bool(use_scale), score_mode
        self.dropout = share(dropout, self.name, "dropout")
        self.scale: Any = None
        self.concat_score_weight: Any = None

    def build(self, input_shape: Any) -> None:
        self._shapes(input_shape)
        if self.use_scale:
            self.scale = self.add_weight((), "ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        if not isinstance(inputs, list | tuple):
            raise ValueError(f"{self.name}: expected a list [query, value] or [query, value, key]")
        self._shapes([x.shape for x in inputs])
        query, value = inputs[:2]
        key = inputs[2] if len(inputs) > 2 else value
        if mask is not None and (not isinstance(mask, list | tuple) or not 2 <= len(mask) <= 3):
            raise ValueError(f"{self.name}: mask must be a list [query mask, value mask]")
        of_query, of_value = (None, None) if mask is None else mask[:2]
        visible = None
        if of_value is not None:
            visible = step_mask(of_value, value.shape[:2], self.name, "the mask of value", value)[:, None]
        rate = self.dropout if training else 0.0
        y, scores = self._attend(query, key, value, visible, use_causal_mask, rate, return_attention_scores)
        if of_query is not None:
            seen = step_mask(of_query, query.shape[:2], self.name, "the mask of query", query)
            y = y * Tensor(seen.astype(self._dtype)[:, :, None])
        return (y, scores) if return_attention_scores else y

    def _attend(
        self, query: Any, key: Any, value: Any, visible: Any, causal: bool, rate: float, wants_scores: bool
    ) -> tuple[Any, Any]:
        random = self._stream() if rate > 0 else (0, 0)
        if self.score_mode == "dot":
            if self.scale is not None:
                query = query * self.scale
            heads = [ops.expand_dims(x, 2) for x in (query, key, value)]
            y = ops.attention(
                *heads, mask=None if visible is None else visible[:, None], causal=causal, dropout=rate, scale=1.0,
                seed=random[0], stream=random[1], return_scores=wants_scores,
            )  # fmt: skip
            y, scores = y if wants_scores else (y, None)
            return ops.squeeze(y, 2), None if scores is None else ops.squeeze(scores, 1)
        if causal:
            xp = backend.array_module(query.array)
            seen = xp.arange(key.shape[1]) <= xp.arange(query.shape[1])[:, None]
            visible = seen[None] if visible is None else visible & seen
        probabilities = masked_softmax(self._scores(query, key), visible)
        used = dropped_scores(probabilities, (math.floor(rate * STEPS + 0.5), *random))
        return ops.matmul(used, value), probabilities

    def _scores(self, query: Any, key: Any) -> Any:
        """Scores that are no dot products, (B, Tq, Tv)."""
        both = ops.expand_dims(query, 2) + ops.expand_dims(key, 1)
        if self.scale is not None:
            both = both * self.scale
        return ops.sum(ops.tanh(both), axis=-1) * self.concat_score_weight

    def _shapes(self, shapes: Any) -> list[Shape]:
        """The shapes of query, value and key, checked.

        Raises:
            ValueError: if they are not two or three, or do not fit each other.
        """
        several = isinstance(shapes, list | tuple) and all(isinstance(s, list | tuple) for s in shapes)
        if not several or not 2 <= len(shapes) <= 3:
            raise ValueError(f"{self.name}: expected a list [query, value] or [query, value, key], got shapes {shapes}")
        query, value, key = [full_shape(s) for s in (*shapes, *shapes[-1:] * (3 - len(shapes)))]
        if {len(query), len(value), len(key)} != {3} or key[:-1] != value[:-1] or query[-1] != key[-1]:
            raise ValueError(
                f"{self.name}: expected query (B, Tq, features), value (B, Tv, any) and key (B, Tv, features), got "
                f"{query}, {value} and {key}"
            )
        return [query, value, key]

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """That of the query."""
        return None if mask is None else mask[0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        query, value, _ = self._shapes(input_shape)
        return (*query[:-1], value[-1])

    def flops(self, input_shape: Any) -> int:
        query, value, _ = self._shapes(input_shape)
        if None in (*query[1:], *value[1:]):
            return 0
        return 2 * query[1] * value[1] * (query[2] + value[2])

    def get_config(self) -> dict[str, Any]:
        config = {"use_scale": self.use_scale, "score_mode": self.score_mode, "dropout": self.dropout}
        return {**super().get_config(), **config}


@register
class AdditiveAttention(Attention):
    """Additive attention: y = softmax(sum over the features of scale tanh(query + key)) value.

    Called as Attention is.

    Args:
        use_scale: whether each feature has a weight.
        dropout: the fraction of the probabilities that training sets to 0.
        **kwargs: seed, name, trainable, dtype: see Attention and Layer.

    Weights: scale (features), if use_scale.

    Raises:
        ValueError: for a dropout outside [0, 1]; when called, if shapes do not fit.

    Example:
        >>> import lamina as lm, numpy as np
        >>> query, value = np.ones((2, 3, 4), "float32"), np.ones((2, 7, 4), "float32")
        >>> y, scores = lm.layers.AdditiveAttention()([query, value], return_attention_scores=True)
        >>> y.shape, scores.shape
        ((2, 3, 4), (2, 3, 7))

    Reference:
        Bahdanau, Cho & Bengio 2015, arXiv:1409.0473.
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(use_scale, "concat", dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        query = self._shapes(input_shape)[0]
        if self.use_scale:
            self.scale = self.add_weight(query[-1:], name="scale")

    def _scores(self, query: Any, key: Any) -> Any:
        both = ops.tanh(ops.expand_dims(query, 2) + ops.expand_dims(key, 1))
        return ops.sum(both, axis=-1) if self.scale is None else ops.matmul(both, self.scale)

    def get_config(self) -> dict[str, Any]:
        return {key: value for key, value in super().get_config().items() if key != "score_mode"}
