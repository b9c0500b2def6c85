"""GloVe: vectors of words whose products are the logarithms of how often the words stand near one another.

Pennington, Socher & Manning 2014, "GloVe: Global Vectors for Word Representation", EMNLP. Claim: one matrix of counts
over the whole corpus, fitted by weighted least squares, gives vectors with the analogies of Word2Vec's in less time.

Differs from the paper in: a block of 64 entries is judged by the vectors as they stood before it, so that the result
depends neither on the number of threads nor on the machine.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from lamina import backend, random
from lamina.applications.corpus import STEP, Corpus, columns
from lamina.applications.word_vectors import WordVectors
from lamina.autograd.tensor import Tensor
from lamina.data.checks import positive
from lamina.models.progress import Progress, verbosity
from lamina.ops.checks import real_number
from lamina.ops.elementary import log
from lamina.ops.power import power

Array = Any

WIDEST = 20  # a window: the least common multiple of more distances passes what sums can hold


class Glove:
    """Vectors of words, learned from how often words stand near one another.

    Args:
        vector_size: numbers in a vector.
        window: how far "near" reaches, in words to both sides, at most 20; a word at distance d counts 1 / d.
        min_count: words that come less often are left out.
        x_max: entries of the matrix up to this weigh (x / x_max)^alpha, those above 1.
        alpha: that exponent.
        learning_rate: of AdaGrad.
        max_words: no more words than so many, the most frequent.
        seed: an integer; None for that of `lamina.set_seed`.

    Attributes:
        vectors: what was learned: `WordVectors`, the sum of a word's two vectors.
        losses: the mean weighted loss of an entry, for each epoch.
        words_per_second: of the last fit: words of the corpus times epochs, over the time of counting and learning.

    Raises:
        ValueError: for arguments out of range.

    Example:
        >>> from lamina.applications import Glove
        >>> sentences = ["the cat eats fish", "the dog eats meat", "a cat drinks milk", "a dog drinks water"] * 50
        >>> model = Glove(vector_size=16, window=3, seed=1)
        >>> vectors = model.fit(sentences, epochs=5, verbose=0)
        >>> vectors["cat"].shape, model.losses[0] > model.losses[-1]
        ((16,), True)

    Reference:
        Pennington, Socher & Manning 2014, "GloVe: Global Vectors for Word Representation".
    """

    def __init__(
        self,
        vector_size: int = 50,
        window: int = 15,
        min_count: int = 5,
        x_max: float = 100.0,
        alpha: float = 0.75,
        learning_rate: float = 0.05,
        max_words: int | None = None,
        seed: int | None = None,
    ) -> None:
        self.vector_size = positive(vector_size, "Glove: vector_size")
        self.window = positive(window, "Glove: window")
        if window > WIDEST:
            raise ValueError(f"Glove: window must be at most {WIDEST}, got {window}")
        self.min_count = positive(min_count, "Glove: min_count")
        for name, value in (("x_max", x_max), ("alpha", alpha), ("learning_rate", learning_rate)):
            if not 0 < real_number(value, "Glove", name) < math.inf:
                raise ValueError(f"Glove: {name} must be above 0, got {value}")
        self.x_max, self.alpha, self.learning_rate = float(x_max), float(alpha), float(learning_rate)
        self.max_words = max_words
        self.seed = random.SeedGenerator(seed)
        self.losses: list[float] = []
        self.words_per_second = 0.0
        self._corpus: Corpus | None = None
        self._rows: list[Array] = []

    def fit(self, sentences: Any, epochs: int = 25, verbose: int | str = "auto") -> WordVectors:
        """Counts which words stand near one another, and learns their vectors, from the beginning.

        Args:
            sentences: each a list of words, or a string whose words stand between spaces.
            epochs: how often to go through the matrix's entries.
            verbose: 0 for nothing, 1 or "auto" for a progress bar, 2 for a line an epoch.

        Returns:
            The vectors, also `model.vectors`.

        Raises:
            TypeError: if the sentences are no texts or lists of words.
            ValueError: if fewer than two different words come often enough, or none stand near one another.
        """
        positive(epochs, "Glove: epochs")
        shown = verbosity(verbose, "Glove")
        corpus = Corpus(sentences, self.min_count, self.max_words, "Glove")
        began = time.perf_counter()
        rows, columns, counts = cooccurrences(corpus.tokens, len(corpus.words), self.window)
        if not len(counts):
            raise ValueError("Glove: no two words stand in one sentence")
        target = log(Tensor(counts)).numpy().astype(np.float32)
        weight = power(Tensor(np.minimum(counts / self.x_max, 1.0)), self.alpha).numpy().astype(np.float32)
        self._corpus = corpus
        self._rows = [self._start(len(corpus.words), ones) for ones in (1, 0)]
        squares = [backend.full(w.shape, 1.0) for w in self._rows]
        self.losses = []
        for epoch in range(epochs):
            draws = np.empty(len(counts), np.uint32)
            backend.kernels(draws).random_words(draws, *self.seed.next())
            order = np.argsort(draws, kind="stable")
            bar = Progress(f"Epoch {epoch + 1}/{epochs}", -(-len(order) // STEP), shown)
            loss, logs = 0.0, {}
            for begin in range(0, len(order), STEP):
                part = order[begin : begin + STEP]
                loss += backend.kernels(target).glove(
                    rows[part], columns[part], target[part], weight[part], self.vector_size, self.learning_rate,
                    *self._rows, *squares,
                )  # fmt: skip
                logs = {"loss": loss / (begin + len(part))}
                bar.advance(lambda logs=logs: logs)  # type: ignore[misc]
            self.losses.append(loss / len(order))
            self.words_per_second = (epoch + 1) * corpus.total / (time.perf_counter() - began)
            bar.close({**logs, "words_per_second": round(self.words_per_second)})
        return self.vectors

    def _start(self, words: int, ones: int) -> Array:
        """Rows to begin with: vectors and biases of small random numbers, and the column that stays 1."""
        width = columns(self.vector_size + 2)
        rows = backend.empty((words, width))
        half = 0.5 / self.vector_size
        backend.kernels(rows).random_uniform(rows, *self.seed.next(), -half, half)
        rows[:, self.vector_size + 2 :] = 0
        rows[:, self.vector_size + ones] = 1
        return rows

    @property
    def vectors(self) -> WordVectors:
        """What was learned."""
        if self._corpus is None or not self._rows:
            raise ValueError("Glove: has learned nothing yet: call fit(sentences)")
        word, context = (rows[:, : self.vector_size] for rows in self._rows)
        return WordVectors(self._corpus.words, word + context, self._corpus.counts)


def cooccurrences(tokens: Any, words: int, window: int) -> tuple[Array, Array, Array]:
    """How often words stand near one another: the sum of 1 / distance, symmetric, those that are not 0.

    Args:
        tokens: numbers of words, int32, with -1 behind each sentence.
        words: how many words there are.
        window: how far "near" reaches, at most 20.

    Returns:
        rows and columns, int32, and counts, float64, (entries,): by rows.

    Example:
        >>> import numpy as np
        >>> from lamina.applications.glove import cooccurrences
        >>> rows, columns, counts = cooccurrences(np.array([0, 1, 2, -1, 0, 1, -1], "i4"), 3, window=2)
        >>> [(int(i), int(j), float(x)) for i, j, x in zip(rows, columns, counts)]
        [(0, 1, 2.0), (0, 2, 0.5), (1, 0, 2.0), (1, 2, 1.0), (2, 1, 1.0), (2, 0, 0.5)]
    """
    unit = math.lcm(*range(1, window + 1))
    places = np.flatnonzero(tokens >= 0)
    order = places[np.argsort(tokens[places], kind="stable")].astype(np.int64)
    first = np.concatenate([[0], np.cumsum(np.bincount(tokens[places], minlength=words))]).astype(np.int64)
    filled = np.zeros(words, np.int64)
    kernels = backend.kernels(filled)
    kernels.cooccurrence(tokens, first, order, window, unit, filled, None, None, None, 0)
    entries = int(filled.sum())
    begin = np.concatenate([[0], np.cumsum(filled)[:-1]]).astype(np.int64)
    columns, counts = np.empty(entries, np.int32), np.empty(entries, np.int64)
    kernels.cooccurrence(tokens, first, order, window, unit, filled, begin, columns, counts, entries)
    return np.repeat(np.arange(words, dtype=np.int32), filled), columns, counts / unit
