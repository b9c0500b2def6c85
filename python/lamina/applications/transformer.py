"""The Transformer: sequences to sequences by attention alone.

Vaswani et al. 2017, "Attention Is All You Need", arXiv:1706.03762. Its claim: attention, without recurrence and without
convolution, translates better than both, in a fraction of the time that it takes to train them.

Here are the paper's encoder-decoder (`Transformer`), its body without tokens (`TransformerBody`, which is
torch.nn.Transformer), and what the same blocks make alone: an encoder of texts (`TransformerEncoderOnly`) and a
language model (`TransformerDecoderOnly`; Liu et al. 2018, arXiv:1801.10198; Radford et al. 2018).

Differs from the paper in: dropout on the probabilities of attention too, as the authors' own code and torch have it;
normalisation before sublayers, learned positions and a vocabulary for each side can be asked for. Training is the
user's: the paper's schedule is `lamina.optimizers.schedules.InverseSquareRoot`, its optimizer
`Adam(rate, beta_2=0.98, epsilon=1e-9)`, its loss `SparseCategoricalCrossentropy(from_logits=True, ignore_class=0,
label_smoothing=0.1)`.
"""

from __future__ import annotations

from typing import Any

from lamina.autograd.symbolic import SymbolicTensor
from lamina.initializers import RandomNormal
from lamina.layers.core import Dense, Input
from lamina.layers.normalization_sample import LayerNormalization
from lamina.layers.pooling_global import GlobalAveragePooling1D
from lamina.layers.reversible_embedding import ReversibleEmbedding, TransformerPositions
from lamina.layers.transformer import TransformerDecoder, TransformerEncoder
from lamina.models.model import Model


def Transformer(
    vocabulary_size: int = 37_000,
    target_vocabulary_size: int | None = None,
    num_layers: int = 6,
    hidden_dim: int = 512,
    num_heads: int = 8,
    intermediate_dim: int = 2048,
    dropout: float = 0.1,
    activation: Any = "relu",
    normalize_first: bool = False,
    final_norm: bool | None = None,
    positions: str = "sinusoidal",
    sequence_length: int = 1024,
    tie_embeddings: bool = True,
    name: str = "transformer",
) -> Model:
    """The paper's encoder-decoder, by default its base model.

    Args:
        vocabulary_size: tokens of the source; 0 is padding.
        target_vocabulary_size: tokens of the target; None: both sides share one vocabulary, and its vectors.
        num_layers: blocks of the encoder, and of the decoder.
        hidden_dim: the length of vectors between blocks.
        num_heads: heads of each attention.
        intermediate_dim: units of the first dense layer of a block.
        dropout: the fraction dropped in training.
        activation: of the first dense layer.
        normalize_first: whether sublayers get normalised inputs; the paper normalises behind them.
        final_norm: whether encoder and decoder end in layer normalisation; None for normalize_first.
        positions: "sinusoidal" or "learned".
        sequence_length: how long sequences may be; longer ones are refused.
        tie_embeddings: whether the output's weights are the target's vectors, as in the paper.
        name: the model's name.

    Returns:
        Model of [source tokens (B, S), target tokens (B, T)] that gives logits (B, T, target vocabulary): row t is for
        the token that follows target token t. Padding is masked; `lamina.applications.generate` decodes.

    Raises:
        ValueError: if a size makes no sense; when called, for sequences that are too long, or unknown tokens.

    Example:
        >>> import lamina as lm, numpy as np
        >>> model = lm.applications.Transformer(20, num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=16)
        >>> model([np.array([[3, 4, 5, 0]]), np.array([[1, 6]])]).shape
        (1, 2, 20)

    Reference:
        Vaswani et al. 2017, arXiv:1706.03762.
    """
    sizes = (num_layers, num_heads, intermediate_dim, dropout, activation, normalize_first)
    ends = normalize_first if final_norm is None else final_norm
    source, target = Input((None,), dtype="int64", name="source"), Input((None,), dtype="int64", name="target")
    if target_vocabulary_size is None:
        of_source = of_target = _embedding("embedding", vocabulary_size, hidden_dim, tie_embeddings)
    else:
        of_source = _embedding("source_embedding", vocabulary_size, hidden_dim)
        of_target = _embedding("target_embedding", target_vocabulary_size, hidden_dim, tie_embeddings)
    settings: dict[str, Any] = {"positions": positions, "dropout": dropout}
    x = TransformerPositions(sequence_length, name="source_positions", **settings)(of_source(source))
    encoded = _encoder(x, *sizes, ends)
    y = TransformerPositions(sequence_length, name="target_positions", **settings)(of_target(target))
    y = _decoder(y, encoded, *sizes, ends)
    return Model([source, target], of_target(y, reverse=True), name=name)


def TransformerBody(
    num_layers: int = 6,
    hidden_dim: int = 512,
    num_heads: int = 8,
    intermediate_dim: int = 2048,
    dropout: float = 0.1,
    activation: Any = "relu",
    normalize_first: bool = False,
    final_norm: bool = True,
    name: str = "transformer_body",
) -> Model:
    """Encoder and decoder between vectors, without tokens: 44,140,544 parameters in base form; torch.nn.Transformer.

    Args:
        num_layers: blocks of the encoder, and of the decoder.
        hidden_dim: the length of vectors between blocks.
        num_heads: heads of each attention.
        intermediate_dim: units of the first dense layer of a block.
        dropout: the fraction dropped in training.
        activation: of the first dense layer.
        normalize_first: whether sublayers get normalised inputs.
        final_norm: whether encoder and decoder end in layer normalisation.
        name: the model's name.

    Returns:
        Model of [source (B, S, hidden_dim), target (B, T, hidden_dim)] that gives (B, T, hidden_dim). Steps are left
        out where the inputs' masks say so: ``model([source, target], mask=[source_mask, target_mask])``.

    Example:
        >>> import lamina as lm, numpy as np
        >>> model = lm.applications.TransformerBody(1, hidden_dim=8, num_heads=2, intermediate_dim=16)
        >>> model([np.ones((2, 5, 8), "float32"), np.ones((2, 3, 8), "float32")]).shape
        (2, 3, 8)

    Reference:
        Vaswani et al. 2017, arXiv:1706.03762.
    """
    sizes = (num_layers, num_heads, intermediate_dim, dropout, activation, normalize_first)
    source, target = Input((None, hidden_dim), name="source"), Input((None, hidden_dim), name="target")
    y = _decoder(target, _encoder(source, *sizes, final_norm), *sizes, final_norm)
    return Model([source, target], y, name=name)


def TransformerEncoderOnly(
    vocabulary_size: int,
    classes: int | None = None,
    num_layers: int = 6,
    hidden_dim: int = 512,
    num_heads: int = 8,
    intermediate_dim: int = 2048,
    dropout: float = 0.1,
    activation: Any = "relu",
    normalize_first: bool = False,
    final_norm: bool | None = None,
    positions: str = "sinusoidal",
    sequence_length: int = 1024,
    classifier_activation: Any = "softmax",
    name: str = "transformer_encoder_only",
) -> Model:
    """A Transformer's encoder on tokens: a vector for each of them, or a class for the whole.

    Args:
        vocabulary_size: how many tokens there are; 0 is padding.
        classes: classes of a sequence, by its mean vector and a dense layer; None for the vectors themselves.
        num_layers, hidden_dim, num_heads, intermediate_dim, dropout, activation, normalize_first, final_norm,
            positions, sequence_length: see `Transformer`.
        classifier_activation: of the classes' layer.
        name: the model's name.

    Returns:
        Model of tokens (B, T) that gives (B, T, hidden_dim), or (B, classes).

    Example:
        >>> import lamina as lm, numpy as np
        >>> settings = {"num_layers": 1, "hidden_dim": 8, "num_heads": 2, "intermediate_dim": 16}
        >>> model = lm.applications.TransformerEncoderOnly(20, classes=3, **settings)
        >>> model(np.array([[3, 4, 5, 0]])).shape
        (1, 3)
    """
    tokens = Input((None,), dtype="int64", name="tokens")
    x = _embedding("embedding", vocabulary_size, hidden_dim)(tokens)
    x = TransformerPositions(sequence_length, positions, dropout=dropout, name="source_positions")(x)
    ends = normalize_first if final_norm is None else final_norm
    x = _encoder(x, num_layers, num_heads, intermediate_dim, dropout, activation, normalize_first, ends)
    if classes is not None:
        x = Dense(classes, classifier_activation, name="predictions")(GlobalAveragePooling1D(name="mean")(x))
    return Model(tokens, x, name=name)


def TransformerDecoderOnly(
    vocabulary_size: int,
    num_layers: int = 6,
    hidden_dim: int = 512,
    num_heads: int = 8,
    intermediate_dim: int = 2048,
    dropout: float = 0.1,
    activation: Any = "relu",
    normalize_first: bool = True,
    final_norm: bool | None = None,
    positions: str = "sinusoidal",
    sequence_length: int = 1024,
    tie_embeddings: bool = True,
    name: str = "transformer_decoder_only",
) -> Model:
    """A language model: a Transformer's decoder that attends to nothing but what it has written.

    Args:
        vocabulary_size: how many tokens there are; 0 is padding.
        num_layers, hidden_dim, num_heads, intermediate_dim, dropout, activation, normalize_first, final_norm,
            positions, sequence_length, tie_embeddings: see `Transformer`.
        name: the model's name.

    Returns:
        Model of tokens (B, T) that gives logits (B, T, vocabulary_size): row t is for the token behind token t.

    Example:
        >>> import lamina as lm, numpy as np
        >>> settings = {"num_layers": 1, "hidden_dim": 8, "num_heads": 2, "intermediate_dim": 16}
        >>> lm.applications.TransformerDecoderOnly(20, **settings)(np.array([[3, 4, 5]])).shape
        (1, 3, 20)

    Reference:
        Liu et al. 2018, "Generating Wikipedia by Summarizing Long Sequences", arXiv:1801.10198.
    """
    tokens = Input((None,), dtype="int64", name="target")
    embedding = _embedding("embedding", vocabulary_size, hidden_dim, tie_embeddings)
    x = TransformerPositions(sequence_length, positions, dropout=dropout, name="target_positions")(embedding(tokens))
    ends = normalize_first if final_norm is None else final_norm
    x = _decoder(x, None, num_layers, num_heads, intermediate_dim, dropout, activation, normalize_first, ends)
    return Model(tokens, embedding(x, reverse=True), name=name)


# The parts; `lamina.applications.generate` finds layers by these names


def _embedding(name: str, tokens: int, size: int, tie_weights: bool = True) -> ReversibleEmbedding:
    """Vectors of length about 1, which sqrt(size) then scales; so that logits have a variance of about 1 too."""
    return ReversibleEmbedding(tokens, size, tie_weights, RandomNormal(stddev=size**-0.5), mask_zero=True, name=name)


def _encoder(x: SymbolicTensor, count: int, heads: int, units: int, dropout: float, activation: Any, first: bool,
             final_norm: bool) -> SymbolicTensor:  # fmt: skip
    for i in range(count):
        x = TransformerEncoder(units, heads, dropout, activation, normalize_first=first, name=f"encoder_{i}")(x)
    return LayerNormalization(epsilon=1e-5, name="encoder_norm")(x) if final_norm else x


def _decoder(y: SymbolicTensor, encoded: SymbolicTensor | None, count: int, heads: int, units: int, dropout: float,
             activation: Any, first: bool, final_norm: bool) -> SymbolicTensor:  # fmt: skip
    for i in range(count):
        y = TransformerDecoder(units, heads, dropout, activation, normalize_first=first, name=f"decoder_{i}")(
            y, encoded
        )
    return LayerNormalization(epsilon=1e-5, name="decoder_norm")(y) if final_norm else y
