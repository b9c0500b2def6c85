"""BERT: a Transformer's encoder that learns from both sides of every word, first from bare text, then for a task.

Paper: Devlin et al. 2018, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
arXiv:1810.04805. Its claim: an encoder trained on masked words and pairs of sentences needs one more layer, and a few
epochs, to be good at classification, tagging and question answering.

Differs from the paper in: no length schedule of its own (the paper trains 90 % of the steps on 128 tokens): rows may
have any length from batch to batch. Where all rows have their masked places listed (masked_positions), logits are made
for these alone, as in the paper's code; without them for all, as in Hugging Face's.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from lamina import initializers, ops
from lamina.layers.checks import above_zero, positive, share
from lamina.layers.core import Dense, Dropout, Input
from lamina.layers.embedding import Embedding
from lamina.layers.layer import Layer, register
from lamina.layers.normalization_sample import LayerNormalization
from lamina.layers.shapes import Shape
from lamina.layers.transformer import TransformerEncoder
from lamina.models.graph_config import restore_layer, stored_layer

ACTIVATIONS = ("gelu", "relu", "silu", "swish", "tanh")  # that are computed here as in Hugging Face's


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """The sizes of a BERT, by the names and with the defaults of Hugging Face's BertConfig: BERT-base, uncased.

    Args:
        vocab_size: how many tokens there are.
        hidden_size: features of every token; num_attention_heads divides it.
        num_hidden_layers: blocks of the encoder.
        num_attention_heads: heads of attention in each.
        intermediate_size: units of the first of a block's two dense layers.
        hidden_act: their activation: "gelu" (exact), "relu", "silu", "swish" or "tanh".
        hidden_dropout_prob: dropout behind the embeddings, in blocks behind attention and dense layers, and in heads.
        attention_probs_dropout_prob: dropout of attention's probabilities.
        max_position_embeddings: the longest row.
        type_vocab_size: how many kinds of segments there are.
        initializer_range: the standard deviation of the first values of kernels and tables.
        layer_norm_eps: what layer normalisation adds to the variance.
        pad_token_id: the number of [PAD]; kept for the file, rows say with attention_mask what is padding.

    Raises:
        ValueError: if a size makes no sense, or heads do not divide the features.

    Example:
        >>> from lamina.applications import BertConfig
        >>> BertConfig.large().hidden_size
        1024
    """

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
                     "max_position_embeddings", "type_vocab_size"):  # fmt: skip
            positive(getattr(self, name), "BertConfig", name)
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            share(getattr(self, name), "BertConfig", name)
        above_zero(self.initializer_range, "BertConfig", "initializer_range")
        above_zero(self.layer_norm_eps, "BertConfig", "layer_norm_eps")
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"BertConfig: num_attention_heads={self.num_attention_heads} does not divide "
                f"hidden_size={self.hidden_size}"
            )
        if self.hidden_act not in ACTIVATIONS:
            raise ValueError(f"BertConfig: hidden_act must be one of {ACTIVATIONS}, got {self.hidden_act!r}")

    @classmethod
    def large(cls, **others: Any) -> BertConfig:
        """BERT-large: 24 blocks of 1024 features and 16 heads."""
        sizes = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
        return cls(**{**sizes, **others})

    @classmethod
    def tiny(cls, **others: Any) -> BertConfig:
        """BERT-tiny: 2 blocks of 128 features and 2 heads (Turc et al. 2019, arXiv:1908.08962)."""
        sizes = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 512}
        return cls(**{**sizes, **others})

    @classmethod
    def from_file(cls, path: str | Path) -> BertConfig:
        """The configuration of a Hugging Face config.json; what it says beyond these sizes is passed over.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is no JSON object, is of another kind of model or of another form of BERT (relative
                positions, a decoder), or its sizes make no sense.
        """
        try:
            given = json.loads(Path(path).read_text(encoding="utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ValueError(f"BertConfig: {path} is no JSON: {error}") from None
        if not isinstance(given, dict) or given.get("model_type", "bert") != "bert":
            kind = given.get("model_type") if isinstance(given, dict) else type(given).__name__
            raise ValueError(f'BertConfig: {path} must tell of a model_type "bert", got {kind!r}')
        for name, expected in (("position_embedding_type", "absolute"), ("is_decoder", False)):
            if given.get(name, expected) != expected:
                raise ValueError(f"BertConfig: {path} has {name}={given[name]!r}; only {expected!r} is built here")
        return cls(**{field.name: given[field.name] for field in dataclasses.fields(cls) if field.name in given})


def _initializer(config: BertConfig) -> Any:
    return initializers.TruncatedNormal(stddev=config.initializer_range)


@register
class BertEmbeddings(Layer):
    """norm(token + position + segment), with dropout: what the encoder begins with.

    Called as ``layer(input_ids, token_type_ids)`` on integers (N, T) each.

    Args:
        config: a `BertConfig`, or a dictionary of its fields.
        **kwargs: name, trainable, dtype: see Layer.

    Weights: tables (vocab_size, hidden_size) of tokens, (max_position_embeddings, hidden_size) of positions and
    (type_vocab_size, hidden_size) of segments; gamma and beta.

    Raises:
        ValueError: called on rows without tokens, or longer than the table of positions, or on numbers out of range.

    Example:
        >>> import numpy as np
        >>> from lamina.applications.bert import BertConfig, BertEmbeddings
        >>> layer = BertEmbeddings(BertConfig.tiny(vocab_size=10))
        >>> layer(np.array([[1, 7, 2]]), np.array([[0, 0, 0]])).shape
        (1, 3, 128)
    """

    autocast = False

    def __init__(self, config: BertConfig | dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        c = self.config = BertConfig(**config) if isinstance(config, dict) else config
        tables = [("word", c.vocab_size), ("position", c.max_position_embeddings), ("token_type", c.type_vocab_size)]
        self.word_embeddings, self.position_embeddings, self.token_type_embeddings = (
            Embedding(rows, c.hidden_size, _initializer(c), name=f"{name}_embeddings", dtype=self.dtype_policy)
            for name, rows in tables
        )
        self.layer_norm = LayerNormalization(epsilon=c.layer_norm_eps, name="LayerNorm", dtype=self.dtype_policy)
        self.dropout = Dropout(c.hidden_dropout_prob, dtype=self.dtype_policy)

    def build(self, input_shape: Any = None) -> None:
        for layer in (self.word_embeddings, self.position_embeddings, self.token_type_embeddings):
            layer.build(None)
        self.layer_norm.build((None, None, self.config.hidden_size))

    def call(self, input_ids: Any, token_type_ids: Any) -> Any:  # type: ignore[override]
        shape, most = tuple(input_ids.shape), self.config.max_position_embeddings
        if len(shape) != 2 or not 1 <= shape[1] <= most:
            raise ValueError(f"{self.name}: input_ids must have shape (N, T), T from 1 to the {most} positions that "
                             f"there are, got {shape}")  # fmt: skip
        if tuple(token_type_ids.shape) != shape:
            raise ValueError(f"{self.name}: token_type_ids must have the shape of input_ids, {shape}, got "
                             f"{tuple(token_type_ids.shape)}")  # fmt: skip
        positions = self.position_embeddings.embeddings[: shape[1]]
        x = self.word_embeddings(input_ids) + self.token_type_embeddings(token_type_ids) + positions
        return self.dropout(self.layer_norm(x))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "config": dataclasses.asdict(self.config)}


@register
class BertBlock(TransformerEncoder):
    """`TransformerEncoder`, with attention's dropout apart from that of the features.

    Args:
        attention_dropout: the fraction of attention's probabilities dropped in training.
        **kwargs: see TransformerEncoder.

    Example:
        >>> import numpy as np
        >>> from lamina.applications.bert import BertBlock
        >>> block = BertBlock(attention_dropout=0.0, intermediate_dim=32, num_heads=2, dropout=0.1)
        >>> block(np.ones((1, 3, 8), "float32")).shape
        (1, 3, 8)
    """

    def __init__(self, attention_dropout: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention_dropout = share(attention_dropout, self.name, "attention_dropout")

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.self_attention_layer.dropout = self.attention_dropout

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "attention_dropout": self.attention_dropout}


class _Tied:
    """Holds a layer whose weights another one uses but does not own."""

    def __init__(self, layer: BertEmbeddings) -> None:
        self.layer = layer


@register
class BertPredictions(Layer):
    """The head of the masked language model: logits of all tokens, by the table of the embeddings.

    norm(activation(x W + b)) . E' + c. Called as ``layer(x, masked_positions=None)`` on x (N, T, hidden_size);
    masked_positions (N, P) names the places that logits are wanted for.

    Args:
        embeddings: the `BertEmbeddings` of the model, whose table E is used.
        **kwargs: name, trainable, dtype: see Layer.

    Weights: kernel, bias, gamma and beta of the transform, and the bias c (vocab_size,).

    Example:
        >>> import numpy as np
        >>> from lamina.applications.bert import BertConfig, BertEmbeddings, BertPredictions
        >>> embeddings = BertEmbeddings(BertConfig.tiny(vocab_size=10))
        >>> x = embeddings(np.array([[1, 7, 2]]), np.array([[0, 0, 0]]))
        >>> BertPredictions(embeddings)(x, np.array([[1, 2]])).shape
        (1, 2, 10)
    """

    def __init__(self, embeddings: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._tied = _Tied(restore_layer(embeddings) if isinstance(embeddings, dict) else embeddings)
        c = self.config = self._tied.layer.config
        self.transform = Dense(c.hidden_size, c.hidden_act, kernel_initializer=_initializer(c), name="transform",
                               dtype=self.dtype_policy)  # fmt: skip
        self.layer_norm = LayerNormalization(epsilon=c.layer_norm_eps, name="LayerNorm", dtype=self.dtype_policy)
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        self.transform.build(input_shape)
        self.layer_norm.build(input_shape)
        self.bias = self.add_weight((self.config.vocab_size,), "zeros", name="bias")

    def call(self, x: Any, masked_positions: Any = None) -> Any:
        if masked_positions is not None:
            x = ops.take_along_axis(x, ops.expand_dims(masked_positions, -1), axis=1)
        x = self.layer_norm(self.transform(x))
        return ops.matmul(x, self._tied.layer.word_embeddings.embeddings, transpose_b=True) + self.bias

    def flops(self, input_shape: Shape) -> int:
        if None in input_shape[1:]:
            return 0
        return self.transform.flops(input_shape) + 2 * input_shape[1] * self.config.hidden_size * self.config.vocab_size

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "embeddings": stored_layer(self._tied.layer)}


class Backbone:
    """The inputs of a model and what the encoder makes of them, layer names as in Hugging Face's files."""

    def __init__(self, config: BertConfig, length: int | None) -> None:
        if not isinstance(config, BertConfig):
            raise TypeError(f"expected a BertConfig, got {type(config).__name__}")
        self.config = config
        names = ("input_ids", "token_type_ids", "attention_mask")
        self.inputs = {name: Input((length,), dtype="int64", name=name) for name in names}
        self.embeddings = BertEmbeddings(config, name="embeddings")
        x = self.embeddings(self.inputs["input_ids"], self.inputs["token_type_ids"])
        for i in range(config.num_hidden_layers):
            x = BertBlock(
                config.attention_probs_dropout_prob,
                intermediate_dim=config.intermediate_size,
                num_heads=config.num_attention_heads,
                dropout=config.hidden_dropout_prob,
                activation=config.hidden_act,
                layer_norm_epsilon=config.layer_norm_eps,
                kernel_initializer=_initializer(config),
                name=f"layer_{i}",
            )(x, padding_mask=self.inputs["attention_mask"])
        self.hidden = x

    def pooled(self) -> Any:
        """tanh(W x_[CLS] + b)."""
        return self.dense("pooler", self.hidden[:, 0], self.config.hidden_size, "tanh")

    def dense(self, name: str, x: Any, units: int, activation: str | None = None) -> Any:
        return Dense(units, activation, kernel_initializer=_initializer(self.config), name=name)(x)

    def head(self, name: str, x: Any, units: int) -> Any:
        """Dropout and a dense layer, of a task."""
        return self.dense(name, Dropout(self.config.hidden_dropout_prob)(x), units)
