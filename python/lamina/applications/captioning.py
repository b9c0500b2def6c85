"""Captioning: a picture in, a sentence out.

Vinyals et al. 2015, "Show and Tell: A Neural Image Caption Generator", arXiv:1411.4555: a convolutional network sees
the picture, and what it makes of it is the first "word" that an LSTM reads; it then writes the sentence, trained end to
end for its likelihood. Xu et al. 2015, "Show, Attend and Tell", arXiv:1502.03044: for every word the decoder looks at
the picture again, a little here and a little there (soft attention over the last feature map), so that one can see
where each word comes from.

Differs from the papers in: the encoder is a small network, trained with the rest, in place of a pretrained GoogLeNet or
VGG; any other that gives a feature map can take its place. No ensembles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina import backend, ops
from lamina.applications.caption_decoders import AttentionCaptionDecoder, CaptionDecoder
from lamina.applications.decoding import beam_search, sample
from lamina.autograd.tape import no_grad
from lamina.layers.conv import Conv2D
from lamina.layers.core import Activation, Input
from lamina.layers.embedding import Embedding
from lamina.layers.normalization import BatchNormalization
from lamina.layers.pooling import MaxPooling2D
from lamina.models.model import Model

Array = np.ndarray[Any, Any]


def ShowAndTell(
    vocabulary_size: int,
    input_shape: tuple[int, int, int] = (64, 64, 3),
    encoder: Model | None = None,
    embedding_dim: int = 128,
    units: int = 256,
    dropout: float = 0.0,
    name: str = "show_and_tell",
) -> Model:
    """The captioner whose LSTM sees the picture once, before the first word.

    Args:
        vocabulary_size: how many words there are; 0 is padding.
        input_shape: of the pictures.
        encoder: a model that gives a feature map (B, H, W, C) for pictures; None for a small one of five convolutions.
        embedding_dim: the length of words' vectors, and of the picture's.
        units: of the LSTM.
        dropout: the fraction of the LSTM's outputs that training drops.
        name: the model's name.

    Returns:
        Model of [pictures (B, H, W, C), words (B, T)] that gives logits (B, T, vocabulary_size): row t is for the word
        behind word t. `lamina.applications.caption` writes sentences.

    Example:
        >>> import lamina as lm, numpy as np
        >>> model = lm.applications.ShowAndTell(20, (16, 16, 3), embedding_dim=8, units=8)
        >>> model([np.ones((2, 16, 16, 3), "float32"), np.array([[1, 5, 6], [1, 7, 0]])]).shape
        (2, 3, 20)

    Reference:
        Vinyals et al. 2015, arXiv:1411.4555.
    """
    decoder = CaptionDecoder(vocabulary_size, embedding_dim, units, dropout, name="decoder")
    return _captioner(decoder, vocabulary_size, input_shape, encoder, embedding_dim, name)


def ShowAttendAndTell(
    vocabulary_size: int,
    input_shape: tuple[int, int, int] = (64, 64, 3),
    encoder: Model | None = None,
    embedding_dim: int = 128,
    units: int = 256,
    attention_units: int = 128,
    dropout: float = 0.0,
    attention_penalty: float = 1.0,
    name: str = "show_attend_and_tell",
) -> Model:
    """The captioner whose LSTM looks at the picture anew for every word, with soft attention.

    Args:
        vocabulary_size: how many words there are; 0 is padding.
        input_shape: of the pictures.
        encoder: a model that gives a feature map (B, H, W, C) for pictures; None for a small one of five convolutions.
        embedding_dim: the length of words' vectors.
        units: of the LSTM.
        attention_units: of the network that scores places.
        dropout: the fraction of what the words are read from that training drops.
        attention_penalty: how much it costs to look at some places more than at others over the whole sentence: times
            the mean over places of (1 - sum over words of the attention)^2.
        name: the model's name.

    Returns:
        Model as `ShowAndTell` gives it.

    Example:
        >>> import lamina as lm, numpy as np
        >>> model = lm.applications.ShowAttendAndTell(20, (16, 16, 3), embedding_dim=8, units=8, attention_units=4)
        >>> model([np.ones((2, 16, 16, 3), "float32"), np.array([[1, 5, 6], [1, 7, 0]])]).shape
        (2, 3, 20)

    Reference:
        Xu et al. 2015, arXiv:1502.03044.
    """
    decoder = AttentionCaptionDecoder(
        vocabulary_size, embedding_dim, units, attention_units, dropout, attention_penalty, name="decoder"
    )
    return _captioner(decoder, vocabulary_size, input_shape, encoder, embedding_dim, name)


def caption(
    model: Model,
    images: Any,
    start_token: int,
    end_token: int,
    max_length: int = 20,
    beams: int = 1,
    return_attention: bool = False,
) -> Any:
    """Sentences for pictures.

    Args:
        model: made by `ShowAndTell` or `ShowAttendAndTell`.
        images: (B, H, W, C).
        start_token: what sentences begin with.
        end_token: what they end with.
        max_length: how many words to write at most.
        beams: how many beginnings are kept; 1 takes the likeliest word each time.
        return_attention: whether to return (words, attention) for a model that attends: where it looked for each word,
            (B, written, H, W) of the feature map.

    Returns:
        Words (B, written + 1), integers: the start token, the words, the end token, then 0.

    Raises:
        ValueError: for fewer than one beam or word, padding as the start token, an end token that is none of the
            vocabulary's, or attention of a model that has none.

    Example:
        >>> import lamina as lm, numpy as np
        >>> model = lm.applications.ShowAndTell(20, (16, 16, 3), embedding_dim=8, units=8)
        >>> lm.applications.caption(model, np.ones((2, 16, 16, 3), "float32"), 1, 2, max_length=5).shape[0]
        2
    """
    if beams < 1 or max_length < 1:
        raise ValueError(f"caption: beams and max_length must be positive, got {beams} and {max_length}")
    if start_token == 0:
        raise ValueError("caption: start_token must not be 0, which is padding")
    decoder: Any = model.get_layer("decoder")
    if return_attention and not isinstance(decoder, AttentionCaptionDecoder):
        raise ValueError(f"caption: {model.name} has no attention")
    with no_grad():
        features = backend.to_host(model.get_layer("encoder")(images, training=False).array)
    prompt = np.full((len(features), 1), start_token)
    if beams == 1:
        steps = CaptionSteps(model, features)
        words = sample(steps, prompt, end_token, max_length)[0]
    else:
        steps = CaptionSteps(model, np.repeat(features, beams, 0))
        words = beam_search(steps, prompt, end_token, max_length, beams, 0.6)[0][:, 0]
    if not return_attention:
        return words
    looking = CaptionSteps(model, features)
    looks = [looking.look(words[:, [t]]) for t in range(words.shape[1] - 1)]
    return words, np.stack(looks, 1).reshape(len(words), -1, *features.shape[1:3])


def one_hot_words(words: Array, vocabulary_size: int, end_token: int) -> list[list[Array]]:
    """Sentences as lists of one-hot vectors: a vector a word, without start, end and padding.

    Args:
        words: (B, T), as `caption` gives them.
        vocabulary_size: the length of a vector.
        end_token: what sentences end with.

    Returns:
        For each sentence a list of float32 vectors (vocabulary_size,).

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.applications.one_hot_words(np.array([[1, 3, 2, 0]]), 4, end_token=2)
        [[array([0., 0., 0., 1.], dtype=float32)]]
    """
    table, sentences = np.eye(vocabulary_size, dtype=np.float32), []
    for row in words[:, 1:]:
        length = int(np.append((row == end_token) | (row == 0), True).argmax())
        sentences.append([table[word] for word in row[:length]])
    return sentences


class CaptionSteps:
    """A captioner that writes rows of sentences word by word."""

    def __init__(self, model: Model, features: Array) -> None:
        self.rows = len(features)
        decoder: Any = model.get_layer("decoder")
        embedding: Any = model.get_layer("embedding")
        self.decoder, self.embedding = decoder, embedding
        with no_grad():
            self.view, self.state = self.decoder.begin(ops.to(backend.from_pool(features), self._device()))

    def _device(self) -> str:
        return self.embedding.embeddings.device

    def feed(self, tokens: Array) -> Any:
        """Reads words (rows, n); the logits of the next ones, (rows, vocabulary)."""
        with no_grad():
            for t in range(tokens.shape[1]):
                logits, self.state, self.attention = self.decoder.step(
                    self.view, self.embedding(tokens[:, t : t + 1])[:, 0], self.state
                )
        return logits

    def look(self, tokens: Array) -> Array:
        """Reads one word (rows, 1); where the decoder looks for the next one, (rows, places)."""
        self.feed(tokens)
        found: Array = backend.to_host(self.attention.array)
        return found

    def choose(self, rows: Array) -> None:
        """Goes on with these rows."""
        with no_grad():
            self.state = [ops.take(part, rows, axis=0) for part in self.state]


def _captioner(
    decoder: CaptionDecoder,
    vocabulary_size: int,
    input_shape: Sequence[int],
    encoder: Model | None,
    embedding_dim: int,
    name: str,
) -> Model:
    image, words = Input(input_shape, name="image"), Input((None,), dtype="int64", name="words")
    encoder = _encoder(input_shape) if encoder is None else Model(encoder.inputs[0], encoder.outputs[0], name="encoder")
    embedded = Embedding(vocabulary_size, embedding_dim, mask_zero=True, name="embedding")(words)
    return Model([image, words], decoder(encoder(image), embedded), name=name)


def _encoder(input_shape: Sequence[int]) -> Model:
    """Pixels from 0 to 1 to a map of an eighth of their height and width, of 128 channels."""
    image = x = Input(input_shape, name="pixels")
    for filters, pool in ((32, True), (64, True), (128, True), (128, False), (128, False)):
        x = Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = Activation("relu")(BatchNormalization(momentum=0.9)(x))
        x = MaxPooling2D(2)(x) if pool else x
    return Model(image, x, name="encoder")
