"""Best spans against a search of all, and the overlap of spans."""

import numpy as np
import pytest

import lamina as lm
from lamina.applications import best_spans, span_f1


@pytest.mark.parametrize("most", [1, 3, 40])
def test_best_spans_are_the_best_of_all(most):
    draw = np.random.default_rng(most)
    start, end = draw.standard_normal((2, 20, 15))
    allowed = draw.random((20, 15)) < 0.6
    spans, scores = best_spans(lm.tensor(start), end, allowed, max_length=most)
    for row in range(20):
        pairs = [
            (start[row, i] + end[row, j], i, j)
            for i in range(15)
            for j in range(i, min(15, i + most))
            if allowed[row, i] and allowed[row, j]
        ]
        score, i, j = max(pairs)
        assert (scores[row], *spans[row]) == (score, i, j)


def test_nothing_allowed():
    spans, scores = best_spans(np.ones((1, 4)), np.ones((1, 4)), np.zeros((1, 4)))
    assert spans.tolist() == [[0, 0]]
    assert scores.tolist() == [-np.inf]


def test_overlap():
    assert span_f1([[0, 3], [2, 2], [5, 9]], [[2, 3], [2, 2], [0, 4]]).tolist() == [2 / 3, 1.0, 0.0]


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"one shape .N, T., got .1, 3. and .1, 4."):
        best_spans(np.ones((1, 3)), np.ones((1, 4)))
    with pytest.raises(ValueError, match=r"allowed must have shape .1, 3., got .3,."):
        best_spans(np.ones((1, 3)), np.ones((1, 3)), np.ones(3))
    with pytest.raises(ValueError, match="max_length must be"):
        best_spans(np.ones((1, 3)), np.ones((1, 3)), max_length=0)
    with pytest.raises(ValueError, match=r"one shape .N, 2., got .1, 2. and .2, 2."):
        span_f1([[1, 2]], [[1, 2], [3, 4]])
    with pytest.raises(ValueError, match=r"span_f1: row 1 of spans, .5, 4., ends before it begins"):
        span_f1([[1, 2], [5, 4]], [[1, 2], [5, 4]])
    with pytest.raises(ValueError, match=r"span_f1: row 0 of truth, .5, 3., ends before it begins"):
        span_f1([[1, 2]], [[5, 3]])
