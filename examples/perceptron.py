"""A perceptron learns AND and OR.

One unit with a binary step: it fires where x w + b is at least 0. Rosenblatt's rule moves the weights after each wrong
answer, w += rate * (wanted - answered) * x; it needs no gradient (that of a step is 0 everywhere), and it ends when all
answers are right, which they can become where a straight line parts the two kinds of inputs.

Reference: Rosenblatt 1958, "The Perceptron: A Probabilistic Model for Information Storage and Organization".
"""

import numpy as np

import lamina as lm
from lamina.layers import Dense

INPUTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
GATES = {"AND": [0, 0, 0, 1], "OR": [0, 1, 1, 1]}


def train(targets: list[int], rate: float = 0.5, most_epochs: int = 100) -> tuple[Dense, int]:
    """The perceptron, and how many epochs it took."""
    unit = Dense(1, activation="binary_step", kernel_initializer="zeros", input_shape=(2,))
    unit.build((None, 2))
    with lm.no_grad():
        for epoch in range(1, most_epochs + 1):
            wrong = 0
            for x, target in zip(INPUTS, targets, strict=True):
                error = target - unit(x[None]).item()
                unit.kernel.assign(unit.kernel + rate * error * x[:, None])
                unit.bias.assign(unit.bias + rate * error)
                wrong += error != 0
            if not wrong:
                return unit, epoch
    raise RuntimeError("no straight line parts these")


def main() -> None:
    for name, targets in GATES.items():
        unit, epochs = train(targets)
        answers = unit(INPUTS).numpy()[:, 0].astype(int).tolist()
        w, b = unit.kernel.numpy()[:, 0], unit.bias.item()
        print(f"{name}: {answers} after {epochs} epochs; fires where {w[0]:+.1f} a {w[1]:+.1f} b {b:+.1f} >= 0")
        assert answers == targets


if __name__ == "__main__":
    from command_line import run

    run(main)
