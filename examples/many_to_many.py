"""Many to many, aligned: adding two binary numbers bit by bit, lowest first; an output for each input.

What a recurrent network has to remember is one thing, the carry. It is taught with numbers of 8 bits and then adds
numbers of 40 bits: what it learned is the rule, not the sums.

Needs: pip install "lamina[demo]"
"""

import numpy as np

import lamina as lm
from lamina.layers import Dense, Input, SimpleRNN
from lamina.models import Sequential

TAUGHT, ASKED = 8, 40  # bits


def sums(count: int, bits: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` sums: the bits of both numbers (count, bits, 2), and those of the sum (count, bits, 1)."""
    a, b = np.random.default_rng(seed).integers(0, 2 ** (bits - 1), size=(2, count))
    places = np.arange(bits)
    both = np.stack([a, b], axis=1)[:, None, :] >> places[:, None] & 1
    return both.astype("float32"), ((a + b)[:, None, None] >> places[:, None] & 1).astype("float32")


def main(small: bool = False, output: str = "many_to_many.png") -> float:
    lm.set_seed(1)
    x, y = sums(4000, TAUGHT, seed=0)
    x_test, y_test = sums(500, ASKED, seed=1)
    model = Sequential([Input((None, 2)), SimpleRNN(16, return_sequences=True), Dense(1, activation="sigmoid")])
    model.compile(optimizer=lm.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["binary_accuracy"])
    model.fit(x, y, epochs=8 if small else 15, verbose=0 if small else 1)
    said = model.predict(x_test, verbose=0)
    right = float(((said > 0.5) == y_test).all(axis=(1, 2)).mean())
    print(f"many to many, aligned: {right:.1%} of {len(x_test)} sums of {ASKED} bits are right in every bit")
    draw(output, x_test[0], y_test[0], said[0])
    return right


def draw(output, x, y, said) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.4), layout="constrained")
    axes = figure.subplots()
    table = np.concatenate([x, y, said], axis=1).T[:, ::-1]
    axes.imshow(table, cmap="Blues", aspect="auto", vmin=0, vmax=1.3)
    for (row, column), value in np.ndenumerate(table):
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=8)
    axes.set(yticks=range(4), yticklabels=["a", "b", "a + b", "network"], xticks=[])
    axes.set_title(f"Many to many, aligned: taught with {TAUGHT} bits, asked for {ASKED}")
    figure.savefig(output, dpi=120)


if __name__ == "__main__":
    from command_line import run

    run(main)
