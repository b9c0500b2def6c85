"""BLEU: how many n-grams of a translation stand in the reference."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from lamina.metrics.metric import Metric
from lamina.metrics.texts import pairs_of_texts
from lamina.ops import checks

SMOOTHING = {"none": 0.0, "exp": 0.0, "floor": 0.1, "add-k": 1.0}  # and its usual value
MARKS = [  # mteval-v13a: marks stand alone, points and commas unless in numbers, a dash behind a digit
    (re.compile(r"([{-~\[-` -&(-+:-@/])"), r" \1 "),
    (re.compile(r"([^0-9])([.,])"), r"\1 \2 "),
    (re.compile(r"([.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
]
ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))


class Bleu(Metric):
    """100 BP exp(mean over n of log p_n): p_n is the share of the predictions' n-grams that stand in the reference, and
    BP = min(1, exp(1 - reference length / prediction length)). Counted over the whole corpus. Equal to sacrebleu.

    Args:
        max_order: the longest n-grams.
        tokenizer: "13a", WMT's standard, or "none": words stand between spaces.
        smoothing: what stands for a p_n of 0: "exp" halves from one n to the next, "floor" counts a little, "add-k"
            adds to all counts from n = 2 on, "none" nothing.
        smoothing_value: of "floor" and "add-k"; None for 0.1 and 1.
        effective_order: whether n-grams longer than the predictions are left out: for single sentences.
        lowercase: whether upper and lower case are one.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Raises:
        ValueError: for arguments out of range.

    Example:
        >>> import lamina as lm
        >>> metric = lm.metrics.Bleu()
        >>> metric.update_state(["the cat sat on the mat"], ["the cat sat on a mat"])
        >>> round(metric.result(), 2)
        53.73

    Reference:
        Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation"; Post 2018, "A Call for
        Clarity in Reporting BLEU Scores", arXiv:1804.08771.
    """

    def __init__(
        self,
        max_order: int = 4,
        tokenizer: str = "13a",
        smoothing: str = "exp",
        smoothing_value: float | None = None,
        effective_order: bool = False,
        lowercase: bool = False,
        name: str | None = "bleu",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        if checks.integer(max_order, self.name, "max_order") < 1:
            raise ValueError(f"{self.name}: max_order must be at least 1, got {max_order}")
        if tokenizer not in ("13a", "none"):
            raise ValueError(f'{self.name}: tokenizer must be "13a" or "none", got {tokenizer!r}')
        if smoothing not in SMOOTHING:
            raise ValueError(f"{self.name}: smoothing must be one of {', '.join(SMOOTHING)}, got {smoothing!r}")
        if smoothing_value is not None and not checks.real_number(smoothing_value, self.name, "smoothing_value") >= 0:
            raise ValueError(f"{self.name}: smoothing_value must be at least 0, got {smoothing_value}")
        self.max_order, self.tokenizer = int(max_order), tokenizer
        self.smoothing, self.smoothing_value = smoothing, smoothing_value
        self.effective_order, self.lowercase = bool(effective_order), bool(lowercase)
        self.reset_state()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes in sentences.

        Args:
            y_true: for each the reference, or a list of several.
            y_pred: the predictions.
            sample_weight: refused: a corpus has no weights.

        Raises:
            TypeError: for anything but strings.
            ValueError: for another number of references than of predictions; for weights.
        """
        if sample_weight is not None:
            raise ValueError(f"{self.name}: takes no sample_weight")
        for references, prediction in pairs_of_texts(y_true, y_pred, self.name):
            found, length = self._counted(prediction)
            known: Counter[tuple[str, ...]] = Counter()
            lengths = []
            for reference in references:
                counts, of_reference = self._counted(reference)
                known |= counts
                lengths.append(of_reference)
            self._length += length
            self._reference_length += min(lengths, key=lambda other: (abs(other - length), other))
            for gram, count in found.items():
                self._total[len(gram) - 1] += count
                self._right[len(gram) - 1] += min(count, known[gram])

    def _counted(self, text: str) -> tuple[Counter[tuple[str, ...]], int]:
        """All n-grams of a text, and how many words it has."""
        words = self._words(text)
        return Counter(
            tuple(words[i : i + n]) for n in range(1, self.max_order + 1) for i in range(len(words) - n + 1)
        ), len(words)

    def _words(self, text: str) -> list[str]:
        text = (text.lower() if self.lowercase else text).rstrip()
        if self.tokenizer == "none":
            return text.split()
        text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
        for entity, mark in ENTITIES:
            text = text.replace(entity, mark)
        text = f" {text} "
        for pattern, replacement in MARKS:
            text = pattern.sub(replacement, text)
        return text.split()

    def result(self) -> float:
        """BLEU, from 0 to 100; 0 without any match."""
        if not any(self._right):
            return 0.0
        value = SMOOTHING[self.smoothing] if self.smoothing_value is None else self.smoothing_value
        logarithms: list[float] = []
        halves, orders = 1.0, self.max_order
        for n, (right, total) in enumerate(zip(self._right, self._total, strict=True), start=1):
            if self.smoothing == "add-k" and n > 1:
                right, total = right + value, total + value
            if total == 0:
                break
            if self.effective_order:
                orders = n
            if right == 0 and self.smoothing == "exp":
                halves *= 2
                right = 1 / halves
            elif right == 0 and self.smoothing == "floor":
                right = value
            if right == 0:
                return 0.0
            logarithms.append(math.log(100 * right / total))
        if len(logarithms) < orders:
            return 0.0
        short = self._length < self._reference_length
        penalty = math.exp(1 - self._reference_length / self._length) if short else 1.0
        return penalty * math.exp(sum(logarithms) / orders)

    def reset_state(self) -> None:
        self._right, self._total = [0.0] * self.max_order, [0.0] * self.max_order
        self._length = self._reference_length = 0

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_order": self.max_order,
            "tokenizer": self.tokenizer,
            "smoothing": self.smoothing,
            "smoothing_value": self.smoothing_value,
            "effective_order": self.effective_order,
            "lowercase": self.lowercase,
        }


def sentence_bleu(reference: str | Sequence[str], prediction: str, **arguments: Any) -> float:
    """BLEU of one sentence: n-grams longer than it are left out, unless effective_order=False.

    Args:
        reference: the reference, or several.
        prediction: the sentence.
        **arguments: those of `Bleu`.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.sentence_bleu("the cat sat", "the cat"), 2)
        60.65
    """
    return float(Bleu(**{"effective_order": True, **arguments})([reference], [prediction]))
