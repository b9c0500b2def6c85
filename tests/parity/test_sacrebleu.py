"""BLEU beside sacrebleu: corpora and sentences, tokenizers, smoothing, several references."""

from __future__ import annotations

import itertools
import random
from pydoc_data.topics import topics

import pytest

import lamina as lm

sacrebleu = pytest.importorskip("sacrebleu")

ODD = [
    "", "a", "Hello, world!", "U.S. 3.5 1,000 -5 2-3 a-b", '&quot;x&quot; &amp; &lt;y&gt;',
    "e.g., this: (that) [x] {y}",
    "naïve «café» 日本語。", "-\nbroken <skipped> line\nhere  ", "it's 5% of $7/8 ~ `x` ^ @ # *", "ALL CAPS here now",
]  # fmt: skip


def corpus(seed=0, count=40):
    """References, two each, and predictions that share some of their words."""
    draw = random.Random(seed)
    lines = [line for text in topics.values() for line in text.split("\n") if len(line.split()) > 3]
    first, second, predictions = [], [], []
    for _ in range(count):
        words = draw.choice(lines).split()
        first.append(" ".join(words))
        second.append(" ".join(word for word in words if draw.random() > 0.2) or "x")
        predictions.append(" ".join(word if draw.random() > 0.3 else draw.choice(words) for word in words))
    return [*first, *ODD], [*second, *ODD[1:], "z"], [*predictions, *ODD[2:], "a", "b"]


@pytest.mark.parametrize(
    ("tokenizer", "smoothing", "lowercase"),
    list(itertools.product(["13a", "none"], ["exp", "floor", "add-k", "none"], [False, True])),
)
def test_bleu(tokenizer, smoothing, lowercase):
    first, second, predictions = corpus()
    theirs = {"smooth_method": smoothing, "tokenize": tokenizer, "lowercase": lowercase}
    ours = {"smoothing": smoothing, "tokenizer": tokenizer, "lowercase": lowercase}
    for references in ([first], [first, second]):
        expected = sacrebleu.corpus_bleu(predictions, references, force=True, **theirs).score
        metric = lm.metrics.Bleu(**ours)
        several = list(zip(*references, strict=True))
        for begin in range(0, len(several), 7):
            metric.update_state(several[begin : begin + 7], predictions[begin : begin + 7])
        assert metric.result() == pytest.approx(expected, rel=1e-12)
        for reference, prediction in zip(several, predictions, strict=True):
            expected = sacrebleu.sentence_bleu(prediction, list(reference), **theirs).score
            found = lm.metrics.sentence_bleu(reference, prediction, **ours)
            assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("order", [1, 2, 6])
@pytest.mark.parametrize("effective", [False, True])
def test_orders_and_values(order, effective):
    for smoothing, value in (("floor", 0.01), ("add-k", 0.5), ("exp", None)):
        peer = sacrebleu.metrics.BLEU(
            smooth_method=smoothing, smooth_value=value, max_ngram_order=order, effective_order=effective, force=True
        )
        ours = lm.metrics.Bleu(order, "13a", smoothing, value, effective)
        for sentences in (1, 3, 40):
            first, _, predictions = corpus(seed=sentences, count=sentences)
            ours.reset_state()
            assert ours(first, predictions) == pytest.approx(peer.corpus_score(predictions, [first]).score, rel=1e-12)
