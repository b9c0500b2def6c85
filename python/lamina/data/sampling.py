"""Orders of rows: at random, and with the classes evened out. The same seed gives the same order everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any

WORD = (1 << 64) - 1


def generator(seed: int, number: int) -> np.random.Generator:
    """Random numbers of a seed, another sequence for each number."""
    key = np.array([seed & WORD, number & WORD], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def permutation(n: int, random: np.random.Generator) -> Array:
    """A random order of n."""
    return random.random(n).argsort(kind="stable")


def oversampled(labels: Array, random: np.random.Generator) -> Array:
    """A random order in which each class has as many rows as the largest: every row comes at least once, and no row of
    a class comes once more before all others of it have."""
    names, members, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    most = int(sizes.max(initial=0))
    chosen = []
    for number in range(len(names)):
        rows = np.flatnonzero(members == number)
        rounds = [rows[permutation(len(rows), random)] for _ in range(-(-most // len(rows)))]
        chosen.append(np.concatenate(rounds)[:most])
    order = np.concatenate(chosen) if chosen else np.zeros(0, np.int64)
    return order[permutation(len(order), random)]


def weighted(labels: Array, weights: dict[Any, float], count: int, random: np.random.Generator) -> Array:
    """`count` rows drawn with replacement: a class in the share of its weight, within a class every row alike."""
    names, members, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    each = np.array([float(weights.get(name.item(), 0.0)) for name in names])
    edges = each.cumsum()
    classes = np.searchsorted(edges, random.random(count) * edges[-1], side="right")
    classes = np.minimum(classes, np.flatnonzero(each)[-1])  # rounding must not reach a class that weighs nothing
    rows = np.argsort(members, kind="stable")
    first = np.cumsum(sizes) - sizes
    return rows[first[classes] + (random.random(count) * sizes[classes]).astype(np.int64)]
