"""A synthetic corpus with planted relations: analogies that have an answer."""

from __future__ import annotations

import numpy as np

from lamina.data.checks import positive, seed_of

KINDS = ("country", "capital", "language", "food")
SIGNS = 6
ASTRAY = 0.25  # the share of surrounding words that stand there by chance


def planted_analogies(
    sentences: int = 4000, countries: int = 12, seed: int = 0
) -> tuple[list[list[str]], dict[str, list[list[str]]]]:
    """Synthetic sentences in which words of four kinds belong to countries, and the analogies planted there.

    Each sentence holds one of the words country0, capital0, language0, food0, country1, ..., between three words that
    stand with all words of its country and three that stand with all of its kind; a quarter of these is any such word
    by chance. So "capital3" is to "country3" as
    "capital7" to "country7": vectors that add up what surrounds a word answer it.

    Args:
        sentences: how many.
        countries: how many countries.
        seed: an integer; the same seed gives the same sentences.

    Returns:
        sentences, each a list of seven words; questions, {"country capital": [["country0", "capital0", "country1",
        "capital1"], ...], ...} for each two kinds: what `WordVectors.analogies` takes.

    Raises:
        ValueError: for numbers below 1.
        TypeError: for a seed that is no integer.

    Example:
        >>> import lamina as lm
        >>> sentences, questions = lm.data.planted_analogies(100, countries=3)
        >>> len(sentences[0]), questions["country food"][0]
        (7, ['country0', 'food0', 'country1', 'food1'])
    """
    count, several = (
        positive(sentences, "planted_analogies: sentences"),
        positive(countries, "planted_analogies: countries"),
    )
    draw = np.random.default_rng(seed_of(seed, "planted_analogies"))
    every = [f"{owner}_{k}" for owner in [*(f"sign{i}" for i in range(several)), *(f"{kind}_sign" for kind in KINDS)]
             for k in range(SIGNS)]  # fmt: skip
    rows = []
    for _ in range(count):
        country, kind = int(draw.integers(several)), KINDS[draw.integers(len(KINDS))]
        around = [f"sign{country}_{k}" for k in draw.integers(0, SIGNS, 3)]
        around += [f"{kind}_sign_{k}" for k in draw.integers(0, SIGNS, 3)]
        words = [
            around[i] if draw.random() >= ASTRAY else every[draw.integers(len(every))] for i in draw.permutation(6)
        ]
        rows.append([*words[:3], f"{kind}{country}", *words[3:]])
    questions = {
        f"{a} {b}": [
            [f"{a}{i}", f"{b}{i}", f"{a}{j}", f"{b}{j}"] for i in range(several) for j in range(several) if i != j
        ]
        for a in KINDS
        for b in KINDS
        if a != b
    }
    return rows, questions
