"""Word2Vec: vectors of words, so that words used alike lie together and differences between vectors mean something.

Mikolov, Chen, Corrado & Dean 2013, "Efficient Estimation of Word Representations in Vector Space", arXiv:1301.3781;
Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their Compositionality", arXiv:1310.4546.
Claims: simple networks without a hidden layer learn good vectors from billions of words; vec("Madrid") -
vec("Spain") + vec("France") lies nearest to vec("Paris").

Differs from the paper in: the noise words are drawn once for all words of a window, as in Ji et al. 2016,
"Parallelizing Word2Vec in Shared and Distributed Memory", arXiv:1604.04661; a block of 64 windows is judged by the
vectors as they stood before it, so that the result depends neither on the number of threads nor on the machine.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from lamina import backend, random
from lamina.applications.corpus import STEP, Corpus, columns
from lamina.applications.huffman import huffman_paths
from lamina.applications.word_vectors import WordVectors
from lamina.autograd.tensor import Tensor
from lamina.data.checks import not_negative, positive
from lamina.models.progress import Progress, verbosity
from lamina.ops.checks import real_number
from lamina.ops.power import power

Array = Any


class Word2Vec:
    """Vectors of words, learned from sentences.

    Args:
        vector_size: numbers in a vector.
        window: how far context reaches, in words; for each word the reach is drawn from 1 to this.
        min_count: words that come less often are left out.
        skip_gram: True guesses the words around from a word, False (CBOW) a word from those around.
        negative: how many noise words a word is told from.
        hierarchical_softmax: instead of noise words, a word is found on its way through Huffman's tree.
        sample: words whose share of the corpus is well above this are left out at times; 0 for never.
        alpha, min_alpha: the learning rate, falling linearly from the one to the other.
        noise_exponent: noise is drawn by the words' counts to this power.
        max_words: no more words than so many, the most frequent.
        seed: an integer; None for that of `lamina.set_seed`.

    Attributes:
        vectors: what was learned: `WordVectors`.
        words_per_second: of the last fit.

    Raises:
        ValueError: for arguments out of range.

    Example:
        >>> from lamina.applications import Word2Vec
        >>> sentences = ["the cat eats fish", "the dog eats meat", "a cat drinks milk", "a dog drinks water"] * 50
        >>> model = Word2Vec(vector_size=16, window=2, seed=1)
        >>> vectors = model.fit(sentences, epochs=5, verbose=0)
        >>> len(vectors), vectors["cat"].shape
        (10, (16,))

    Reference:
        Mikolov et al. 2013, arXiv:1301.3781 and arXiv:1310.4546; Ji et al. 2016, arXiv:1604.04661.
    """

    def __init__(
        self,
        vector_size: int = 100,
        window: int = 5,
        min_count: int = 5,
        skip_gram: bool = True,
        negative: int = 5,
        hierarchical_softmax: bool = False,
        sample: float = 1e-3,
        alpha: float = 0.025,
        min_alpha: float = 0.0001,
        noise_exponent: float = 0.75,
        max_words: int | None = None,
        seed: int | None = None,
    ) -> None:
        self.vector_size = positive(vector_size, "Word2Vec: vector_size")
        self.window = positive(window, "Word2Vec: window")
        self.min_count = positive(min_count, "Word2Vec: min_count")
        not_negative(negative, "Word2Vec: negative")
        if not hierarchical_softmax and not 1 <= negative <= 1000:
            raise ValueError(f"Word2Vec: negative must be from 1 to 1000 without hierarchical_softmax, got {negative}")
        if self.window > 1000:
            raise ValueError(f"Word2Vec: window must be at most 1000, got {window}")
        if not 0 <= real_number(sample, "Word2Vec", "sample") < math.inf:
            raise ValueError(f"Word2Vec: sample must be at least 0, got {sample}")
        if not 0 < real_number(alpha, "Word2Vec", "alpha") < math.inf:
            raise ValueError(f"Word2Vec: alpha must be above 0, got {alpha}")
        if not 0 <= real_number(min_alpha, "Word2Vec", "min_alpha") <= alpha:
            raise ValueError(f"Word2Vec: min_alpha must be from 0 to alpha, got {min_alpha}")
        if not -10 <= real_number(noise_exponent, "Word2Vec", "noise_exponent") <= 10:
            raise ValueError(f"Word2Vec: noise_exponent must be from -10 to 10, got {noise_exponent}")
        self.skip_gram, self.hierarchical_softmax = bool(skip_gram), bool(hierarchical_softmax)
        self.negative = 0 if hierarchical_softmax else int(negative)
        self.sample, self.alpha, self.min_alpha = float(sample), float(alpha), float(min_alpha)
        self.noise_exponent, self.max_words = float(noise_exponent), max_words
        self.seed = random.SeedGenerator(seed)
        self.words_per_second = 0.0
        self._corpus: Corpus | None = None
        self._input: Array = None
        self._output: Array = None

    def fit(self, sentences: Any, epochs: int = 5, verbose: int | str = "auto") -> WordVectors:
        """Learns vectors from sentences, from the beginning.

        Args:
            sentences: each a list of words, or a string whose words stand between spaces.
            epochs: how often to go through them.
            verbose: 0 for nothing, 1 or "auto" for a progress bar, 2 for a line an epoch.

        Returns:
            The vectors, also `model.vectors`.

        Raises:
            TypeError: if the sentences are no texts or lists of words.
            ValueError: if fewer than two different words come often enough.
        """
        positive(epochs, "Word2Vec: epochs")
        shown = verbosity(verbose, "Word2Vec")
        corpus = self._corpus = Corpus(sentences, self.min_count, self.max_words, "Word2Vec")
        words, width = len(corpus.words), columns(self.vector_size)
        self._input, self._output = backend.empty((words, width)), backend.empty((words, width))
        half = 0.5 / self.vector_size
        backend.kernels(self._input).random_uniform(self._input, *self.seed.next(), -half, half)
        self._input[:, self.vector_size :] = 0
        self._output[...] = 0
        outside = self._outside(corpus.counts)
        began = time.perf_counter()
        for epoch in range(epochs):
            self._epoch(corpus, epoch, epochs, outside, shown)
        self.words_per_second = epochs * corpus.total / (time.perf_counter() - began)
        return self.vectors

    @property
    def vectors(self) -> WordVectors:
        """What was learned."""
        if self._corpus is None:
            raise ValueError("Word2Vec: has learned nothing yet: call fit(sentences)")
        return WordVectors(self._corpus.words, self._input[:, : self.vector_size], self._corpus.counts)

    def _epoch(self, corpus: Corpus, epoch: int, epochs: int, outside: tuple[Any, ...], verbose: int) -> None:
        tokens = self._sampled(corpus)
        seed, stream = self.seed.next()
        fall = (self.alpha - self.min_alpha) / epochs
        bar = Progress(f"Epoch {epoch + 1}/{epochs}", -(-len(tokens) // STEP), verbose)
        began = time.perf_counter()
        logs: dict[str, float] = {}
        for begin in range(0, len(tokens), STEP):
            end = min(begin + STEP, len(tokens))
            backend.kernels(self._input).word2vec(
                tokens, begin, end, self.window, self.skip_gram, self.negative, *outside,
                self.alpha - fall * epoch, -fall / len(tokens), self.min_alpha, seed, stream, self._input, self._output,
            )  # fmt: skip
            logs["words_per_second"] = round(corpus.total * end / len(tokens) / (time.perf_counter() - began))
            bar.advance(lambda: logs)
        bar.close(logs)

    def _sampled(self, corpus: Corpus) -> Array:
        """The tokens, the frequent ones thinned out: word w stays with likelihood sqrt(t / f) + t / f, f its share."""
        if self.sample == 0:
            return corpus.tokens
        ratio = self.sample * corpus.counts.sum() / corpus.counts
        stays = np.minimum(np.append(np.sqrt(ratio) + ratio, 1.0), 1.0)  # the last, END, always
        draws = np.empty(len(corpus.tokens), np.uint32)
        backend.kernels(draws).random_words(draws, *self.seed.next())
        kept = corpus.tokens[draws <= np.floor(stays * 0xFFFF_FFFF).astype(np.uint32)[corpus.tokens]]
        return np.ascontiguousarray(kept)

    def _outside(self, counts: Array) -> tuple[Any, ...]:
        """What the kernel draws outputs from: noise, or the tree."""
        if self.hierarchical_softmax:
            return None, None, *huffman_paths(counts)
        return *noise_table(counts, self.noise_exponent), None, None, None


def noise_table(counts: Any, exponent: float) -> tuple[Array, Array]:
    """Walker's table, to draw numbers by counts to a power: a place at random, its own number or the other one there.

    Args:
        counts: how often each comes (V,).
        exponent: the power.

    Returns:
        share (V,), uint32: of 2^32, how likely a place gives its own number; other (V,), int32: the other one.

    Example:
        >>> from lamina.applications.word2vec import noise_table
        >>> share, other = noise_table([3, 1], 1.0)
        >>> (share / 2**32).round(2).tolist(), other.tolist()
        ([1.0, 0.5], [0, 0])

    Reference:
        Walker 1977, "An Efficient Method for Generating Discrete Random Variables with General Distributions".
    """
    weights = power(Tensor(np.asarray(counts, np.float64)), exponent).numpy()
    left = (weights * (len(weights) / np.cumsum(weights)[-1])).tolist()
    share, other = [1.0] * len(left), list(range(len(left)))
    small = [i for i, value in enumerate(left) if value < 1]
    large = [i for i, value in enumerate(left) if value >= 1]
    while small and large:
        i, j = small.pop(), large[-1]
        share[i], other[i] = left[i], j
        left[j] -= 1 - left[i]
        if left[j] < 1:
            small.append(large.pop())
    return np.minimum(np.floor(np.array(share) * 2.0**32), 2.0**32 - 1).astype(np.uint32), np.array(other, np.int32)
