"""Metrics of answers and summaries: exact match, F1 of words, ROUGE-L; and of whole rows of tokens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from lamina.metrics.metric import Mean, array_of
from lamina.metrics.texts import pairs_of_texts
from lamina.ops import checks

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
WORDS = re.compile(r"\w+")


class TextMean(Mean):
    """The mean of a score of (reference, prediction); of several references the best counts."""

    def score(self, reference: str, prediction: str) -> float:
        """The score of one pair."""
        raise NotImplementedError(f"{type(self).__name__}.score")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Takes in texts.

        Args:
            y_true: for each the reference, or a list of several.
            y_pred: the predictions.
            sample_weight: how much each counts (N,).

        Raises:
            TypeError: for anything but strings.
            ValueError: for another number of references than of predictions.
        """
        scores = [
            max(self.score(reference, prediction) for reference in references)
            for references, prediction in pairs_of_texts(y_true, y_pred, self.name)
        ]
        super().update_state(np.array(scores, np.float64), sample_weight)


class ExactMatch(TextMean):
    """The share of answers that are the reference, but for case, punctuation, articles and spaces: SQuAD's.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.ExactMatch()(["The Thames", ["red", "crimson"]], ["thames.", "dark red"])
        0.5

    Reference:
        Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions for Machine Comprehension of Text", arXiv:1606.05250.
    """

    def __init__(self, name: str | None = "exact_match", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def score(self, reference: str, prediction: str) -> float:
        return float(_answer(reference) == _answer(prediction))


class SpanF1(TextMean):
    """2 precision recall / (precision + recall) of the words that answer and reference share, the mean: SQuAD's.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.SpanF1()(["the river Thames"], ["Thames"]), 4)
        0.6667

    Reference:
        Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions for Machine Comprehension of Text", arXiv:1606.05250.
    """

    def __init__(self, name: str | None = "span_f1", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def score(self, reference: str, prediction: str) -> float:
        truth, found = _answer(reference), _answer(prediction)
        if not truth or not found:
            return float(truth == found)
        return _f_score(sum((Counter(truth) & Counter(found)).values()), len(truth), len(found))


class RougeL(TextMean):
    """The F measure of the longest common subsequence of words, the mean over texts: ROUGE-L.

    Recall is its length over the reference's, precision over the prediction's, and
    F = (1 + beta^2) precision recall / (recall + beta^2 precision). Case and punctuation do not count.

    Args:
        beta: how much more recall counts than precision.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.RougeL()(["police killed the gunman"], ["police kill the gunman"]), 4)
        0.75

    Reference:
        Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries".
    """

    def __init__(self, beta: float = 1.0, name: str | None = "rouge_l", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        if not 0 < checks.real_number(beta, self.name, "beta") < float("inf"):
            raise ValueError(f"{self.name}: beta must be above 0, got {beta}")
        self.beta = float(beta)

    def score(self, reference: str, prediction: str) -> float:
        truth, found = (WORDS.findall(text.lower()) for text in (reference, prediction))
        return _f_score(longest_common_subsequence(truth, found), len(truth), len(found), self.beta)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta": self.beta}


class SequenceAccuracy(Mean):
    """The share of rows all of whose tokens are right.

    Args:
        mask_token_id: a token whose places, in y_true, do not count: the padding; None: all count.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.SequenceAccuracy(mask_token_id=0)([[3, 1, 0], [3, 2, 1]], [[3, 1, 7], [3, 2, 2]])
        0.5
    """

    def __init__(
        self, mask_token_id: int | None = None, name: str | None = "sequence_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(name, dtype)
        self.mask_token_id = (
            None if mask_token_id is None else checks.integer(mask_token_id, self.name, "mask_token_id")
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Takes in a batch.

        Args:
            y_true: numbers of tokens (N, T).
            y_pred: the same, or scores of all tokens (N, T, V), of which the highest counts.
            sample_weight: how much each row counts (N,).

        Raises:
            ValueError: if the shapes do not fit.
        """
        truth, found = array_of(y_true), array_of(y_pred)
        if found.ndim == truth.ndim + 1:
            found = found.argmax(-1)
        if truth.ndim != 2 or found.shape != truth.shape:
            raise ValueError(
                f"{self.name}: y_true must have shape (N, T), y_pred (N, T) or (N, T, V), got {truth.shape} and "
                f"{found.shape}"
            )
        right = truth == found
        if self.mask_token_id is not None:
            right |= truth == self.mask_token_id
        super().update_state(right.all(1).astype(np.float64), sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mask_token_id": self.mask_token_id}


def longest_common_subsequence(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """The length of the longest sequence whose members stand in both in this order.

    Bit i of `free` says that a[: i + 1] has no longer one than a[:i]; a member of b clears, in each run of set bits,
    the first that stands at its like.

    Reference:
        Hyyrö 2004, "Bit-parallel LCS-length Computation Revisited".
    """
    places: dict[Hashable, int] = {}
    for i, member in enumerate(a):
        places[member] = places.get(member, 0) | 1 << i
    everything = (1 << len(a)) - 1
    free = everything
    for member in b:
        hit = free & places.get(member, 0)
        free = ((free + hit) | (free - hit)) & everything
    return len(a) - free.bit_count()


def _answer(text: str) -> list[str]:
    """The words of an answer that count."""
    return ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split()


def _f_score(shared: int, truth: int, found: int, beta: float = 1.0) -> float:
    if shared == 0:
        return 0.0
    precision, recall = shared / found, shared / truth
    return (1 + beta**2) * precision * recall / (recall + beta**2 * precision)
