"""Word2Vec beside gensim 4, whole trainings, the counting of words included: dimension 100, window 5, 5 noise words, 5
epochs of CPython's manual (pydoc_data.topics), on all cores on both sides (workers= is gensim's name for them).

What is compared first is how many planted analogies either answers (lamina.data.planted_analogies, written out here so
that gensim's side needs no Lamina).
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np

from bench.case import Arrays, Case, Prepared

KINDS, COUNTRIES, SIGNS = ("country", "capital", "language", "food"), 12, 6
SETTINGS = {"vector_size": 100, "window": 5, "min_count": 5, "negative": 5}


def manual(smoke: bool) -> list[list[str]]:
    from pydoc_data.topics import topics

    parts = [part for text in topics.values() for part in text.split("\n\n")]
    sentences = [re.findall(r"[a-z]+", part.lower()) for part in parts[: 60 if smoke else None]]
    return [words for words in sentences if len(words) > 1]


def planted() -> list[list[str]]:
    """A word of each sentence stands between signs of its country and of its kind."""
    draw = np.random.default_rng(0)
    sentences = []
    for _ in range(2000):
        country, kind = int(draw.integers(COUNTRIES)), KINDS[draw.integers(len(KINDS))]
        words = [f"sign{country}_{k}" for k in draw.integers(0, SIGNS, 3)]
        words += [f"{kind}_sign_{k}" for k in draw.integers(0, SIGNS, 3)]
        words = [words[i] for i in draw.permutation(6)]
        sentences.append([*words[:3], f"{kind}{country}", *words[3:]])
    return sentences


def share_right(words: list[str], vectors: np.ndarray) -> Arrays:
    """How many of the questions country i : capital i = country j : ? are answered, for all kinds."""
    places = {word: i for i, word in enumerate(words)}
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    right = asked = 0
    for a in KINDS:
        for b in KINDS:
            for i in range(COUNTRIES if a != b else 0):
                for j in range(COUNTRIES):
                    if i == j:
                        continue
                    given = [places[f"{a}{i}"], places[f"{b}{i}"], places[f"{a}{j}"]]
                    cosines = directions @ (directions[given[1]] - directions[given[0]] + directions[given[2]])
                    cosines[given] = -np.inf
                    right += int(cosines.argmax() == places[f"{b}{j}"])
                    asked += 1
    return {"right": np.array([right / asked])}


def lamina_side(smoke: bool, skip_gram: bool, _: Arrays) -> Prepared:
    from lamina.applications import Word2Vec

    sentences = manual(smoke)

    def answer() -> Arrays:
        model = Word2Vec(32, min_count=1, sample=0, alpha=0.05, skip_gram=skip_gram, seed=1)
        vectors = model.fit(planted(), epochs=20, verbose=0)
        return share_right(vectors.words, vectors.vectors)

    def run() -> Any:
        return Word2Vec(**SETTINGS, skip_gram=skip_gram, seed=1).fit(sentences, epochs=5, verbose=0)

    return Prepared(run, answer)


def gensim_side(smoke: bool, skip_gram: bool, _: Arrays) -> Prepared:
    from gensim.models import Word2Vec

    from bench.worker import CORES

    sentences = manual(smoke)

    def answer() -> Arrays:
        model = Word2Vec(
            planted(),
            vector_size=32,
            min_count=1,
            sample=0,
            alpha=0.05,
            sg=int(skip_gram),
            epochs=20,
            seed=1,
            workers=1,
        )
        return share_right(model.wv.index_to_key, model.wv.vectors)

    return Prepared(lambda: Word2Vec(sentences, **SETTINGS, sg=int(skip_gram), epochs=5, seed=1, workers=CORES), answer)


def cases(smoke: bool) -> list[Case]:
    words = 5 * sum(map(len, manual(smoke)))
    return [
        Case(
            f"Word2Vec {'skip-gram' if skip_gram else 'CBOW'}, 100 wide, 5 noise words, {words:,} words, gensim",
            dict,
            partial(lamina_side, smoke, skip_gram),
            partial(gensim_side, smoke, skip_gram),
            tolerance=5e-2,
        )
        for skip_gram in (True, False)
    ]
