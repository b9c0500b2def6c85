"""BLEU, ROUGE-L, answers and whole rows: by hand. BLEU beside sacrebleu: tests/parity/test_sacrebleu.py."""

import math

import numpy as np
import pytest

import lamina as lm
from lamina.metrics.answers import longest_common_subsequence


def test_bleu_by_hand():
    metric = lm.metrics.Bleu(max_order=2, tokenizer="none", smoothing="none")
    metric.update_state(["the the cat"], ["the the the the"])
    assert metric.result() == pytest.approx(100 * math.sqrt(2 / 4 * 1 / 3))
    metric.update_state([["a b c d e", "a b x"]], ["a b"])  # the closest length is 3
    right, total, length, reference = (2 + 2, 1 + 1), (4 + 2, 3 + 1), 6, 6
    expected = 100 * math.sqrt(right[0] / total[0] * right[1] / total[1]) * math.exp(1 - reference / length)
    assert metric.result() == pytest.approx(expected)
    metric.reset_state()
    assert metric.result() == 0
    assert metric(["a b"], ["a b"]) == pytest.approx(100)
    assert lm.metrics.Bleu()([], []) == 0
    assert lm.metrics.Bleu()([""], [""]) == 0
    assert lm.metrics.Bleu()(["a b c d e f"], ["a b c d e"]) == pytest.approx(100 * math.exp(-1 / 5))
    assert lm.metrics.sentence_bleu("A cat", "a cat", lowercase=True) == pytest.approx(100)


def test_bad_arguments_of_bleu():
    for arguments, match in (
        ({"max_order": 0}, "max_order must be at least 1"),
        ({"tokenizer": "zh"}, 'tokenizer must be "13a" or "none"'),
        ({"smoothing": "lots"}, "smoothing must be one of none, exp, floor, add-k"),
        ({"smoothing_value": -1}, "smoothing_value must be at least 0"),
        ({"smoothing_value": float("nan")}, "smoothing_value must be at least 0"),
    ):
        with pytest.raises(ValueError, match=match):
            lm.metrics.Bleu(**arguments)
    with pytest.raises(ValueError, match="as many references as predictions, 1, got 2"):
        lm.metrics.Bleu()(["a", "b"], ["a"])
    with pytest.raises(TypeError, match="expected lists of texts, got one text"):
        lm.metrics.Bleu()("a", "a")
    with pytest.raises(TypeError, match="expected texts, got 3 at place 0"):
        lm.metrics.Bleu()(["a"], [3])
    with pytest.raises(ValueError, match="there is no reference at place 0"):
        lm.metrics.Bleu()([[]], ["a"])
    with pytest.raises(ValueError, match="takes no sample_weight"):
        lm.metrics.Bleu().update_state(["a"], ["a"], [1.0])


def test_longest_common_subsequence():
    draw = np.random.default_rng(0)
    for _ in range(50):
        a, b = (draw.integers(0, 5, draw.integers(0, 90)).tolist() for _ in range(2))
        table = np.zeros((len(a) + 1, len(b) + 1), int)
        for i, x in enumerate(a):
            for j, y in enumerate(b):
                table[i + 1, j + 1] = table[i, j] + 1 if x == y else max(table[i, j + 1], table[i + 1, j])
        assert longest_common_subsequence(a, b) == table[-1, -1]


def test_rouge_l():
    """Lin 2004's example: ROUGE-L tells the second from the third, which share as many words with the first."""
    reference = "police killed the gunman"
    assert lm.metrics.RougeL()([reference], ["police kill the gunman"]) == pytest.approx(3 / 4)
    assert lm.metrics.RougeL()([reference], ["the gunman kill police"]) == pytest.approx(2 / 4)
    precision, recall = 2 / 3, 2 / 4
    expected = 5 * precision * recall / (recall + 4 * precision)
    assert lm.metrics.RougeL(beta=2)([reference], ["The gunman, dead."]) == pytest.approx(expected)
    assert lm.metrics.RougeL()([["x", reference], "a"], [reference, ""]) == pytest.approx(0.5)
    assert lm.metrics.RougeL()(["a", "b"], ["a", "c"], [3, 1]) == pytest.approx(0.75)
    with pytest.raises(ValueError, match="beta must be above 0"):
        lm.metrics.RougeL(beta=0)
    assert lm.metrics.RougeL.from_config(lm.metrics.RougeL(beta=2).get_config()).beta == 2


def test_answers():
    exact, f1 = lm.metrics.ExactMatch(), lm.metrics.SpanF1()
    assert exact(["The  Thames!"], ["thames"]) == 1
    assert f1(["the river Thames"], ["a river, wide"]) == pytest.approx(2 * 0.5 * 0.5 / (0.5 + 0.5))
    f1.reset_state()
    assert f1([["x y z", "b"]], ["y"]) == pytest.approx(0.5)
    f1.reset_state()
    assert f1(["the", "", "cat"], ["", "dog", "dog"]) == pytest.approx(1 / 3)


def test_sequence_accuracy():
    metric = lm.metrics.SequenceAccuracy(mask_token_id=0)
    truth = np.array([[1, 2, 0], [2, 1, 1]])
    assert metric(lm.tensor(truth), lm.tensor(np.eye(3, dtype="f")[np.array([[1, 2, 2], [2, 1, 0]])])) == 0.5
    assert lm.metrics.SequenceAccuracy()(truth, truth) == 1
    assert lm.metrics.SequenceAccuracy.from_config(metric.get_config()).mask_token_id == 0
    with pytest.raises(ValueError, match=r"y_true must have shape \(N, T\)"):
        metric.update_state(truth, truth[:, :2])
