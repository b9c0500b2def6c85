"""TransformerEncoder, TransformerDecoder: the blocks that Transformers are stacks of."""

from __future__ import annotations

from typing import Any

from lamina import backend, initializers
from lamina.autograd.symbolic import SymbolicTensor
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor
from lamina.layers import activations
from lamina.layers.cached_attention import CachedMultiHeadAttention
from lamina.layers.checks import above_zero, positive, share
from lamina.layers.core import Dense, Dropout
from lamina.layers.layer import Layer, register
from lamina.layers.masks import MaskArguments, without_mask
from lamina.layers.normalization_sample import LayerNormalization
from lamina.layers.shapes import Shape, is_shape, shape_of_batch


class TransformerBlock(Layer):
    """What encoder and decoder blocks share: sublayers, each with dropout, a sum with its input, and normalisation."""

    supports_masking = True
    self_attention_layer: Any = None
    cross_attention_layer: Any = None
    feedforward_layer_norm: LayerNormalization

    def __init__(
        self,
        intermediate_dim: int,
        num_heads: int,
        dropout: float,
        activation: Any,
        layer_norm_epsilon: float,
        kernel_initializer: Any,
        bias_initializer: Any,
        normalize_first: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.intermediate_dim = positive(intermediate_dim, self.name, "intermediate_dim")
        self.num_heads = positive(num_heads, self.name, "num_heads")
        self.dropout = share(dropout, self.name, "dropout")
        self._activation_name, self.activation = activations.get(activation, self.name)
        self.layer_norm_epsilon = above_zero(layer_norm_epsilon, self.name, "layer_norm_epsilon")
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.normalize_first = bool(normalize_first)
        self.dropout_layer = Dropout(self.dropout, dtype=self.dtype_policy)

    # What the blocks are built of

    def _attention(self, name: str, query: Shape, value: Shape) -> CachedMultiHeadAttention:
        if len(query) != 3 or len(value) != 3 or query[-1] is None:
            raise ValueError(f"{self.name}: sequences must have shape (B, T, features), got {query} and {value}")
        if self.num_heads > query[-1]:
            raise ValueError(f"{self.name}: num_heads={self.num_heads} is more than the {query[-1]} features")
        layer = CachedMultiHeadAttention(
            self.num_heads, query[-1] // self.num_heads, dropout=self.dropout, name=name, **self._initializers()
        )
        layer.build([query, value])
        return layer

    def _normalization(self, name: str, shape: Shape) -> LayerNormalization:
        layer = LayerNormalization(epsilon=self.layer_norm_epsilon, name=name, dtype=self.dtype_policy)
        layer.build(shape)
        return layer

    def _dense(self, name: str, inputs: int, units: int, activation: Any = None) -> Dense:
        layer = Dense(units, activation, name=name, **self._initializers())
        layer.build((None, None, inputs))
        return layer

    def _initializers(self) -> dict[str, Any]:
        """Settings of a layer inside; initializers with a seed begin anew in each."""
        given = {"kernel_initializer": self.kernel_initializer, "bias_initializer": self.bias_initializer}
        again = {name: initializers.get(initializers.serialize(value)) for name, value in given.items()}
        return {**again, "dtype": self.dtype_policy}

    def _build_feedforward(self, shape: Shape) -> None:
        activation = self._activation_name if self._activation_name is not None else self.activation
        self.feedforward_intermediate_dense = self._dense(
            "feedforward_intermediate_dense", shape[-1], self.intermediate_dim, activation
        )
        self.feedforward_output_dense = self._dense("feedforward_output_dense", self.intermediate_dim, shape[-1])

    # The call

    def _before(self, norm: LayerNormalization, x: Any) -> Any:
        """What a sublayer gets for the block's x."""
        return norm(x) if self.normalize_first else x

    def _after(self, norm: LayerNormalization, x: Any, y: Any) -> Any:
        """What comes of the sublayer's y and the block's x."""
        y = x + self.dropout_layer(y)
        return y if self.normalize_first else norm(y)

    def _feedforward(self, x: Any) -> Any:
        y = self.feedforward_intermediate_dense(self._before(self.feedforward_layer_norm, x))
        return self._after(self.feedforward_layer_norm, x, self.feedforward_output_dense(y))

    # What others ask

    def _feedforward_flops(self, shape: Shape) -> int:
        inner = (*shape[:-1], self.intermediate_dim)
        return (
            self.feedforward_intermediate_dense.flops(shape)
            + self.feedforward_output_dense.flops(inner)
            + self.feedforward_layer_norm.flops(shape)
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "intermediate_dim": self.intermediate_dim,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "activation": activations.serialize(self._activation_name, self.activation, self.name),
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "normalize_first": self.normalize_first,
        }


@register
class TransformerEncoder(TransformerBlock):
    """A block of a Transformer's encoder: self-attention, then two dense layers, each with a residual connection.

    After each sublayer (the paper): x = norm(x + dropout(sublayer(x))); with normalize_first: x = x +
    dropout(sublayer(norm(x))). Called as ``layer(inputs, padding_mask=None, attention_mask=None,
    return_attention_scores=False)`` on inputs (B, T, features). padding_mask: booleans (B, T), True for steps that
    count, by default the mask that inputs carry; steps that do not count are seen by none. A row with nothing but
    padding attends to nothing: its attention gives 0. attention_mask: True where a step sees another, (T, T) or
    (B, T, T). With return_attention_scores: (y, scores), scores (B, heads, T, T).

    Args:
        intermediate_dim: units of the first of the two dense layers.
        num_heads: heads of attention; each has features // num_heads entries.
        dropout: the fraction dropped behind each sublayer, and of attention's probabilities, in training.
        activation: of the first dense layer.
        layer_norm_epsilon: what layer normalisation adds to the variance.
        kernel_initializer, bias_initializer: first values of attention's projections and dense layers.
        normalize_first: whether sublayers get normalised inputs, in place of normalising what comes after them.
        **kwargs: name, trainable, dtype: see Layer.

    Weights: those of MultiHeadAttention, gamma and beta of its normalisation, gamma and beta of the dense layers'
    normalisation, kernel and bias of both dense layers.

    Raises:
        ValueError: if an argument makes no sense, or inputs have another number of axes.

    Example:
        >>> import lamina as lm, numpy as np
        >>> layer = lm.layers.TransformerEncoder(intermediate_dim=64, num_heads=8)
        >>> layer(np.ones((2, 10, 32), "float32")).shape
        (2, 10, 32)

    Reference:
        Vaswani et al. 2017, arXiv:1706.03762; Xiong et al. 2020, arXiv:2002.04745 (normalize_first).
    """

    _mask_arguments = MaskArguments(lambda self, inputs: None)
    _mask_arguments.others = (("inputs", 0, "padding_mask", 1),)

    def __init__(
        self,
        intermediate_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        activation: Any = "relu",
        layer_norm_epsilon: float = 1e-5,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        normalize_first: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            intermediate_dim, num_heads, dropout, activation, layer_norm_epsilon, kernel_initializer, bias_initializer,
            normalize_first, **kwargs,
        )  # fmt: skip

    def build(self, input_shape: Any) -> None:
        self.self_attention_layer = self._attention("self_attention_layer", input_shape, input_shape)
        self.self_attention_layer_norm = self._normalization("self_attention_layer_norm", input_shape)
        self.feedforward_layer_norm = self._normalization("feedforward_layer_norm", input_shape)
        self._build_feedforward(input_shape)

    def call(
        self, inputs: Any, padding_mask: Any = None, attention_mask: Any = None, return_attention_scores: bool = False
    ) -> Any:
        x = without_mask(inputs)
        attended = self._before(self.self_attention_layer_norm, x)
        y = self.self_attention_layer(
            attended,
            attended,
            value_mask=padding_mask,
            attention_mask=attention_mask,
            return_attention_scores=return_attention_scores,
        )
        y, scores = y if return_attention_scores else (y, None)
        y = self._feedforward(self._after(self.self_attention_layer_norm, x, y))
        return (y, scores) if return_attention_scores else y

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    _tells_shape = False  # there may be scores beside it

    def flops(self, input_shape: Shape) -> int:
        if None in input_shape[1:]:
            return 0
        attention = self.self_attention_layer.flops([input_shape, input_shape])
        return attention + self.self_attention_layer_norm.flops(input_shape) + self._feedforward_flops(input_shape)


@register
class TransformerDecoder(TransformerBlock):
    """A block of a Transformer's decoder: causal self-attention, attention to the encoder's output, two dense layers.

    Called as ``layer(decoder_sequence, encoder_sequence=None, ...)`` on (B, T, features) and (B, S, features of the
    encoder). Without an encoder_sequence there is no attention to it, and no weights for it: a block of a language
    model. Further arguments of the call: decoder_padding_mask (B, T) and encoder_padding_mask (B, S), True for steps
    that count, by default the masks that the sequences carry; decoder_attention_mask (T, T) or (B, T, T) and
    encoder_attention_mask (T, S) or (B, T, S), True where a step sees another; use_causal_mask=True;
    return_attention_scores, which gives (y, scores) with scores those of the attention to the encoder, (B, heads, T,
    S), or of self-attention where there is none.

    To write a sequence step by step: self_attention_cache and self_attention_cache_update_index, cross_attention_cache
    and cross_attention_cache_update_index, see `CachedMultiHeadAttention`. The call then gives (y,
    self_attention_cache), and after it cross_attention_cache where that was given. Steps in a cache all count: with
    one, decoder_padding_mask and decoder_attention_mask are not looked at.

    Args:
        intermediate_dim: units of the first of the two dense layers.
        num_heads: heads of attention; each has features // num_heads entries.
        dropout: the fraction dropped behind each sublayer, and of attention's probabilities, in training.
        activation: of the first dense layer.
        layer_norm_epsilon: what layer normalisation adds to the variance.
        kernel_initializer, bias_initializer: first values of attention's projections and dense layers.
        normalize_first: whether sublayers get normalised inputs, in place of normalising what comes after them.
        **kwargs: name, trainable, dtype: see Layer.

    Weights: those of self-attention and of its normalisation, of the attention to the encoder and of its
    normalisation, of the dense layers, and of their normalisation.

    Raises:
        ValueError: if an argument makes no sense; when called, if shapes do not fit, or an encoder_sequence comes (or
            does not) where the first call had none (or one).

    Example:
        >>> import lamina as lm, numpy as np
        >>> layer = lm.layers.TransformerDecoder(intermediate_dim=64, num_heads=8)
        >>> layer(np.ones((2, 10, 32), "float32"), np.ones((2, 7, 32), "float32")).shape
        (2, 10, 32)

    Reference:
        Vaswani et al. 2017, arXiv:1706.03762; Xiong et al. 2020, arXiv:2002.04745 (normalize_first).
    """

    _mask_arguments = MaskArguments(lambda self, decoder_sequence: None)
    _mask_arguments.others = (
        ("decoder_sequence", 0, "decoder_padding_mask", 2),
        ("encoder_sequence", 1, "encoder_padding_mask", 4),
    )

    def __init__(
        self,
        intermediate_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        activation: Any = "relu",
        layer_norm_epsilon: float = 1e-5,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        normalize_first: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            intermediate_dim, num_heads, dropout, activation, layer_norm_epsilon, kernel_initializer, bias_initializer,
            normalize_first, **kwargs,
        )  # fmt: skip

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Builds the layer for the shapes of both sequences, then calls it."""
        if not self.built:
            names = ("decoder_sequence", "encoder_sequence")
            given = {**dict(zip(names, args, strict=False)), **{n: kwargs[n] for n in names if n in kwargs}}
            sequences = [x if isinstance(x, Tensor | SymbolicTensor) else backend.as_array(x)
                         for x in given.values() if x is not None]  # fmt: skip
            with no_grad():
                self.build([shape_of_batch(x) for x in sequences])
        return super().__call__(*args, **kwargs)

    def build(self, input_shape: Any) -> None:
        shapes = [input_shape] if is_shape(input_shape) else list(input_shape)
        self.self_attention_layer = self._attention("self_attention_layer", shapes[0], shapes[0])
        self.self_attention_layer_norm = self._normalization("self_attention_layer_norm", shapes[0])
        if len(shapes) > 1:
            self.cross_attention_layer = self._attention("cross_attention_layer", shapes[0], shapes[1])
            self.cross_attention_layer_norm = self._normalization("cross_attention_layer_norm", shapes[0])
        self._build_feedforward(shapes[0])
        self.feedforward_layer_norm = self._normalization("feedforward_layer_norm", shapes[0])

    def call(
        self,
        decoder_sequence: Any,
        encoder_sequence: Any = None,
        decoder_padding_mask: Any = None,
        decoder_attention_mask: Any = None,
        encoder_padding_mask: Any = None,
        encoder_attention_mask: Any = None,
        self_attention_cache: Any = None,
        self_attention_cache_update_index: int | None = None,
        cross_attention_cache: Any = None,
        cross_attention_cache_update_index: int | None = None,
        use_causal_mask: bool = True,
        return_attention_scores: bool = False,
    ) -> Any:
        crosses = encoder_sequence is not None or cross_attention_cache is not None
        if crosses != (self.cross_attention_layer is not None):
            had = "an" if self.cross_attention_layer is not None else "no"
            raise ValueError(f"{self.name}: it was built with {had} encoder_sequence, and must be called so again")
        x = without_mask(decoder_sequence)
        attended = self._before(self.self_attention_layer_norm, x)
        y = self.self_attention_layer(
            attended,
            attended,
            value_mask=decoder_padding_mask,
            attention_mask=decoder_attention_mask,
            use_causal_mask=use_causal_mask,
            return_attention_scores=return_attention_scores and not crosses,
            cache=self_attention_cache,
            cache_update_index=self_attention_cache_update_index,
        )
        y, *others = y if isinstance(y, tuple) else (y,)
        x = self._after(self.self_attention_layer_norm, x, y)
        if crosses:
            attended = self._before(self.cross_attention_layer_norm, x)
            source = attended if encoder_sequence is None else without_mask(self._accept(encoder_sequence))
            y = self.cross_attention_layer(
                attended,
                source,
                value_mask=encoder_padding_mask,
                attention_mask=encoder_attention_mask,
                return_attention_scores=return_attention_scores,
                cache=cross_attention_cache,
                cache_update_index=cross_attention_cache_update_index,
            )
            y, *more = y if isinstance(y, tuple) else (y,)
            others = [*more[:1], *others, *more[1:]] if return_attention_scores else [*others, *more]
            x = self._after(self.cross_attention_layer_norm, x, y)
        y = self._feedforward(x)
        return (y, *others) if others else y

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return mask

    _makes_masks = False

    def compute_output_shape(self, input_shape: Any, encoder_shape: Any = None) -> Any:
        return input_shape if is_shape(input_shape) else input_shape[0]

    _tells_shape = False  # there may be caches and scores beside it

    def flops(self, input_shape: Shape) -> int:
        shapes = [input_shape] if is_shape(input_shape) else list(input_shape)
        if any(None in shape[1:] for shape in shapes):
            return 0
        total = self.self_attention_layer.flops([shapes[0], shapes[0]]) + self._feedforward_flops(shapes[0])
        total += self.self_attention_layer_norm.flops(shapes[0])
        if self.cross_attention_layer is not None:
            total += self.cross_attention_layer.flops([shapes[0], shapes[-1]])
            total += self.cross_attention_layer_norm.flops(shapes[0])
        return total
