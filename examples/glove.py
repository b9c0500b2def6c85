"""GloVe: vectors of words from how often they stand near one another, its loss by epoch, and a map of the words.

The text is CPython's `pydoc_data.topics`, 465,000 characters, or a file: python glove.py --text my_book.txt
"""

from pathlib import Path

import lamina as lm
from lamina.applications import Glove
from word2vec import SHOWN, draw, flattened, manual, print_neighbours, sentences_of


def main(small: bool = False, output: str = "glove.png", text: str | None = None) -> list[float]:
    from matplotlib.figure import Figure

    lm.set_seed(1)
    sentences = sentences_of(manual() if text is None else text)
    model = Glove(vector_size=16 if small else 50, window=10, x_max=100)
    vectors = model.fit(sentences, epochs=4 if small else 30, verbose=0 if small else 1)
    print("loss by epoch: " + ", ".join(f"{loss:.4f}" for loss in model.losses))
    print(f"{len(vectors):,} words, {model.words_per_second:,.0f} words of text a second; the nearest to")
    print_neighbours(vectors)

    figure = Figure(figsize=(12, 6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    words = [word for word in vectors.words[30:] if len(word) > 3][:SHOWN]
    draw(left, flattened(vectors.directions[[vectors.number(word) for word in words]]), words, "tab:blue")
    left.set_title("Words of Python's manual" if text is None else "Words of the text")
    right.semilogy(range(1, len(model.losses) + 1), model.losses, marker="o", markersize=3)
    right.set_xlabel("epoch")
    right.set_title("Mean weighted loss of an entry of the matrix")
    right.grid(alpha=0.3, which="both")
    figure.savefig(output, dpi=120)
    return model.losses


if __name__ == "__main__":
    from command_line import run

    run(main, text={"type": lambda name: lm.data.read_text(Path(name)), "help": "a text file to learn from"})
