"""MultiHeadAttention, GroupQueryAttention: attention between projections to many heads."""

from __future__ import annotations

from typing import Any

from lamina.kinds import is_integer
from lamina.layers.attention_heads import HeadsAttention
from lamina.layers.checks import positive
from lamina.layers.layer import register
from lamina.layers.shapes import Shape


@register
class MultiHeadAttention(HeadsAttention):
    """Heads of attention side by side: each projects query, key and value, and attends; a projection joins them.

    head_h = softmax(Q_h K_h' / sqrt(key_dim)) V_h with Q_h = query W_h + b_h and so on; y = all heads . W + b. Call it
    as ``layer(query, value, key=None)``: key is value where it is not given, and self-attention is
    ``layer(x, x)``. Further arguments of the call: query_mask, value_mask, key_mask (booleans (B, T), True for
    steps that count; by default those that the inputs carry), attention_mask (True where a query sees a key, (B, T, S),
    (T, S) or (B, heads, T, S)), use_causal_mask (query i sees keys j <= i), return_attention_scores (gives (y, scores),
    scores the probabilities before dropout, of shape (B, heads, T, S)), training. A query that sees nothing gets 0 from
    all heads.

    Args:
        num_heads: how many heads.
        key_dim: the size of a head of query and key.
        value_dim: that of value; None for key_dim.
        dropout: the fraction of the probabilities that training sets to 0.
        use_bias: whether the projections have biases.
        output_shape: the axes of y in place of the query's features; None for those of the query.
        attention_axes: over which axes attention goes, one or several; None for all between batch and features.
        sliding_window: a query sees only keys less than so many steps away; None for all.
        flash_attention: taken for Keras's sake: scores are never made in memory unless they are asked for.
        kernel_initializer, bias_initializer: first values.
        kernel_regularizer, bias_regularizer: penalties added to the loss.
        activity_regularizer: a penalty on what the projections give, added to the loss.
        kernel_constraint, bias_constraint: what the weights are held to after each step of training.
        use_gate: whether heads are multiplied by sigmoid(query W + b), one more projection.
        seed: None to go by `lamina.set_seed`, or an integer for dropout of this layer's own.
        **kwargs: name, trainable, dtype: see Layer.

    Weights: kernel (features, heads, size) and bias (heads, size) of query, key, (gate,) value, in this order; kernel
    (heads, value_dim, features) and bias (features) of the output.

    Raises:
        ValueError: if an argument makes no sense; when called, if shapes do not fit.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.ones((2, 5, 8), "float32")
        >>> layer = lm.layers.MultiHeadAttention(num_heads=2, key_dim=4)
        >>> y, scores = layer(x, x, use_causal_mask=True, return_attention_scores=True)
        >>> y.shape, scores.shape
        ((2, 5, 8), (2, 2, 5, 5))

    Reference:
        Vaswani et al. 2017, "Attention Is All You Need", arXiv:1706.03762. The gate: Qiu et al. 2025, arXiv:2505.06708.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            dropout, use_bias, sliding_window, kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint, use_gate, seed, **kwargs,
        )  # fmt: skip
        self.heads = self.key_heads = self.num_heads = positive(num_heads, self.name, "num_heads")
        self.size = self.key_dim = positive(key_dim, self.name, "key_dim")
        self.value_dim = self.key_dim if value_dim is None else positive(value_dim, self.name, "value_dim")
        self.value_size = self.value_dim
        self.features: Shape | None = None
        if output_shape is not None:
            sizes = output_shape if isinstance(output_shape, tuple | list) else (output_shape,)
            self.features = tuple(positive(n, self.name, "output_shape") for n in sizes)
        if attention_axes is not None:
            axes = attention_axes if isinstance(attention_axes, tuple | list) else (attention_axes,)
            if not axes or any(not is_integer(a) for a in axes):
                raise ValueError(f"{self.name}: attention_axes must be integers, got {attention_axes!r}")
            attention_axes = tuple(int(a) for a in axes)
        self.attention_axes = attention_axes

    def _features(self, query: Shape) -> Shape:
        return query[-1:] if self.features is None else self.features

    def _axes(self, rank: int) -> tuple[int, ...]:
        if self.attention_axes is None:
            return tuple(range(1, rank - 1))
        axes = tuple(a if a >= 0 else rank + a for a in self.attention_axes)
        if any(not 0 < a < rank - 1 for a in axes) or len(set(axes)) < len(axes):
            raise ValueError(
                f"{self.name}: attention_axes must be different axes between batch and features, got "
                f"{self.attention_axes} for inputs of {rank} axes"
            )
        return axes

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "output_shape": None if self.features is None else list(self.features),
            "attention_axes": None if self.attention_axes is None else list(self.attention_axes),
        }


@register
class GroupQueryAttention(HeadsAttention):
    """Multi-head attention in which groups of query heads share a head of key and value.

    As many of both is multi-head attention, one head of key and value multi-query attention. Called as
    MultiHeadAttention is, on (B, T, features).

    Args:
        head_dim: the size of every head.
        num_query_heads: how many heads the query has.
        num_key_value_heads: how many key and value have; it divides num_query_heads.
        dropout: the fraction of the probabilities that training sets to 0.
        use_bias: whether the projections have biases.
        sliding_window: a query sees only keys less than so many steps away; None for all.
        flash_attention: taken for Keras's sake: scores are never made in memory unless they are asked for.
        kernel_initializer, bias_initializer: first values.
        kernel_regularizer, bias_regularizer: penalties added to the loss.
        activity_regularizer: a penalty on what the projections give, added to the loss.
        kernel_constraint, bias_constraint: what the weights are held to after each step of training.
        use_gate: whether heads are multiplied by sigmoid(query W + b), one more projection.
        seed: None to go by `lamina.set_seed`, or an integer for dropout of this layer's own.
        **kwargs: name, trainable, dtype: see Layer.

    Weights: as MultiHeadAttention, with num_key_value_heads heads for key and value.

    Raises:
        ValueError: if heads do not divide; when called, if shapes do not fit.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.ones((2, 5, 8), "float32")
        >>> layer = lm.layers.GroupQueryAttention(head_dim=4, num_query_heads=4, num_key_value_heads=2)
        >>> layer(x, x).shape, layer.key_dense.kernel.shape
        ((2, 5, 8), (8, 2, 4))

    Reference:
        Ainslie et al. 2023, arXiv:2305.13245; Shazeer 2019, arXiv:1911.02150 (multi-query attention).
    """

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            dropout, use_bias, sliding_window, kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint, use_gate, seed, **kwargs,
        )  # fmt: skip
        self.size = self.value_size = self.head_dim = positive(head_dim, self.name, "head_dim")
        self.heads = self.num_query_heads = positive(num_query_heads, self.name, "num_query_heads")
        self.key_heads = self.num_key_value_heads = positive(num_key_value_heads, self.name, "num_key_value_heads")
        if self.heads % self.key_heads:
            raise ValueError(
                f"{self.name}: num_key_value_heads={num_key_value_heads} does not divide "
                f"num_query_heads={num_query_heads}"
            )

    def _shapes(self, input_shape: Any) -> list[Shape]:
        shapes = super()._shapes(input_shape)
        if len(shapes[0]) != 3:
            raise ValueError(f"{self.name}: inputs must have shape (B, T, features), got {shapes[0]}")
        return shapes

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "head_dim": self.head_dim,
            "num_query_heads": self.num_query_heads,
            "num_key_value_heads": self.num_key_value_heads,
        }
