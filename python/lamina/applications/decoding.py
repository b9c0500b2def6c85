"""Searches for sequences, token by token: greedy, by beams, by chance. They know nothing of the network behind."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from lamina import backend, ops, random
from lamina.autograd.tape import no_grad
from lamina.kinds import is_integer

Array = np.ndarray[Any, Any]
PADDING = 0


class Steps(Protocol):
    """A network that writes: rows of sequences at once, each row by itself."""

    rows: int

    def feed(self, tokens: Array) -> Any:
        """Writes tokens (rows, n) behind what was written; gives the logits of the next ones, (rows, vocabulary)."""

    def choose(self, rows: Array) -> None:
        """Goes on with these of the rows in the place of all: some several times, others not at all."""


def sample(
    steps: Steps,
    prompt: Array,
    end_token: int | None,
    max_length: int,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: Any = None,
) -> tuple[Array, Array]:
    """Takes the likeliest token each time, or draws one where the temperature is above 0.

    Args:
        steps: the network.
        prompt: (rows, P) first tokens, padded with 0 behind; each row has at least one.
        end_token: the token that ends a row; None for none.
        max_length: how many tokens are written behind the longest prompt.
        temperature: 0 for the likeliest token, T for draws from softmax(logits / T).
        top_k: draws are from the k likeliest tokens.
        top_p: draws are from the fewest tokens that have the probability p together.
        seed: of the draws: an integer, a SeedGenerator, or None for `lamina.set_seed`.

    Returns:
        Tokens (rows, P + max_length) with the prompt and 0 behind the end, and the sum of the log-probabilities of what
        was written, (rows,).

    Raises:
        ValueError: for an end token that is none.
    """
    width, total = prompt.shape[1], prompt.shape[1] + max_length
    lengths = (prompt != PADDING).sum(1)
    written = np.zeros((len(prompt), total), np.int64)
    written[:, :width] = prompt
    scores, done = np.zeros(len(prompt)), np.zeros(len(prompt), bool)
    draws = random.SeedGenerator(seed) if is_integer(seed) else seed
    at = fed = 0
    for at in range(int(lengths.min()), total):
        logits = steps.feed(written[:, fed:at])
        fed = at
        logs = log_probabilities(logits)
        if end_token is not None:
            _end(end_token, logs.shape[1])
        chosen = logs.argmax(1)
        if temperature > 0:
            kept = likeliest(logs / temperature, top_k, top_p)
            chosen = random.categorical(kept.astype(np.float32), 1, seed=draws).numpy()[:, 0]
        free = (at >= lengths) & ~done
        scores += np.where(free, np.take_along_axis(logs, chosen[:, None], 1)[:, 0], 0.0)
        written[:, at] = np.where(free, chosen, written[:, at])
        done |= free & (written[:, at] == end_token)
        if done.all():
            break
    return written[:, : at + 1], scores


def beam_search(
    steps: Steps, prompt: Array, end_token: int | None, max_length: int, beams: int, length_penalty: float
) -> tuple[Array, Array]:
    """Keeps the `beams` likeliest beginnings of every row, and of what has ended the best by score.

    The score is the sum of log-probabilities over ((5 + length) / 6)^length_penalty, the length counted from the first
    token that was written to the end token. The search ends where no beginning can become better than what has ended.

    Args:
        steps: the network, with rows * beams rows: each row's beams follow each other.
        prompt: (rows, P) first tokens, no padding.
        end_token: the token that ends a sequence.
        max_length: how many tokens are written at most.
        beams: how many are kept.
        length_penalty: 0 prefers short sequences, 1 is about a mean over tokens.

    Returns:
        Tokens (rows, beams, P + written) with 0 behind the end, the best first, and their scores (rows, beams).

    Raises:
        ValueError: for an end token that is none.
    """
    rows, width = prompt.shape
    written = np.zeros((rows, beams, width + max_length), np.int64)
    written[:, :, :width] = prompt[:, None]
    alive = np.full((rows, beams), -np.inf)
    alive[:, 0] = 0.0  # all beams are alike at first
    ended, ended_scores = np.zeros_like(written), np.full((rows, beams), -np.inf)
    fed = 0
    for at in range(width, width + max_length):
        logs = log_probabilities(steps.feed(written.reshape(rows * beams, -1)[:, fed:at])).reshape(rows, beams, -1)
        fed, vocabulary = at, logs.shape[2]
        end = _end(end_token, vocabulary)
        penalty = _penalty(at + 1 - width, length_penalty)
        totals = alive[:, :, None] + logs
        stopped = totals[:, :, end] / penalty
        totals[:, :, end] = -np.inf
        ended, ended_scores = _best(
            np.concatenate([ended, _with(written, at, end)], 1), np.concatenate([ended_scores, stopped], 1), beams
        )
        order = np.argsort(-totals.reshape(rows, -1), 1, kind="stable")[:, :beams]
        alive = np.take_along_axis(totals.reshape(rows, -1), order, 1)
        parents = order // vocabulary
        written = np.take_along_axis(written, parents[:, :, None], 1)
        written[:, :, at] = order % vocabulary
        hope = alive[:, 0] / _penalty(max_length, length_penalty)
        if (hope <= ended_scores[:, -1]).all():
            break
        steps.choose((np.arange(rows)[:, None] * beams + parents).reshape(-1))
    else:  # what never ended counts as it stands
        ended, ended_scores = _best(
            np.concatenate([ended, written], 1),
            np.concatenate([ended_scores, alive / _penalty(max_length, length_penalty)], 1),
            beams,
        )
    return ended[:, :, : at + 1], ended_scores


def log_probabilities(logits: Any) -> Array:
    """log softmax over the last axis, on the host; -inf for padding, which nobody writes."""
    with no_grad():
        result: Array = backend.to_host(ops.log_softmax(ops.cast(logits, "float32")).array).astype(np.float64)
    result[..., PADDING] = -np.inf
    return result


def likeliest(logs: Array, top_k: int | None, top_p: float | None) -> Array:
    """Log-probabilities (rows, vocabulary) with -inf for all but the k likeliest, or the fewest that make up p."""
    order = np.argsort(-logs, 1, kind="stable")
    ranked = np.take_along_axis(logs, order, 1)
    kept = np.ones(logs.shape, bool)
    if top_k is not None:
        kept[:, top_k:] = False
    if top_p is not None:
        shares = backend.to_host(ops.softmax(ranked.astype(np.float32)).array)
        kept &= np.cumsum(shares, 1) - shares < top_p  # the first one stays whatever it has
    result = np.full(logs.shape, -np.inf)
    np.put_along_axis(result, order, np.where(kept, ranked, -np.inf), 1)
    return result


def _end(token: Any, vocabulary: int) -> int:
    """The end token; ValueError for what would never be written, so that nothing would end."""
    if not is_integer(token) or not PADDING < token < vocabulary:
        raise ValueError(f"end_token must be one of the model's tokens, from 1 to {vocabulary - 1}, got {token!r}")
    return int(token)


def _penalty(length: int, power: float) -> float:
    return float(ops.power(np.float64((5 + length) / 6), np.float64(power)).numpy())


def _with(written: Array, at: int, token: int) -> Array:
    result = written.copy()
    result[:, :, at] = token
    return result


def _best(tokens: Array, scores: Array, count: int) -> tuple[Array, Array]:
    order = np.argsort(-scores, 1, kind="stable")[:, :count]
    return np.take_along_axis(tokens, order[:, :, None], 1), np.take_along_axis(scores, order, 1)
