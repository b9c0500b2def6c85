"""One to many: a picture of a digit in, its English name out, letter by letter.

The network sees the picture once; a GRU that is given the same summary at each step writes the word.

Needs: pip install "lamina[demo]"
"""

import numpy as np

import lamina as lm
from lamina.layers import GRU, Dense, Flatten, RepeatVector, TimeDistributed
from lamina.models import Sequential

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
LETTERS = "_abcdefghijklmnopqrstuvwxyz"  # _ ends a word
LENGTH = max(map(len, NAMES))


def main(small: bool = False, output: str = "one_to_many.png") -> float:
    lm.set_seed(1)
    (x, y), (x_test, y_test) = lm.data.digits()
    spelled = np.array([[LETTERS.index(letter) for letter in name.ljust(LENGTH, "_")] for name in NAMES])
    model = Sequential([
        Flatten(input_shape=x.shape[1:]),
        Dense(64, activation="relu"),
        RepeatVector(LENGTH),
        GRU(64, return_sequences=True),
        TimeDistributed(Dense(len(LETTERS), activation="softmax")),
    ])  # fmt: skip
    model.compile(optimizer=lm.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, spelled[y], epochs=8 if small else 20, verbose=0 if small else 1)
    letters = model.predict(x_test, verbose=0).argmax(axis=2)
    accuracy = float((letters == spelled[y_test]).all(axis=1).mean())
    print(f"one to many: {accuracy:.1%} of {len(y_test)} held-out digits are spelled without a mistake")
    draw(output, x_test, y_test, ["".join(LETTERS[i] for i in word).rstrip("_") for word in letters])
    return accuracy


def draw(output, x, y, words) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.6), layout="constrained")
    figure.suptitle("One to many: a picture in, its name out, letter by letter (mistakes in red)")
    for axes, picture, true, word in zip(figure.subplots(2, 12).flat, x, y, words, strict=False):
        axes.imshow(picture[:, :, 0], cmap="gray_r")
        axes.set_title(word, color="black" if word == NAMES[true] else "tab:red")
        axes.set_axis_off()
    figure.savefig(output, dpi=120)


if __name__ == "__main__":
    from command_line import run

    run(main)
