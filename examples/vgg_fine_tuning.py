"""Fine-tuning: a VGG-16 that has learnt the digits 0 to 4 is taught 5 to 9 from a few examples of each.

The first network's convolutions go to a weights file. A second one loads them (`weights=`, without the top), frozen, so
that only its new dense layer learns. Then all of it learns on at a smaller rate. A third begins with random weights and
sees the same few examples for as many epochs.

Needs: pip install "lamina[demo]"
Reference: Simonyan & Zisserman 2014, arXiv:1409.1556; Yosinski et al. 2014, arXiv:1411.1792.
"""

import tempfile
from pathlib import Path

import numpy as np

import lamina as lm
from lamina.layers import Dense, Input

SHAPE = (32, 32, 1)


def network(weights: Path | None = None) -> tuple[lm.Model, lm.Model]:
    """VGG-16 without its top, and the same with a dense layer for five classes."""
    base = lm.applications.VGG16(False, weights, SHAPE, pooling="avg", batch_normalization=True)
    x = Input(SHAPE)
    return base, lm.Model(x, Dense(5, activation="softmax")(base(x)))


def learn(model: lm.Model, rate: float, x: np.ndarray, y: np.ndarray, epochs: int, verbose: int) -> None:
    model.compile(lm.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, 10, epochs, verbose=verbose)


def right(model: lm.Model, x: np.ndarray, y: np.ndarray) -> float:
    return float((model.predict(x, verbose=0).argmax(axis=1) == y).mean())


def main(small: bool = False, output: str = "vgg_fine_tuning.png") -> dict[str, list[float]]:
    lm.set_seed(0)
    verbose = 0 if small else 1
    (x, y), (x_test, y_test) = lm.data.digits()
    x, x_test = (np.kron(images, np.ones((1, 4, 4, 1), "float32")) for images in (x, x_test))  # 32 x 32 pixels
    x_test, y_test = x_test[y_test >= 5], y_test[y_test >= 5] - 5
    folder = tempfile.TemporaryDirectory()
    file = Path(folder.name) / "vgg16.safetensors"
    print("VGG-16 learns 0 to 4:")
    base, model = network()
    known = np.flatnonzero(y < 5)[: 250 if small else None]
    learn(model, 1e-3, x[known], y[known], 2 if small else 5, verbose)
    base.save_weights(file)
    found: dict[str, list[float]] = {"frozen": [], "fine-tuned": [], "from scratch": []}
    counts = (5,) if small else (2, 5, 10, 20)
    for count in counts:
        few = np.concatenate([np.flatnonzero(y == digit)[:count] for digit in range(5, 10)])
        epochs = 8 if small else 24
        print(f"{count} examples of each of 5 to 9, a new dense layer on frozen ones:")
        base, model = network(file)
        base.trainable = False
        learn(model, 1e-2, x[few], y[few] - 5, epochs // 4, verbose)
        found["frozen"].append(right(model, x_test, y_test))
        print("all layers, a smaller rate:")
        base.trainable = True
        learn(model, 3e-4, x[few], y[few] - 5, epochs - epochs // 4, verbose)
        found["fine-tuned"].append(right(model, x_test, y_test))
        print("random weights:")
        learn(scratch := network()[1], 1e-3, x[few], y[few] - 5, epochs, verbose)
        found["from scratch"].append(right(scratch, x_test, y_test))
        print(", ".join(f"{kind} {values[-1]:.1%}" for kind, values in found.items()))
    folder.cleanup()
    draw(found, counts, output)
    return found


def draw(found: dict[str, list[float]], counts: tuple[int, ...], output: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for kind, values in found.items():
        axes.plot(counts, 100 * np.array(values), "o-", label=kind)
    axes.set(xlabel="examples of each new digit", ylabel="held out, read rightly, %", xticks=counts, ylim=(0, 101))
    axes.set_title("VGG-16 knows 0 to 4 and learns 5 to 9")
    axes.legend(loc="lower right")
    figure.savefig(output, dpi=90)


if __name__ == "__main__":
    from command_line import run

    run(main)
