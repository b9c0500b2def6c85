"""Many to one: an LSTM reads a digit's picture row by row, and says at the end which digit it was.

The picture shows what it believes after each row: the network takes sequences of any length.

Needs: pip install "lamina[demo]"
"""

import numpy as np

import lamina as lm
from lamina.layers import LSTM, Dense, Input
from lamina.models import Sequential


def main(small: bool = False, output: str = "many_to_one.png") -> float:
    lm.set_seed(1)
    (x, y), (x_test, y_test) = lm.data.digits()
    rows, rows_test = x[..., 0], x_test[..., 0]  # (samples, 8 steps, 8 points)
    model = Sequential([Input((None, 8)), LSTM(64), Dense(10, activation="softmax")])
    model.compile(optimizer=lm.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(rows, y, epochs=10 if small else 30, verbose=0 if small else 1)
    accuracy = float((model.predict(rows_test, verbose=0).argmax(axis=1) == y_test).mean())
    print(f"many to one: {accuracy:.1%} of {len(y_test)} held-out digits are named rightly after the last row")
    beliefs = np.stack([model.predict(rows_test[:5, : row + 1], verbose=0) for row in range(8)], axis=1)
    draw(output, rows_test, y_test, beliefs)
    return accuracy


def draw(output, rows, y, beliefs) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    figure.suptitle("Many to one: rows are read from the top; below, what the LSTM believes after each")
    for (left, right), picture, true, belief in zip(figure.subplots(2, 5).T, rows, y, beliefs, strict=False):
        left.imshow(picture, cmap="gray_r")
        left.set_title(f"is {true}")
        left.set_axis_off()
        right.imshow(belief, cmap="Blues", vmin=0, vmax=1)
        right.set(xticks=range(10), xlabel="digit", ylabel="rows read", yticks=range(8), yticklabels=range(1, 9))
    figure.savefig(output, dpi=120)


if __name__ == "__main__":
    from command_line import run

    run(main)
