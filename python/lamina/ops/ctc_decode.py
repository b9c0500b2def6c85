"""ctc_decode: what the output of a model trained with `ctc_loss` spells."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor
from lamina.ops.ctc_loss import index_of, lengths_of
from lamina.ops.elementary import log
from lamina.ops.reductions import sum as reduce_sum
from lamina.ops.softmax import softmax

STRATEGIES = ("greedy", "beam_search")


def ctc_decode(
    inputs: Any,
    sequence_lengths: Any,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int | None = 0,
) -> tuple[Tensor, Tensor]:
    """The most likely labels for logits over time: repetitions, and then blanks, are taken out.

    Args:
        inputs: logits of shape (N, T, C), float32 or float64.
        sequence_lengths: how many steps of each sample count, integers from 0 to T of shape (N,).
        strategy: "greedy" takes the best class of every step. "beam_search" adds up the probabilities of all ways to
            spell the same labels, and keeps the most likely beginnings at every step.
        beam_width: how many beginnings a beam search keeps.
        top_paths: how many results a beam search gives; at most beam_width.
        merge_repeated: whether "greedy" takes repetitions out. A beam search always does.
        mask_index: the class of the blank; None for the last.

    Returns:
        The labels, int32 of shape (top_paths, N, T), 1 for top_paths where greedy; -1 behind the last. And of shape
        (N, top_paths) the log probabilities; where greedy, (N, 1), minus the sum of the logits taken, as in Keras.

    Raises:
        ValueError: for an unknown strategy, or shapes, lengths or numbers out of range.
        TypeError: if the logits are not of floating point, or the lengths no integers.

    Example:
        >>> import lamina as lm, numpy as np
        >>> logits = np.log(np.array([[[0.4, 0.6], [0.7, 0.3]]]))  # blank, or 1
        >>> labels, score = lm.ops.ctc_decode(logits, [2], "beam_search", top_paths=2)
        >>> labels.numpy()[:, 0].tolist(), np.exp(score.numpy()).round(2).tolist()
        ([[1, -1], [-1, -1]], [[0.72, 0.28]])

    Reference:
        Graves et al. 2006, section 3.2; Hannun et al. 2014, arXiv:1408.2873 (prefix search).
    """
    x = float_tensor(inputs, "ctc_decode", "inputs")
    if x.ndim != 3 or x.shape[2] == 0:
        raise ValueError(f"ctc_decode: inputs must have shape (N, T, C), C at least 1, got {x.shape}")
    n, steps, classes = x.shape
    lengths = lengths_of("ctc_decode", "sequence_lengths", sequence_lengths, x, steps)
    blank = classes - 1 if mask_index is None else index_of("ctc_decode", "mask_index", mask_index, classes)
    with no_grad():
        if strategy == "greedy":
            return _greedy(x.array, lengths, blank, bool(merge_repeated))
        if strategy != "beam_search":
            raise ValueError(f"ctc_decode: strategy must be one of {list(STRATEGIES)}, got {strategy!r}")
        width = index_of("ctc_decode", "beam_width", beam_width, 2**31)
        paths = index_of("ctc_decode", "top_paths", top_paths, width + 1)
        if not paths:
            raise ValueError(f"ctc_decode: top_paths must be from 1 to beam_width, got {top_paths} and {beam_width}")
        labels = np.full((paths, n, steps), -1, np.int32)
        scores = np.full((n, paths), -np.inf)
        p = backend.to_host(softmax(Tensor(x.array.astype(np.float64))).array)  # the search is the CPU's work
        lengths = backend.to_host(lengths)
        for i in range(n):
            _beam_search(p[i, : lengths[i]], width, blank, labels[:, i], scores[i])
        return Tensor(backend.moved(labels, x.array)), Tensor(backend.moved(scores.astype(x.dtype), x.array))


def _greedy(x: Any, lengths: Any, blank: int, merge: bool) -> tuple[Tensor, Tensor]:
    xp = backend.array_module(x)
    used = xp.arange(x.shape[1]) < lengths[:, None]
    best = xp.where(used, x.argmax(2), blank).astype(np.int32)
    kept = best != blank
    if merge:
        kept[:, 1:] &= best[:, 1:] != best[:, :-1]
    order = xp.argsort(~kept, axis=1, kind="stable")
    labels = xp.take_along_axis(xp.where(kept, best, np.int32(-1)), order, 1)
    taken = xp.where(used, x.max(2), x.dtype.type(0))
    return Tensor(labels[None]), reduce_sum(Tensor(-taken), axis=1, keepdims=True)


class _Beginnings:
    """The label sequences that a search met: a tree in which each has its parent and last label."""

    def __init__(self) -> None:
        self.parents, self.labels = [-1], [-1]  # of the empty one
        self.known: dict[tuple[int, int], int] = {}

    def child(self, parent: int, label: int) -> int:
        number = self.known.get((parent, label))
        if number is None:
            number = self.known[parent, label] = len(self.parents)
            self.parents.append(parent)
            self.labels.append(label)
        return number

    def spelt(self, number: int) -> list[int]:
        found = []
        while number:
            found.append(self.labels[number])
            number = self.parents[number]
        return found[::-1]


def _beam_search(p: Any, width: int, blank: int, labels: Any, scores: Any) -> None:
    """Fills labels (top_paths, T) and scores (top_paths,) for probabilities p (T, C).

    Probabilities are kept relative to a power of two, which is exact, so that only exact operations come before the
    last logarithm.
    """
    tree = _Beginnings()
    beams = [0]
    ends_blank, ends_label = np.ones(1), np.zeros(1)  # the probability of each beginning, by how its last step ended
    exponent = 0
    for step in p:
        last = np.array([tree.labels[b] for b in beams])
        both = ends_blank + ends_label
        repeated = np.where(last < 0, 0.0, ends_label * step[last])
        longer = both[:, None] * step
        own = np.flatnonzero(last >= 0)
        longer[own, last[own]] = ends_blank[own] * step[last[own]]  # a repetition is a new label behind a blank alone
        longer[:, blank] = 0
        place = {b: i for i, b in enumerate(beams)}
        for i, b in enumerate(beams):  # longer by one label, and yet among them already
            parent = place.get(tree.parents[b])
            if parent is not None:
                repeated[i] += longer[parent, last[i]]
                longer[parent, last[i]] = 0
        ends_blank = both * step[blank]
        totals = np.concatenate([ends_blank + repeated, longer.reshape(-1)])
        chosen = np.argsort(-totals, kind="stable")[:width]
        chosen = chosen[totals[chosen] > 0]
        if not chosen.size:  # all classes have probability 0, or NaN
            return
        count, classes = len(beams), step.size
        beams = [
            beams[c] if c < count else tree.child(beams[(c - count) // classes], (c - count) % classes)
            for c in chosen.tolist()
        ]
        ends_label = np.concatenate([repeated, longer.reshape(-1)])[chosen]
        ends_blank = np.concatenate([ends_blank, np.zeros(longer.size)])[chosen]
        shift = int(np.frexp(totals[chosen[0]])[1])
        ends_label, ends_blank = np.ldexp(ends_label, -shift), np.ldexp(ends_blank, -shift)
        exponent += shift
    totals = ends_blank + ends_label
    order = np.argsort(-totals, kind="stable")[: len(scores)]
    scores[: order.size] = log(Tensor(totals[order])).array + exponent * 0.6931471805599453
    for k, i in enumerate(order.tolist()):
        spelt = tree.spelt(beams[i])
        labels[k, : len(spelt)] = spelt
