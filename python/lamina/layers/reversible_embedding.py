"""ReversibleEmbedding, TransformerPositions: tokens as vectors that know their places, and vectors as tokens."""

from __future__ import annotations

import math
from typing import Any

from lamina import initializers, ops
from lamina.autograd.tensor import Tensor
from lamina.layers.checks import positive, share
from lamina.layers.core import Dropout
from lamina.layers.embedding import Embedding, whole_numbers
from lamina.layers.layer import Layer, register
from lamina.layers.shapes import Shape


@register
class ReversibleEmbedding(Embedding):
    """Embedding whose vectors also turn vectors into scores of all tokens: y = x embeddings'.

    Called on integers it is `Embedding`; called as ``layer(x, reverse=True)`` on x (..., output_dim) it gives
    (..., input_dim), the logits of a language model whose output shares its weights with the input.

    Args:
        input_dim: how many tokens there are.
        output_dim: the length of a vector.
        tie_weights: whether both directions share the vectors; False for a matrix of its own for the reverse one.
        embeddings_initializer: first values.
        mask_zero: whether 0 is padding.
        **kwargs: see `Embedding`.

    Weights: embeddings (input_dim, output_dim), and reverse_embeddings (output_dim, input_dim) if they are not tied.

    Raises:
        ValueError: called on a token out of range, or on vectors of another length.

    Example:
        >>> import lamina as lm
        >>> layer = lm.layers.ReversibleEmbedding(3, 2, weights=[[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])
        >>> layer([[2, 1]]).numpy().tolist()
        [[[3.0, 4.0], [1.0, 2.0]]]
        >>> layer([[1.0, 0.0]], reverse=True).numpy().tolist()
        [[0.0, 1.0, 3.0]]

    Reference:
        Press & Wolf 2017, arXiv:1608.05859; Inan et al. 2017, arXiv:1611.01462.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        mask_zero: bool = False,
        **kwargs: Any,
    ) -> None:
        self.tie_weights = bool(tie_weights)
        super().__init__(input_dim, output_dim, embeddings_initializer, mask_zero=mask_zero, **kwargs)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if not self.tie_weights:
            again = initializers.get(initializers.serialize(self.embeddings_initializer))
            shape = (self.output_dim, self.input_dim)
            self.reverse_embeddings = self.add_weight(shape, again, name="reverse_embeddings")

    def call(self, x: Any, reverse: bool = False) -> Any:
        if not reverse:
            return ops.embedding(whole_numbers(x, self.name), self.embeddings, self.sparse)
        if x.shape[-1:] != (self.output_dim,):
            raise ValueError(f"{self.name}: reverse: x must have shape (..., {self.output_dim}), got {x.shape}")
        if self.tie_weights:
            return ops.matmul(x, self.embeddings, transpose_b=True)
        return ops.matmul(x, self.reverse_embeddings)

    _tells_shape = False  # either direction

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """Which tokens are no padding; for vectors (of floating point, as tokens are not), the mask that they have."""
        return super().compute_mask(x, mask) if x.dtype.kind in "iu" else mask

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "tie_weights": self.tie_weights}


@register
class TransformerPositions(Layer):
    """y = dropout(scale x + position vectors): what a Transformer's blocks get for embedded tokens.

    Called as ``layer(x, start_index=0)`` on x (B, T, features); start_index is the position of the first step.

    Args:
        sequence_length: how many positions there are; longer sequences are refused.
        positions: "sinusoidal", see `lamina.ops.sine_positions`, or "learned", a vector for each position.
        scale: whether x is multiplied by sqrt(features).
        dropout: the fraction dropped in training.
        initializer: first values of learned positions.
        **kwargs: name, trainable, dtype: see Layer.

    Weights: position_embeddings (sequence_length, features) if they are learned.

    Raises:
        ValueError: for other positions; called on a sequence that ends behind the last position.

    Example:
        >>> import lamina as lm, numpy as np
        >>> layer = lm.layers.TransformerPositions(sequence_length=8)
        >>> layer(np.ones((1, 2, 4), "float32")).numpy().astype(float).round(2).tolist()
        [[[2.0, 3.0, 2.0, 3.0], [2.84, 2.54, 2.01, 3.0]]]

    Reference:
        Vaswani et al. 2017, arXiv:1706.03762, sections 3.4 and 3.5.
    """

    supports_masking = True

    def __init__(
        self,
        sequence_length: int,
        positions: str = "sinusoidal",
        scale: bool = True,
        dropout: float = 0.0,
        initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sequence_length = positive(sequence_length, self.name, "sequence_length")
        if positions not in ("sinusoidal", "learned"):
            raise ValueError(f"{self.name}: positions must be 'sinusoidal' or 'learned', got {positions!r}")
        self.positions, self.scale = positions, bool(scale)
        self.dropout = share(dropout, self.name, "dropout")
        self.initializer = initializers.get(initializer)
        self.dropout_layer = Dropout(self.dropout, dtype=self.dtype_policy)
        self._sines: Tensor | None = None

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != 3 or input_shape[-1] is None:
            raise ValueError(f"{self.name}: x must have shape (B, T, features), got {input_shape}")
        if self.positions == "learned":
            shape = (self.sequence_length, input_shape[-1])
            self.position_embeddings = self.add_weight(shape, self.initializer, name="position_embeddings")

    def call(self, x: Any, start_index: int = 0) -> Any:
        end = start_index + x.shape[1]
        if start_index < 0 or end > self.sequence_length:
            raise ValueError(
                f"{self.name}: there are {self.sequence_length} positions, from 0 to {self.sequence_length - 1}; got a "
                f"sequence from {start_index} to {end - 1}"
            )
        table = self.position_embeddings if self.positions == "learned" else self._table(x)
        x = x * math.sqrt(x.shape[-1]) if self.scale else x
        return self.dropout_layer(x + table[start_index:end])

    def _table(self, x: Any) -> Tensor:
        """The sines of all positions, made once for a device and dtype."""
        if self._sines is None or (self._sines.dtype, self._sines.device) != (x.dtype, x.device):
            self._sines = ops.to(ops.sine_positions(self.sequence_length, x.shape[-1], dtype=x.dtype), x.device)
        return self._sines

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def flops(self, input_shape: Shape) -> int:
        return 0 if None in input_shape[1:] else (1 + self.scale) * math.prod(input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "sequence_length": self.sequence_length,
            "positions": self.positions,
            "scale": self.scale,
            "dropout": self.dropout,
            "initializer": initializers.serialize(self.initializer),
        }
