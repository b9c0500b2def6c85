"""Learning pieces of words: the most frequent pair of neighbours becomes one piece, again and again."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable

from lamina.data.checks import positive

Pair = tuple[int, int]


def learn_merges(
    words: Counter[str],
    special: list[str],
    max_tokens: int,
    min_frequency: int,
    who: str,
    alphabet: list[str] | None = None,
    prefix: str = "",
    suffix: str = "",
    max_alphabet: int | None = None,
) -> tuple[list[str], list[tuple[str, str]]]:
    """The vocabulary and the merges of byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909).

    Of equally frequent pairs that of lower numbers is joined first, so that the result is one and the same.

    Args:
        words: how often each comes.
        special: the tokens to begin with.
        max_tokens: pairs are joined until there are so many; those to begin with all stay.
        min_frequency: pairs that come less often are not joined.
        who: what errors begin with.
        alphabet: further single characters that the vocabulary holds, met or not.
        prefix: stands before every piece inside a word.
        suffix: stands behind the last piece of a word.
        max_alphabet: no more single characters than so many, the most frequent; the others are left out of words.

    Returns:
        tokens, and which pairs were joined, in order.

    Raises:
        ValueError: without any word.
    """
    size, least = positive(max_tokens, f"{who}: max_tokens"), positive(min_frequency, f"{who}: min_frequency")
    if not words:
        raise ValueError(f"{who}: the corpus is empty: it holds no tokens")
    tokens = list(special)
    ids = {token: i for i, token in enumerate(tokens)}

    def number(token: str) -> int:
        if token not in ids:
            ids[token] = len(tokens)
            tokens.append(token)
        return ids[token]

    characters: Counter[str] = Counter()
    for word, count in words.items():
        for c in word:
            characters[c] += count
    kept = set(alphabet or ())
    room = len(characters) if max_alphabet is None else max(0, max_alphabet - len(kept))
    kept.update(c for c, _ in sorted(characters.items(), key=lambda item: (-item[1], item[0]))[:room])
    for c in sorted(kept):
        number(c)
    rows, counts = [], []
    for word, count in sorted(words.items()):
        spelled = [c for c in enumerate(word) if c[1] in kept]
        rows.append([number(prefix * (i > 0) + c + suffix * (i == len(word) - 1)) for i, c in spelled])
        counts.append(count)
    return tokens, [] if len(tokens) >= size else _joined(rows, counts, tokens, number, size, least, prefix)


def _joined(
    rows: list[list[int]],
    counts: list[int],
    tokens: list[str],
    number: Callable[[str], int],
    size: int,
    least: int,
    prefix: str,
) -> list[tuple[str, str]]:
    """Joins pairs until there are `size` tokens, and says which."""
    how_often: dict[Pair, int] = defaultdict(int)
    where: dict[Pair, set[int]] = defaultdict(set)
    for i, row in enumerate(rows):
        for pair in itertools.pairwise(row):
            how_often[pair] += counts[i]
            where[pair].add(i)
    queue = [(-count, pair) for pair, count in how_often.items()]
    heapq.heapify(queue)
    merges: list[tuple[str, str]] = []
    while queue and len(tokens) < size:
        count, pair = heapq.heappop(queue)
        if -count != how_often[pair]:  # it has changed since it was queued
            if how_often[pair] > 0:
                heapq.heappush(queue, (-how_often[pair], pair))
            continue
        if -count < least:
            break
        left, right = tokens[pair[0]], tokens[pair[1]]
        joined = number(left + (right[len(prefix) :] if prefix else right))
        merges.append((left, right))
        changed: set[Pair] = set()
        for i in where.pop(pair):
            for other, by in _replace(rows[i], pair, joined):
                how_often[other] += by * counts[i]
                if by > 0:
                    where[other].add(i)
                    changed.add(other)
        how_often[pair] = 0
        for other in changed:
            heapq.heappush(queue, (-how_often[other], other))
    return merges


def _replace(row: list[int], pair: Pair, joined: int) -> list[tuple[Pair, int]]:
    """Joins a pair in a row of tokens, in place; which pairs of neighbours come (1) and go (-1)."""
    changes: list[tuple[Pair, int]] = []
    i = 0
    while i + 1 < len(row):
        if row[i] == pair[0] and row[i + 1] == pair[1]:
            if i > 0:
                changes += [((row[i - 1], pair[0]), -1), ((row[i - 1], joined), 1)]
            if i + 2 < len(row):
                changes += [((pair[1], row[i + 2]), -1), ((joined, row[i + 2]), 1)]
            row[i : i + 2] = [joined]
        i += 1
    return changes
