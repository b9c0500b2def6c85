"""A small network learns XOR, which no perceptron can: no straight line parts (0, 0), (1, 1) from (0, 1), (1, 0).

A hidden layer bends the plane so that one does.

Reference: Rumelhart, Hinton & Williams 1986, "Learning representations by back-propagating errors".
"""

import numpy as np

import lamina as lm
from lamina.layers import Dense
from lamina.models import Sequential

INPUTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
TARGETS = np.array([0, 1, 1, 0], "float32")


def main() -> None:
    lm.set_seed(1)
    model = Sequential([Dense(8, activation="tanh", input_shape=(2,)), Dense(1, activation="sigmoid")])
    model.compile(optimizer=lm.optimizers.Adam(0.05), loss="binary_crossentropy", metrics=["accuracy"])
    history = model.fit(INPUTS, TARGETS, epochs=200, batch_size=4, verbose=0)
    answers = model.predict(INPUTS, verbose=0)[:, 0]
    for (a, b), answer in zip(INPUTS.astype(int), answers, strict=True):
        print(f"{a} xor {b} = {answer:.3f}")
    print(f"loss {history.history['loss'][0]:.3f} -> {history.history['loss'][-1]:.4f}")
    assert ((answers > 0.5) == TARGETS).all()


if __name__ == "__main__":
    from command_line import run

    run(main)
