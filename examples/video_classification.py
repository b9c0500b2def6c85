"""Which way does it move? A convolution looks at each frame of a video, and an LSTM at what it saw over time.

The videos are made of real handwritten digits that move over a dark field for eight frames (the movement is synthetic).
No frame alone says which way: the order does.

Needs: pip install "lamina[demo]"
"""

import numpy as np

import lamina as lm
from lamina.layers import LSTM, Conv2D, Dense, Flatten, Input, TimeDistributed
from lamina.models import Sequential

WAYS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
FRAMES, FIELD, DIGIT = 8, 20, 8


def videos(digits: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A video of each digit, (count, FRAMES, FIELD, FIELD, 1), and the way it moves."""
    draw = np.random.default_rng(seed)
    ways = draw.integers(len(WAYS), size=len(digits))
    films = np.zeros((len(digits), FRAMES, FIELD, FIELD, 1), "float32")
    for film, digit, way in zip(films, digits, ways, strict=True):
        step = np.array(list(WAYS.values())[way])
        place = draw.integers(0, FIELD - DIGIT, 2)
        for frame in film:
            top, left = place % (FIELD - DIGIT + 1)  # it comes in again on the other side
            frame[top : top + DIGIT, left : left + DIGIT] = digit
            place = place + step
    return films, ways


def main(small: bool = False, output: str = "video_classification.png") -> float:
    from matplotlib.figure import Figure

    lm.set_seed(1)
    (digits, _), (digits_test, _) = lm.data.digits()
    (x, y), (x_test, y_test) = videos(digits[: 600 if small else None], seed=0), videos(digits_test, seed=1)
    model = Sequential([
        Input(x.shape[1:]),
        TimeDistributed(Conv2D(8, 5, strides=2, activation="relu")),
        TimeDistributed(Conv2D(16, 3, activation="relu")),
        TimeDistributed(Flatten()),
        LSTM(64),
        Dense(len(WAYS), activation="softmax"),
    ])  # fmt: skip
    model.compile(optimizer=lm.optimizers.Adam(2e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=6 if small else 12, verbose=0 if small else 1)
    said = model.predict(x_test, verbose=0).argmax(axis=1)
    accuracy = float((said == y_test).mean())
    print(f"videos: the way is named rightly in {accuracy:.1%} of {len(said)} held out")
    figure = Figure(figsize=(10, 5), layout="constrained")
    figure.suptitle("Which way does it move? (frames from left to right; mistakes in red)")
    for row, film, way, answer in zip(figure.subplots(4, FRAMES), x_test, y_test, said, strict=False):
        for axes, frame in zip(row, film, strict=True):
            axes.imshow(frame[:, :, 0], cmap="gray_r")
            axes.set(xticks=[], yticks=[])
        row[0].set_ylabel(list(WAYS)[answer], color="black" if way == answer else "tab:red")
    figure.savefig(output, dpi=120)
    return accuracy


if __name__ == "__main__":
    from command_line import run

    run(main)
