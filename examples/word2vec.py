"""Word2Vec: vectors of the words of Python's manual, their neighbours, and a map of them; and planted analogies.

The text is CPython's `pydoc_data.topics`, 465,000 characters, or a file: python word2vec.py --text my_book.txt
The analogies ("country3 is to capital3 as country7 to ...") are asked of a synthetic corpus in which they were planted.
"""

import re
from pathlib import Path

import numpy as np

import lamina as lm
from lamina.applications import Word2Vec, WordVectors

ASKED = ("class", "string", "exception", "module", "integer", "loop")
SHOWN = 110  # words on the map


def manual() -> str:
    from pydoc_data import topics

    return "\n\n".join(topics.topics.values())


def sentences_of(text: str) -> list[list[str]]:
    """The paragraphs of a text, each as its words in small letters."""
    return [re.findall(r"[a-z]+", part.lower()) for part in text.split("\n\n")]


def flattened(vectors: np.ndarray) -> np.ndarray:
    """The two directions in which vectors differ most: principal components (N, 2)."""
    centred = vectors - vectors.mean(0)
    return centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T


def print_neighbours(vectors: WordVectors) -> None:
    for word in (word for word in ASKED if word in vectors):
        near = ", ".join(f"{other} {cosine:.2f}" for other, cosine in vectors.most_similar(word, count=6))
        print(f"{word:>10}: {near}")


def draw(axes, points: np.ndarray, words: list[str], colours: str | list[str]) -> None:
    axes.scatter(*points.T, s=6, c=colours)
    room, named = np.ptp(points, axis=0) * (0.09, 0.018), []
    for word, point in zip(words, points, strict=True):
        if all((abs(point - other) > room).any() for other in named):  # no name upon another
            axes.annotate(word, point, (2, 2), textcoords="offset points", fontsize=6.5)
            named.append(point)
    axes.set_xticks([])
    axes.set_yticks([])


def main(small: bool = False, output: str = "word2vec.png", text: str | None = None) -> float:
    from matplotlib.figure import Figure

    lm.set_seed(1)
    sentences = sentences_of(manual() if text is None else text)
    model = Word2Vec(vector_size=32 if small else 100, min_count=5)
    vectors = model.fit(sentences, epochs=3 if small else 20, verbose=0 if small else 1)
    print(f"{len(vectors):,} words, {model.words_per_second:,.0f} words of text a second; the nearest to")
    print_neighbours(vectors)

    planted, questions = lm.data.planted_analogies(2000 if small else 4000)
    known = Word2Vec(32, min_count=1, sample=0, alpha=0.05).fit(planted, epochs=10 if small else 20, verbose=0)
    right, asked = known.analogies(questions)["total"]
    print(f"planted analogies: {right} of {asked} right; country3 : capital3 = country7 :", end=" ")
    print(known.most_similar(["capital3", "country7"], ["country3"], count=1)[0][0])

    figure = Figure(figsize=(12, 6), layout="constrained")
    left, right_side = figure.subplots(1, 2, width_ratios=(3, 2))
    words = [word for word in vectors.words[30:] if len(word) > 3][:SHOWN]
    places = [vectors.number(word) for word in words]
    draw(left, flattened(vectors.directions[places]), words, "tab:blue")
    left.set_title("Words of Python's manual" if text is None else "Words of the text")
    words = [f"{kind}{i}" for i in range(5) for kind in ("country", "capital", "food")]
    points = flattened(known.vectors[[known.number(word) for word in words]])
    draw(right_side, points, words, ["tab:red", "tab:green", "tab:orange"] * 5)
    for i in range(0, len(words), 3):
        right_side.plot(*points[[i + 1, i, i + 2]].T, color="0.8", linewidth=1, zorder=0)
    right_side.set_title(f"Planted relations (synthetic): {right / asked:.1%} of analogies right")
    figure.savefig(output, dpi=120)
    return right / asked


if __name__ == "__main__":
    from command_line import run

    run(main, text={"type": lambda name: lm.data.read_text(Path(name)), "help": "a text file to learn from"})
