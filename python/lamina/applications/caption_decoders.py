"""The decoders of `lamina.applications.captioning`: LSTMs that see a picture once, or look at it for every word."""

from __future__ import annotations

from typing import Any

from lamina import ops
from lamina.autograd.tensor import Tensor
from lamina.layers.checks import number as real
from lamina.layers.checks import positive, share
from lamina.layers.core import Dense, Dropout
from lamina.layers.layer import Layer, register
from lamina.layers.masks import without_mask
from lamina.layers.recurrent_cells import LSTMCell


@register
class CaptionDecoder(Layer):
    """An LSTM that reads a picture's vector, then words; a dense layer gives the logits of the next ones.

    Called as ``layer(features, embedded)`` on a feature map (B, H, W, C) and words' vectors (B, T, E), it gives logits
    (B, T, vocabulary_size).

    Args:
        vocabulary_size: how many words there are.
        embedding_dim: the length of words' vectors.
        units: of the LSTM.
        dropout: the fraction of its outputs that training drops.
        **kwargs: name, trainable, dtype: see Layer.

    Reference:
        Vinyals et al. 2015, arXiv:1411.4555.
    """

    def __init__(
        self, vocabulary_size: int, embedding_dim: int, units: int, dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size = positive(vocabulary_size, self.name, "vocabulary_size")
        self.embedding_dim = positive(embedding_dim, self.name, "embedding_dim")
        self.units = positive(units, self.name, "units")
        self.dropout = share(dropout, self.name, "dropout")
        self.cell = LSTMCell(self.units, name="cell")
        self.dropout_layer = Dropout(self.dropout)
        self.logits_dense = Dense(self.vocabulary_size, name="logits")
        self._make_layers()

    def _make_layers(self) -> None:
        self.image_dense = Dense(self.embedding_dim, name="image")

    def call(self, features: Any, embedded: Any) -> Any:  # type: ignore[override]
        view, state = self.begin(features)
        outputs, looks = [], []
        for t in range(embedded.shape[1]):
            output, state, attention = self._advance(view, embedded[:, t], state)
            outputs.append(output)
            looks.append(attention)
        self._penalise(looks, embedded)
        return self.logits_dense(self.dropout_layer(ops.stack(outputs, axis=1)))

    def begin(self, features: Any) -> tuple[Any, list[Any]]:
        """What steps need of a feature map, and the state before the first word."""
        flat = ops.reshape(features, (features.shape[0], -1))
        _, state = self.cell(self.image_dense(flat), [self._zeros(flat), self._zeros(flat)])
        return None, state

    def step(self, view: Any, embedded: Any, state: Any) -> tuple[Any, list[Any], Any]:
        """Reads one word's vector (B, E): the logits of the next word, the state, and the attention (B, places)."""
        output, state, attention = self._advance(view, without_mask(embedded), state)
        return self.logits_dense(output), state, attention

    def _advance(self, view: Any, embedded: Any, state: Any) -> tuple[Any, list[Any], Any]:
        output, state = self.cell(embedded, state)
        return output, state, None

    def _penalise(self, looks: list[Any], embedded: Any) -> None:
        """Adds to the loss what the attention of a sentence costs."""

    def _zeros(self, like: Any) -> Tensor:
        return ops.to(ops.zeros((like.shape[0], self.units), like.dtype), like.device)

    def get_config(self) -> dict[str, Any]:
        names = ("vocabulary_size", "embedding_dim", "units", "dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@register
class AttentionCaptionDecoder(CaptionDecoder):
    """An LSTM that looks at a feature map for every word.

    ::

        e_i = w' tanh(W_a a_i + W_h h)       a_i: the features of place i, h: the state before the word
        alpha = softmax(e)
        z = sigmoid(W_b h) sum_i alpha_i a_i
        h', c' = LSTM([word, z], h, c)
        logits = W_o (word + W_1 h' + W_2 z)

    The first state comes from the mean of all places, by two dense layers.

    Args:
        vocabulary_size: how many words there are.
        embedding_dim: the length of words' vectors.
        units: of the LSTM.
        attention_units: the length of w.
        dropout: the fraction of what the words are read from that training drops.
        attention_penalty: times the mean over places of (1 - sum over words of alpha)^2 is added to the loss.
        **kwargs: name, trainable, dtype: see Layer.

    Reference:
        Xu et al. 2015, arXiv:1502.03044.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        units: int,
        attention_units: int,
        dropout: float = 0.0,
        attention_penalty: float = 1.0,
        **kwargs: Any,
    ) -> None:
        self.attention_units = positive(attention_units, "attention decoder", "attention_units")
        super().__init__(vocabulary_size, embedding_dim, units, dropout, **kwargs)
        self.attention_penalty = real(attention_penalty, self.name, "attention_penalty")

    def _make_layers(self) -> None:
        self.first_dense = [Dense(self.units, "tanh", name=f"first_{part}") for part in "hc"]
        self.features_dense = Dense(self.attention_units, name="features")
        self.hidden_dense = Dense(self.attention_units, use_bias=False, name="hidden")
        self.score_dense = Dense(1, use_bias=False, name="score")
        self.gate_dense = Dense(1, "sigmoid", name="gate")
        self.output_dense = Dense(self.embedding_dim, name="from_state")
        self.context_dense = Dense(self.embedding_dim, use_bias=False, name="from_context")

    def begin(self, features: Any) -> tuple[Any, list[Any]]:
        places = ops.reshape(features, (features.shape[0], -1, features.shape[-1]))
        mean = ops.mean(places, axis=1)
        return (places, self.features_dense(places)), [dense(mean) for dense in self.first_dense]

    def _advance(self, view: Any, embedded: Any, state: Any) -> tuple[Any, list[Any], Any]:
        places, projected = view
        hidden = state[0]
        scores = self.score_dense(ops.tanh(projected + ops.expand_dims(self.hidden_dense(hidden), 1)))
        attention = ops.softmax(ops.reshape(scores, scores.shape[:2]))
        context = ops.reshape(ops.matmul(ops.expand_dims(attention, 1), places), (places.shape[0], places.shape[2]))
        context = context * self.gate_dense(hidden)
        output, state = self.cell(ops.concatenate([embedded, context], axis=-1), state)
        return embedded + self.output_dense(output) + self.context_dense(context), state, attention

    def _penalise(self, looks: list[Any], embedded: Any) -> None:
        if not self.attention_penalty:
            return
        whole = ops.stack(looks, axis=1)
        if embedded._mask is not None:
            whole = whole * ops.expand_dims(ops.cast(embedded._mask, whole.dtype), -1)
        missed = 1 - ops.sum(whole, axis=1)
        self.add_loss(self.attention_penalty * ops.mean(missed * missed))

    def get_config(self) -> dict[str, Any]:
        more = {"attention_units": self.attention_units, "attention_penalty": self.attention_penalty}
        return {**super().get_config(), **more}
