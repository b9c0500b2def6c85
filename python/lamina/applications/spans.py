"""Answers as spans of a passage: read off the logits, and compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.layers.checks import positive
from lamina.metrics.metric import array_of

Array = Any


def best_spans(start_logits: Any, end_logits: Any, allowed: Any = None, max_length: int = 30) -> tuple[Array, Array]:
    """The spans with the largest sum of both logits, of those that end where they begin or later.

    Args:
        start_logits, end_logits: (N, T), what `BertForQuestionAnswering` gives.
        allowed: booleans, or 0 and 1, (N, T): where an answer may stand, as token_type_ids * attention_mask less the
            last [SEP]; None for everywhere.
        max_length: tokens of the longest answer.

    Returns:
        spans (N, 2), int64: the first token and the last one, which belongs to the span; and their sums of logits (N,).
        A row where nothing is allowed has the span (0, 0), of -inf.

    Raises:
        ValueError: if shapes differ, or max_length is not positive.

    Example:
        >>> from lamina.applications import best_spans
        >>> spans, scores = best_spans([[0.0, 3.0, 1.0, 0.0]], [[9.0, 0.0, 2.0, 0.0]])
        >>> spans.tolist(), scores.tolist()
        ([[0, 0]], [9.0])
        >>> best_spans([[0.0, 3.0, 1.0, 0.0]], [[9.0, 0.0, 2.0, 0.0]], allowed=[[0, 1, 1, 1]])[0].tolist()
        [[1, 2]]
    """
    start, end = array_of(start_logits), array_of(end_logits)
    if start.ndim != 2 or start.shape != end.shape or not start.shape[1]:
        raise ValueError(f"best_spans: start_logits and end_logits must have one shape (N, T), got {start.shape} and "
                         f"{end.shape}")  # fmt: skip
    rows, length = start.shape
    longest = min(positive(max_length, "best_spans", "max_length"), length)
    inside = np.ones(start.shape, bool) if allowed is None else array_of(allowed).astype(bool)
    if inside.shape != start.shape:
        raise ValueError(f"best_spans: allowed must have shape {start.shape}, got {inside.shape}")
    start, end = np.where(inside, start, -np.inf), np.where(inside, end, -np.inf)
    ahead = np.concatenate([end, np.full((rows, longest - 1), -np.inf)], axis=1)
    ends = np.lib.stride_tricks.sliding_window_view(ahead, longest, axis=1)  # (N, T, longest)
    totals = (start[:, :, None] + ends).reshape(rows, -1)
    best = totals.argmax(axis=1)
    first, further = np.divmod(best, longest)
    return np.stack([first, first + further], axis=1), totals[np.arange(rows), best]


def span_f1(spans: Any, truth: Any) -> Array:
    """How much each span has in common with the true one: 2 common / (length + true length), from 0 to 1.

    1 is an exact match. On tokens, by their places.

    Args:
        spans, truth: (N, 2): the first token and the last one.

    Returns:
        (N,), float64.

    Raises:
        ValueError: if shapes differ, or a span ends before it begins.

    Example:
        >>> from lamina.applications import span_f1
        >>> span_f1([[3, 4], [3, 4], [3, 4]], [[3, 4], [4, 5], [6, 7]]).tolist()
        [1.0, 0.5, 0.0]

    Reference:
        Rajpurkar et al. 2016, "SQuAD", arXiv:1606.05250.
    """
    given, right = array_of(spans), array_of(truth)
    if given.shape != right.shape or given.ndim != 2 or given.shape[1] != 2:
        raise ValueError(f"span_f1: spans and truth must have one shape (N, 2), got {given.shape} and {right.shape}")
    for name, rows in (("spans", given), ("truth", right)):
        whole = rows[:, 0] <= rows[:, 1]
        if not whole.all():
            row = int(whole.argmin())
            raise ValueError(f"span_f1: row {row} of {name}, {rows[row].tolist()}, ends before it begins")
    common = np.minimum(given[:, 1], right[:, 1]) - np.maximum(given[:, 0], right[:, 0]) + 1
    lengths = (given[:, 1] - given[:, 0]) + (right[:, 1] - right[:, 0]) + 2
    return 2 * np.maximum(common, 0) / lengths
